"""Who gives duties and roles in projects, by the services and on the pages; what the page of a person says."""

from typing import Any

import pytest
from django.test import Client

from alyx.core.errors import Forbidden
from alyx.labs import rights
from alyx.labs.holding import Held
from alyx.labs.models import Collaboration, Duty, Lab, Membership, Project, ProjectRole, ProjectRoleKind, Role, User
from alyx.labs.permissions import Right, verdict, verdict_anywhere
from tests.factories import a_lab, a_member, a_project, a_session, a_subject, a_superuser, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab("ours")


def in_project(*labs: Lab) -> Project:
    """A project in which each lab has an animal."""
    project = a_project()
    for lab in labs:
        a_subject(lab).projects.add(project)
    return project


@pytest.mark.parametrize("role", Role)
def test_a_duty_in_a_lab_is_its_heads_to_give_and_take(lab: Lab, role: Role) -> None:
    actor, person = a_member(lab, role), a_user()
    given = Collaboration.objects.create(user=a_user(), lab=lab, duty=Duty.QC)
    if role == Role.HEAD:
        rights.give_duty(actor=actor, user=person, duty="histology", lab=lab)
        rights.take_duty(actor=actor, given=given)
        assert list(Collaboration.objects.values_list("user", "duty")) == [(person.pk, "histology")]
        return
    with pytest.raises(Forbidden, match="who has a duty"):
        rights.give_duty(actor=actor, user=person, duty="histology", lab=lab)
    with pytest.raises(Forbidden):
        rights.take_duty(actor=actor, given=given)
    assert list(Collaboration.objects.all()) == [given]


def test_a_duty_elsewhere_and_in_all_labs_is_not_a_heads(lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    for where in (a_lab("theirs"), None):
        with pytest.raises(Forbidden):
            rights.give_duty(actor=head, user=head, duty="pipeline", lab=where)
    assert rights.give_duty(actor=a_superuser(), user=head, duty="pipeline", lab=None).lab is None


def test_a_role_in_a_project_is_given_by_who_heads_all_labs_in_it(lab: Lab) -> None:
    other, head = a_lab("theirs"), a_member(lab, Role.HEAD)
    person = a_user()
    assert rights.give_role(actor=head, user=person, project=in_project(lab), role="records")
    for project in (in_project(lab, other), in_project(other), a_project()):
        with pytest.raises(Forbidden, match="head of every lab"):
            rights.give_role(actor=head, user=head, project=project, role="manages")
    of_sessions = a_project()
    a_session(a_subject(other)).projects.add(of_sessions)
    with pytest.raises(Forbidden):
        rights.give_role(actor=head, user=head, project=of_sessions, role="manages")
    both = in_project(lab, other)
    Membership.objects.create(user=head, lab=other, role=Role.HEAD)
    given = rights.give_role(actor=head, user=person, project=both, role="records")
    assert rights.give_role(actor=head, user=person, project=both, role="manages").pk == given.pk
    rights.take_role(actor=head, given=given)
    assert not ProjectRole.objects.filter(project=both).exists()


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_duties_and_roles_are_given_and_taken_on_their_pages(lab: Lab) -> None:
    head, person, project = a_member(lab, Role.HEAD), a_user("kate"), in_project(lab)
    client = logged_in(head)
    duty = {"user": str(person.pk), "duty": "histology", "_save": "Save"}
    assert client.post("/admin/labs/collaboration/add/", {**duty, "lab": str(lab.pk)}).status_code == 302
    for where in ("", str(a_lab("theirs").pk)):
        refused = client.post("/admin/labs/collaboration/add/", {**duty, "lab": where})
        assert "may not say who has a duty" in refused.content.decode()
    role = {"user": str(person.pk), "role": "records", "project": str(project.pk), "_save": "Save"}
    assert client.post("/admin/labs/projectrole/add/", role).status_code == 302
    page = client.get(f"/admin/labs/user/{person.pk}/change/").content.decode()
    assert "the duty histology in lab ours" in page
    assert f"records in project {project.name}" in page
    assert "probe, locate, annotate" in page
    for given in (Collaboration.objects.get(), ProjectRole.objects.get()):
        name = given._meta.model_name
        assert client.post(f"/admin/labs/{name}/{given.pk}/do/take/", {"reason": "left"}).status_code == 302
        assert not type(given).objects.exists()


def test_a_duty_is_given_on_the_labs_own_page_by_its_head(lab: Lab) -> None:
    person = a_user()
    form = {"timezone": "Europe/London", "reference_weight_pct": "0", "zscore_weight_pct": "0", "_save": "Save",
            "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0",
            "collaborations-TOTAL_FORMS": "1", "collaborations-INITIAL_FORMS": "0",
            "collaborations-0-user": str(person.pk), "collaborations-0-duty": "qc", "collaborations-0-lab": str(lab.pk)}  # fmt: skip
    assert (
        logged_in(a_member(lab, Role.DATA_MANAGER)).post(f"/admin/labs/lab/{lab.pk}/change/", form).status_code == 403
    )
    assert not Collaboration.objects.exists()
    assert logged_in(a_member(lab, Role.HEAD)).post(f"/admin/labs/lab/{lab.pk}/change/", form).status_code == 302
    assert Collaboration.objects.get().user == person


def people(lab: Lab, project: Project) -> dict[str, User]:
    """Somebody of every kind."""
    found = {role: a_member(lab, role) for role in Role.values}
    found |= {f"{role} elsewhere": a_member(a_lab(), role) for role in Role.values}
    for duty in Duty.values:
        found[f"{duty} here"], found[f"{duty} everywhere"] = a_user(), a_user()
        Collaboration.objects.create(user=found[f"{duty} here"], lab=lab, duty=duty)
        Collaboration.objects.create(user=found[f"{duty} everywhere"], duty=duty)
    for kind in ProjectRoleKind.values:
        found[f"{kind} in project"] = a_member(lab, Role.READER)
        ProjectRole.objects.create(user=found[f"{kind} in project"], project=project, role=kind)
    return {**found, "root": a_superuser(), "public": a_user(is_public_user=True), "gone": a_user(is_active=False)}


def test_pages_and_services_say_the_same(lab: Lab) -> None:
    project, other = a_project(), a_lab("other")
    of_project = Project.objects.filter(pk=project.pk)
    for name, person in people(lab, project).items():
        held = Held.of(person)
        for right in Right:
            for where in (lab, other, lab.pk, None):
                for projects in (None, of_project, Project.objects.none()):
                    said = held.verdict(where, right, projects)
                    assert bool(said) == bool(verdict(person, where, right, projects)), (name, right, where, projects)
            assert bool(held.somewhere(right)) == bool(verdict_anywhere(person, right)), (name, right)


def test_what_somebody_holds_costs_one_statement(lab: Lab, django_assert_num_queries: Any) -> None:
    person = people(lab, a_project())["records in project"]
    with django_assert_num_queries(1):
        assert Held.of(person).shares
