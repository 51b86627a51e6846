"""Who writes what: by role in the lab, by role in the project, by duty across labs."""

from typing import Any

import pytest

from alyx.labs.grants import TABLE, Grant, Right, decide
from alyx.labs.models import Collaboration, Duty, ProjectRole, ProjectRoleKind, Role, User
from alyx.labs.permissions import authorise_anywhere, verdict, writable_labs
from datasets.models import Dataset
from sessions.models import Session, TrajectoryEstimate
from subjects.permissions import Act, may_animal
from subjects.rules.permissions import TABLE as ANIMAL_TABLE
from tests.factories import a_dataset, a_lab, a_member, a_project, a_session, a_subject, a_type, a_user
from tests.factories.people import a_superuser
from tests.factories.recordings import a_task, a_trajectory, an_insertion
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db

HERE = "lab here"


def test_every_right_has_a_grant_of_roles_and_duties_that_exist() -> None:
    assert set(TABLE) == set(Right)
    for grant in TABLE.values():
        assert grant.roles <= set(Role.values) - {Role.READER}
        assert grant.duties <= set(Duty.values)


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("role", [*Role.values, None])
def test_a_role_decides_by_the_table(right: Right, role: str | None) -> None:
    found = decide(TABLE[right], where=HERE, role=role, project_roles=(), duties=())
    assert bool(found) is (role in TABLE[right].roles)
    assert (f"the role {role} in {HERE}" == found.rule) if found else ("it needs" in found.rule)


def test_a_role_in_a_project_counts_as_one_in_the_lab() -> None:
    manage = TABLE[Right.MANAGE]
    assert decide(manage, where=HERE, role=None, project_roles=[("p", "manages")], duties=())
    assert not decide(manage, where=HERE, role=None, project_roles=[("p", "records")], duties=())
    assert decide(
        Grant(frozenset({"experimenter"})), where=HERE, role="reader", project_roles=[("p", "records")], duties=()
    )


@pytest.fixture
def session() -> Session:
    return a_session(a_subject(a_lab("ours"), "KS1"))


def with_duty(duty: Duty, session: Session | None) -> User:
    user = a_member(a_lab(), Role.READER)
    Collaboration.objects.create(user=user, lab=session.lab if session else None, duty=duty)
    return user


def calls(session: Session) -> dict[str, tuple[str, str, Any]]:
    """One writing call of each right over REST."""
    insertion, dataset, task = an_insertion(session), a_dataset(session), a_task(session)
    trajectory = a_trajectory(insertion)
    return {
        "register": ("patch", f"sessions/{session.pk}", {"narrative": "changed"}),
        "register files": (
            "post",
            "register-file",
            {"path": f"{session.subject.nickname}/{session.path_date}/{session.number:03d}",
             "filenames": ["alf/spikes.times.npy"], "hashes": ["a" * 32], "filesizes": [4]},
        ),
        "probe": ("post", "insertions", {"session": str(session.pk), "name": "probe77"}),
        "judge session": ("patch", f"sessions/{session.pk}", {"qc": "FAIL", "extended_qc": {"a": 1}}),
        "judge dataset": ("patch", f"datasets/{dataset.pk}", {"qc": "PASS"}),
        "locate": ("patch", f"trajectories/{trajectory.pk}", {"x": 12.0}),
        "annotate": ("post", "notes", {"content_type": "session", "object_id": str(session.pk), "text": "seen"}),
        "annotate insertion": ("patch", f"insertions/{insertion.pk}", {"json": {"qc": "PASS"}}),
        "run": ("patch", f"tasks/{task.pk}", {"status": "Started"}),
        "manage": ("delete", f"sessions/{session.pk}", None),
    }  # fmt: skip


ALL = {
    "register", "register files", "probe", "judge session", "judge dataset", "locate", "annotate", "annotate insertion",
    "run", "manage",
}  # fmt: skip
MAY: dict[str, set[str]] = {
    "histology": {"probe", "locate", "annotate", "annotate insertion"},
    "qc": {"judge session", "judge dataset", "annotate", "annotate insertion"},
    "pipeline": ALL - {"locate", "manage"},
    "records": ALL - {"manage"},
    "manages": ALL,
    "reader": set(),
    "experimenter": ALL - {"manage"},
    "head": ALL,
    "public": set(),
}


