"""Who reads what: the members of a lab, the people of a project, whoever has a duty there; and nobody else."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.apps import apps
from django.db.models import Model

from alyx.core.reading import _RULES as RULES
from alyx.core.reading import everybody, has_rule, may_read, readable
from alyx.labs.models import Collaboration, Lab, Membership, ProjectRole, Role, User
from datasets.models import Dataset
from sessions.models import Session
from subjects.models import Subject
from tests.factories import (
    a_copy,
    a_dataset,
    a_lab,
    a_member,
    a_note,
    a_project,
    a_session,
    a_subject,
    a_superuser,
    a_surgery,
    a_user,
    a_water,
    a_weighing,
    an_aggregate,
    an_implant,
)
from tests.factories.recordings import a_channel, a_fov, a_task, a_trajectory, an_insertion
from tests.factories.rest import Rest
from tests.ground.tables import MAKERS, concrete_models

pytestmark = pytest.mark.django_db

OF_NOTHING = {"ImagingStack", "DataNotice", "RigWatch"}
"""Of no session, about nothing, of a rig of no lab: everybody's."""
OWN = {"Token", "Mute", "NotificationRule", "Delivery", "JournalEntry"}
ENGINE = set(apps.get_app_config("transfers").get_models())


def test_every_table_says_who_reads_it() -> None:
    engine = {model for model in ENGINE if model.__name__ in {"TransferItem", "Attempt", "TransferJob", "NightWindow"}}
    missing = [model._meta.label for model in {*concrete_models(), *engine} if not has_rule(model)]
    assert not missing


CLOSED = sorted((model for model, rule in RULES.items() if rule is not everybody and model in MAKERS), key=str)


@pytest.mark.parametrize("model", CLOSED, ids=lambda model: model.__name__)
def test_a_row_is_read_by_its_labs_and_by_no_other(model: type[Model]) -> None:
    """Whoever is in all the labs that the row could be of reads it; a member of a lab that came later does not."""
    a_lab("third")
    row = Dataset.objects.get(pk=an_aggregate(a_subject()).pk) if model is Dataset else MAKERS[model]()
    member, stranger = a_user(), a_member(a_lab("elsewhere"), Role.HEAD)
    for lab in Lab.objects.exclude(name__in=["elsewhere", "third"]):
        Membership.objects.create(user=member, lab=lab, role=Role.READER)
    assert not member.reach.everything
    of_none = model.__name__ != "Dataset" and getattr(row, "lab", ...) is None
    is_for_all = model.__name__ not in OWN and (of_none or model.__name__ in OF_NOTHING)
    assert may_read(member, row) is (model.__name__ not in OWN)
    assert may_read(stranger, row) is is_for_all
    assert may_read(a_superuser(), row)


# ---- over REST


def _records(session: Session) -> dict[str, Any]:
    """A record of each kind that hangs on an animal or session, by its path."""
    subject, insertion = session.subject, an_insertion(session)
    dataset, fov = a_dataset(session), a_fov(session)
    trajectory = a_trajectory(insertion)
    return {
        f"subjects/{subject.nickname}": "subjects",
        f"sessions/{session.pk}": "sessions",
        f"insertions/{insertion.pk}": "insertions",
        f"trajectories/{trajectory.pk}": "trajectories",
        f"channels/{a_channel(trajectory).pk}": "channels",
        f"chronic-insertions/{an_implant(a_surgery(subject)).pk}": "chronic-insertions",
        f"fields-of-view/{fov.pk}": "fields-of-view",
        f"datasets/{dataset.pk}": "datasets",
        f"datasets/{dataset.pk}/copies": "",
        f"files/{a_copy(dataset).pk}": "files",
        f"weighings/{a_weighing(subject).pk}": "weighings",
        f"water-administrations/{a_water(subject).pk}": "water-administrations",
        f"water-requirement/{subject.nickname}": "",
        f"surgeries/{a_surgery(subject).pk}": "surgeries",
        f"notes/{a_note(session).pk}": "notes",
        f"tasks/{a_task(session).pk}": "tasks",
        f"why?eid={session.pk}": "",
    }


