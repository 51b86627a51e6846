"""Duties and roles in projects on the pages: buttons and boxes where the service would let them, and nowhere else."""

import re
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from alyx.labs.models import Project, User
from datasets.models import Dataset
from sessions.models import ProbeInsertion, Session
from subjects.models import Subject, Weighing
from subjects.queries.today import looked_after
from tests.admin.conftest import logged_in
from tests.admin.pages import url
from tests.factories import a_copy, a_dataset, a_lab, a_repository, a_restriction, a_session, a_subject, a_weighing
from tests.factories.recordings import an_insertion
from tests.labs.test_grants import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> Session:
    """Of an animal that others share."""
    return a_session(a_subject(a_lab("ours"), "KS1"))


def someone(kind: str, session: Session) -> User:
    """As `tests.labs.test_grants.person`; a project has the animal as well."""
    user = person(kind, session)
    for project in Project.objects.filter(sessions=session):
        project.subjects.add(session.subject)
    return user


def boxes(client: Client, row: Model) -> set[str]:
    """The fields that can be typed into, beside the reason."""
    page: Any = client.get(url(type(row), "change", row.pk))
    assert page.status_code == 200
    if 'name="_save"' not in page.content.decode():
        return set()
    return set(page.context["adminform"].form.fields) - {"reason"}


ALL_OF_A_SESSION = {
    "location", "task_protocol", "type", "users", "projects", "procedures", "qc", "n_trials", "n_correct_trials",
    "narrative", "json", "extended_qc",
}  # fmt: skip
ALL_OF_AN_INSERTION = {"name", "model", "serial", "json"}
BOXES: dict[str, tuple[set[str], set[str], bool]] = {
    "histology": (set(), ALL_OF_AN_INSERTION, False),
    "qc": ({"qc", "extended_qc"}, {"json"}, False),
    "pipeline": (ALL_OF_A_SESSION, ALL_OF_AN_INSERTION, True),
    "records": (ALL_OF_A_SESSION, ALL_OF_AN_INSERTION, True),
    "manages": (ALL_OF_A_SESSION, ALL_OF_AN_INSERTION, True),
    "reader": (set(), set(), False),
    "experimenter": (ALL_OF_A_SESSION, ALL_OF_AN_INSERTION, True),
}
"""Kind of person → the boxes of a session, of an insertion, whether files can be verified."""


@pytest.mark.parametrize("kind", BOXES)
def test_what_is_recorded_has_the_boxes_that_its_services_take(session: Session, kind: str) -> None:
    insertion, dataset = an_insertion(session), a_dataset(session)
    a_copy(dataset, a_repository(session.lab), "verified")
    client = logged_in(someone(kind, session))
    of_session, of_insertion, verifies = BOXES[kind]
    assert boxes(client, session) == of_session
    assert boxes(client, insertion) == of_insertion
    page = client.get(url(Dataset, "change", dataset.pk)).content.decode()
    assert ('formaction="../do/verify/"' in page) is verifies
    asked = client.post(f"/admin/datasets/dataset/{dataset.pk}/do/verify/", follow=True)
    done = dataset.file_records.filter(look_due_at__isnull=False).exists()
    assert done is verifies, asked.content.decode()[:500]


def test_quality_control_writes_qc_and_nothing_else(session: Session) -> None:
    client = logged_in(someone("qc", session))
    form = {"qc": "40", "extended_qc": "{}", "narrative": "mine", "task_protocol": "mine", "_save": "Save"}
    assert client.post(url(Session, "change", session.pk), form).status_code == 302
    was = session.task_protocol
    session.refresh_from_db()
    assert (session.qc, session.narrative, session.task_protocol) == (40, "", was)


def test_histology_writes_the_insertion(session: Session) -> None:
    insertion, client = an_insertion(session), logged_in(someone("histology", session))
    form = {"name": "probe01", "serial": "", "json": "{}", "_save": "Save"}
    assert client.post(url(ProbeInsertion, "change", insertion.pk), form).status_code == 302
    insertion.refresh_from_db()
    assert insertion.name == "probe01"
    assert client.post(url(Session, "change", session.pk), {"narrative": "x", "_save": "Save"}).status_code == 403


ANIMAL: dict[str, tuple[bool, bool, bool]] = {
    "histology": (False, False, False),
    "qc": (False, False, False),
    "pipeline": (False, False, False),
    "records": (True, False, False),
    "manages": (True, True, True),
    "reader": (False, False, False),
    "experimenter": (True, False, False),
    "head": (True, True, True),
}
"""Kind of person → weighs the animal of another, takes back another's weighing, changes the animal."""


@pytest.mark.parametrize("kind", ANIMAL)
def test_an_animal_has_the_buttons_that_its_services_take(session: Session, kind: str) -> None:
    animal = session.subject
    animal.responsible_user = person("experimenter", session)
    animal.save()
    a_restriction(animal)
    weighing = a_weighing(animal)
    client = logged_in(someone(kind, session))
    weighs, takes_back, manages = ANIMAL[kind]
    water = client.get(f"/admin/subjects/subject/{animal.pk}/water/").content.decode()
    assert ("Record a weighing" in water) is weighs
    page = client.get(url(Weighing, "change", weighing.pk)).content.decode()
    assert ('formaction="../do/withdraw/"' in page) is takes_back
    assert bool(boxes(client, animal)) is manages
    form = {"subject": str(animal.pk), "weight_g": "24.2", "at_wall": "2026-03-10T09:00", "_save": "Save"}
    answer = client.post(url(Weighing, "add"), form)
    said = re.findall(r'class="errorlist.*?</ul>', answer.content.decode(), re.DOTALL)
    assert Weighing.objects.filter(weight_g=24.2).exists() is weighs, said
    many = client.get("/admin/subjects/weighing/round/")
    assert ("KS1" in many.content.decode()) is (weighs and many.status_code == 200)


def test_somebody_of_a_project_weighs_many_of_it_and_of_nothing_else(session: Session) -> None:
    for one in (session.subject, a_subject(session.lab, "unshown-mouse")):
        a_restriction(one)
    user = someone("records", session)
    client = logged_in(user)
    page = client.get("/admin/subjects/weighing/round/").content.decode()
    assert "KS1" in page
    assert "unshown-mouse" not in page
    client.post("/admin/subjects/weighing/round/", {f"weight-{session.subject.pk}": "21.5"})
    assert Weighing.objects.get().weight_g == 21.5
    assert list(looked_after(user)) == [session.subject]  # so the first page counts it


def test_nobody_makes_an_animal_by_a_role_in_a_project(session: Session) -> None:
    client = logged_in(someone("manages", session))
    form = {"nickname": "KS9", "lab": str(session.lab.pk), "sex": "F", "_save": "Save"}
    answer = client.post(url(Subject, "add"), form)
    assert not Subject.objects.filter(nickname="KS9").exists(), answer.status_code


def test_a_reader_of_one_lab_sees_no_button_to_add(session: Session) -> None:
    page = logged_in(person("reader", session)).get("/admin/").content.decode()
    adds = {line for line in page.split('"') if line.endswith("/add/")}
    assert adds == {"/admin/labs/token/add/"}