def person(kind: str, session: Session) -> User:
    """Somebody with this way of having a say."""
    if kind in Duty.values:
        return with_duty(Duty(kind), session)
    if kind in ProjectRoleKind.values:
        project = a_project()
        session.projects.add(project)
        user = a_member(a_lab(), Role.EXPERIMENTER)
        ProjectRole.objects.create(user=user, project=project, role=kind)
        return user
    if kind == "public":
        return a_user(is_public_user=True)
    return a_member(session.lab, Role(kind))


@pytest.mark.parametrize("kind", MAY)
def test_what_each_kind_of_person_may_write_over_rest(session: Session, kind: str) -> None:
    a_type("spikes.times")
    rest = Rest(person(kind, session))
    allowed = set()
    for name, (verb, path, body) in calls(session).items():
        answer = rest.delete(path) if verb == "delete" else getattr(rest, verb)(path, body)
        assert answer.status_code < 500, answer.content
        if answer.status_code < 300:
            allowed.add(name)
        else:
            assert answer.status_code == 403, (name, answer.content)
    assert allowed == MAY[kind]


def test_a_duty_in_one_lab_reaches_no_other_and_a_duty_in_all_reaches_all(session: Session) -> None:
    other = a_lab("theirs")
    here, everywhere = with_duty(Duty.HISTOLOGY, session), with_duty(Duty.HISTOLOGY, None)
    assert verdict(here, session.lab, Right.LOCATE)
    assert not verdict(here, other, Right.LOCATE)
    assert verdict(everywhere, other, Right.LOCATE)
    assert "histology" in verdict(everywhere, other, Right.LOCATE).rule


def test_a_pipeline_of_all_labs_registers_in_all(session: Session) -> None:
    everywhere = with_duty(Duty.PIPELINE, None)
    a_lab("theirs")
    assert session.lab.pk in writable_labs(everywhere)
    assert len(writable_labs(everywhere)) == 3
    authorise_anywhere(everywhere, act="add a tag")


def test_a_role_in_a_project_reaches_its_animals_and_no_others() -> None:
    lab, project = a_lab("ours"), a_project()
    ours, other = a_subject(lab), a_subject(lab)
    ours.projects.add(project)
    user = a_user()
    share = ProjectRole.objects.create(user=user, project=project, role="records")
    assert may_animal(user, ours, Act.TREAT)
    assert not may_animal(user, ours, Act.WITHDRAW)
    assert not may_animal(user, other, Act.RECORD)
    share.role = "manages"
    share.save()
    assert may_animal(user, ours, Act.WITHDRAW)


@pytest.mark.parametrize("act", ANIMAL_TABLE)
def test_who_is_gone_or_public_does_nothing(act: Act, session: Session) -> None:
    left = a_superuser()
    left.is_active = False
    assert not may_animal(left, session.subject, act)
    assert not may_animal(a_user(is_public_user=True), session.subject, act)
    assert "deactivated" in verdict(left, session.lab, Right.REGISTER).rule
    assert "logged in" in verdict(None, session.lab, Right.REGISTER).rule


def test_the_rows_touched_are_the_ones_asked_for(session: Session) -> None:
    """Somebody with a duty changes what the duty is about, and the audit names them."""
    user, trajectory = with_duty(Duty.HISTOLOGY, session), a_trajectory(an_insertion(session))
    assert Rest(user).patch(f"trajectories/{trajectory.pk}", {"x": 5.5}).status_code == 200
    assert TrajectoryEstimate.objects.get(pk=trajectory.pk).x == 5.5
    dataset = a_dataset(session)
    assert Rest(user).patch(f"datasets/{dataset.pk}", {"qc": "FAIL"}).status_code == 403
    assert Dataset.objects.get(pk=dataset.pk).qc == dataset.qc