@pytest.fixture
def session() -> Session:
    return a_session(a_subject(a_lab("ours"), "KS1"))


def answers(user: User, records: dict[str, str]) -> tuple[set[int], set[bool]]:
    """The statuses of the records, and whether each list has rows."""
    rest = Rest(user)
    listed = {bool(rest.found(name)) for name in records.values() if name}
    return {rest.get(path).status_code for path in records}, listed


def _member(session: Session) -> User:
    return a_member(session.lab, Role.READER)


def _with_duty(session: Session) -> User:
    user = a_member(a_lab("elsewhere2"))
    Collaboration.objects.create(user=user, lab=session.lab, duty="histology")
    return user


def _with_duty_everywhere(session: Session) -> User:
    user = a_user()
    Collaboration.objects.create(user=user, lab=None, duty="qc")
    return user


def _in_project(session: Session) -> User:
    user, project = a_member(a_lab("elsewhere3")), a_project()
    project.users.add(user)
    session.projects.add(project)
    session.subject.projects.add(project)
    return user


def _with_project_role(session: Session) -> User:
    user = _in_project(session)
    project = session.projects.get()
    project.users.clear()
    ProjectRole.objects.create(user=user, project=project)
    return user


READERS: list[Callable[[Session], User]] = [
    _member, _with_duty, _with_duty_everywhere, _in_project, _with_project_role, lambda session: a_superuser(),
]  # fmt: skip


@pytest.mark.parametrize("maker", READERS, ids=lambda maker: maker.__name__)
def test_whoever_belongs_there_reads_every_record(session: Session, maker: Callable[[Session], User]) -> None:
    records = _records(session)
    assert answers(maker(session), records) == ({200}, {True})


def test_a_member_of_another_lab_reads_none(session: Session) -> None:
    records = _records(session)
    assert answers(a_member(a_lab("theirs"), Role.HEAD), records) == ({404}, {False})


@pytest.mark.usefixtures("open_reading")
def test_a_setting_opens_reading_to_all_users(session: Session) -> None:
    records = _records(session)
    assert answers(a_member(a_lab("theirs"), Role.HEAD), records) == ({200}, {True})
    assert answers(a_user(), records) == ({200}, {True})


def test_a_deactivated_person_and_nobody_read_nothing(session: Session) -> None:
    left = a_member(session.lab, is_active=False)
    assert not readable(left, Session.objects.all()).exists()
    assert not readable(None, Session.objects.all()).exists()


def test_a_project_shows_its_own_sessions_only(session: Session) -> None:
    user = _in_project(session)
    other = a_session(session.subject, number=2)
    other.projects.add(a_project())
    a_dataset(other)
    rest = Rest(user)
    assert [one["id"] for one in rest.found("sessions")] == [str(session.pk)]
    assert not rest.found("datasets")
    assert rest.get(f"sessions/{other.pk}").status_code == 404


def test_a_chronic_insertion_shows_the_recordings_that_one_reads(session: Session) -> None:
    user = _in_project(session)
    other = a_session(session.subject, number=2)
    other.projects.add(a_project())
    implant = an_implant(a_surgery(session.subject))
    ours, _ = (an_insertion(of, chronic_insertion=implant) for of in (session, other))
    nested = Rest(user).get(f"chronic-insertions/{implant.pk}").json()["probe_insertion"]
    assert [one["id"] for one in nested] == [str(ours.pk)]
    whole = Rest(_member(session)).get(f"chronic-insertions/{implant.pk}").json()["probe_insertion"]
    assert len(whole) == 2


def test_a_session_that_names_no_project_is_of_its_animals(session: Session) -> None:
    user = _in_project(session)
    session.projects.clear()
    dataset = a_dataset(session)
    ProjectRole.objects.create(user=user, project=session.subject.projects.get())
    rest = Rest(user)
    assert [one["id"] for one in rest.found("sessions")] == [str(session.pk)]
    assert rest.patch(f"sessions/{session.pk}", {"narrative": "mine to write"}).status_code == 200
    assert rest.get(f"datasets/{dataset.pk}").status_code == 200
    session.projects.add(a_project())
    assert rest.get(f"sessions/{session.pk}").status_code == 404


def test_nobody_lets_themselves_into_a_project_with_others_data(session: Session) -> None:
    project, stranger = a_project(), a_member(a_lab("theirs"))
    session.projects.add(project)
    said = {"users": [stranger.username]}
    assert Rest(stranger).patch(f"projects/{project.name}", said).status_code == 403
    assert Rest(stranger).patch(f"projects/{project.name}", {"description": "plain"}).status_code == 200
    assert Rest(a_member(session.lab)).patch(f"projects/{project.name}", said).status_code == 200
    assert Rest(stranger).get(f"sessions/{session.pk}").status_code == 200


def test_cache_tables_are_those_of_what_one_reads(session: Session, tmp_path: Path, settings: Any) -> None:
    """The same sessions as over REST, for a member, the people of a project, and a stranger."""
    settings.ALYX_CACHE_DIR = str(tmp_path)
    elsewhere = a_session(a_subject(a_lab("theirs"), "TH1"))
    of_animal = a_session(session.subject, number=2)
    a_lab("third")
    for user in (_member(session), _in_project(session), a_member(elsewhere.lab), a_superuser()):
        rest = Rest(user)
        zipped = zipfile.ZipFile(io.BytesIO(b"".join(rest.get("cache.zip").streaming_content)))
        table = pq.read_table(io.BytesIO(zipped.read("sessions.pqt")))
        listed = set(table["id"].to_pylist())
        assert listed == {one["id"] for one in rest.found("sessions")}
        assert (str(of_animal.pk) in listed) is (user.is_superuser or user.reach.labs != {elsewhere.lab.pk})


def test_what_is_unreadable_is_not_suggested_nor_counted(session: Session) -> None:
    rest = Rest(a_member(a_lab("theirs")))
    answer = rest.get("subjects/KS2")
    assert answer.status_code == 404
    assert "KS1" not in answer.content.decode()
    assert rest.get("sessions").json()["count"] == 0
    assert "KS1" not in rest.get("why", eid="KS2/2026-03-09/1").content.decode()


def test_data_of_no_session_is_read_by_those_it_belongs_to() -> None:
    lab, project = a_lab("ours"), a_project()
    of_animal, of_lab, of_project = an_aggregate(a_subject(lab)), an_aggregate(lab), an_aggregate(project)
    member, stranger, colleague = a_member(lab), a_member(a_lab("theirs")), a_member(a_lab("third"))
    project.users.add(colleague)

    def read(user: User) -> set[Any]:
        return set(readable(user, Dataset.objects.all()).values_list("pk", flat=True))

    assert read(member) == {of_animal.pk, of_lab.pk}
    assert read(stranger) == set()
    assert read(colleague) == {of_project.pk}


def test_the_animals_of_a_person_are_listed_as_far_as_one_reads(session: Session) -> None:
    Subject.objects.update(responsible_user=a_member(session.lab, name="keeper"))
    path = "users/keeper"
    assert Rest(_member(session)).get(path).json()["subjects_responsible"] == ["KS1"]
    assert Rest(a_member(a_lab("theirs"))).get(path).json()["subjects_responsible"] == []


def test_how_far_somebody_reads_costs_one_statement(session: Session, django_assert_num_queries: Any) -> None:
    user = User.objects.get(pk=_in_project(session).pk)
    with django_assert_num_queries(1):
        assert user.reach.labs
        assert user.reach.projects
