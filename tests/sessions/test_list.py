"""GET /sessions: the light list, its filters and its cost."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core.qc import QC
from alyx.labs.models import Lab, Location, Project, Role, User
from datasets.models import Repository, RepositoryRole, Tag
from sessions.models import Session
from subjects.models import ProcedureType
from tests.factories.copies import a_copy
from tests.factories.people import a_lab, a_member, a_project, a_user
from tests.factories.records import MORNING, a_dataset, a_repository, a_session, a_subject, a_type
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def rest(lab: Lab) -> Rest:
    return Rest(a_member(lab, Role.EXPERIMENTER, "reader_of_tests"))


@pytest.fixture
def target(lab: Lab) -> Session:
    """A session that has something to be found by, beside one that has nothing."""
    anna, berta = a_user("anna"), a_user("berta")
    session = a_session(
        a_subject(lab, "KS.014"),
        number=2,
        start=datetime(2026, 3, 9, 9, 30, 0, 120),
        type="Experiment",
        location=Location.objects.create(name="_iblrig_cortexlab_ephys_0", lab=lab),
        narrative="went well",
        n_trials=400,
        n_correct_trials=300,
        qc=QC.WARNING,
        extended_qc={"task": 0.7, "nested": {"x": "y"}},
        json={"temperature": 21.5, "mock": False, "list": [1, 2]},
    )
    session.users.set([anna, berta])
    session.projects.set([Project.objects.create(name="ibl_neuropixel_brainwide_01"), a_project()])
    session.procedures.set([ProcedureType.objects.create(name="Behavior training/tasks")])
    a_session(a_subject(a_lab("otherlab"), "ZZ"), start=MORNING + timedelta(days=1), task_protocol="nothing")
    return session


def test_the_light_record_has_exactly_the_eight_keys(rest: Rest, target: Session) -> None:
    (record,) = rest.found("sessions", subject="ks.014")
    assert record == {
        "id": str(target.pk),
        "subject": "KS.014",
        "start_time": "2026-03-09T09:30:00.000120",
        "number": 2,
        "lab": "cortexlab",
        "projects": sorted(target.projects.values_list("name", flat=True)),
        "url": f"http://testserver/sessions/{target.pk}",
        "task_protocol": "_iblrig_tasks_trainingChoiceWorld8.0.0",
    }


FINDS = [
    ("subject", "ks.014", "KS.01"),
    ("nickname", "KS.014", "14"),
    ("lab", "CortexLab", "cortex"),
    ("location", "EPHYS", "behaviour"),
    ("task_protocol", "trainingchoice", "biased"),
    ("project", "brainwide", "narrow"),
    ("projects", "brainwide", "narrow"),
    ("procedures", "training", "Histology"),
    ("type", "experiment", "Base"),
    ("users", "anna,berta", "anna,berta,carl"),
    ("date_range", "2026-03-09,2026-03-09", "2026-03-01,2026-03-08"),
    ("date_range", "1677-09-22,2026-03-09", "1677-09-22,2026-03-08"),
    ("date_range", "2026-03-09T00:00:00,99999-01-01", "1677-09-22,1700-01-01"),
    ("number", "002", "001"),
    ("number", "2", "99999999999999999999"),
    ("n_trials", "400", "1"),
    ("n_correct_trials", "300", "1"),
    ("narrative", "well", "badly"),
    ("qc", "warning", "PASS"),
    ("qc", "30", "0"),
    ("performance_gte", "75", "75.1"),
    ("performance_lte", "75", "74.9"),
    ("json", "temperature__gte,21.5", "temperature__gt,21.5"),
    ("json", "mock,False", "mock,True"),
    ("extended_qc", "task__gte,0.5,nested__x,y", "task__gte,0.5,nested__x,z"),
    ("start_time", "2026-03-09T09:30:00.000120", "2026-03-09T09:30:00"),
    ("django", "number__in,[2, 3]", "number__in,[3]"),
    ("django", "subject__nickname__startswith,KS.", "subject__nickname__startswith,ks."),
    (
        "django",
        "start_time__date,2026-03-09,lab__name,cortexlab",
        "start_time__date__gt,2026-03-09,lab__name,cortexlab",
    ),
    ("django", "json__temperature__gte,21", "json__temperature__gte,22"),
    ("django", "extended_qc__nested__x__icontains,Y", "extended_qc__nested__x__icontains,Q"),
    ("django", "users__username,anna,projects__name__icontains,brainwide", "users__username,anna,projects__name,x"),
    ("django", "location__name__icontains,ephys", "location__name__icontains,qq"),
    ("django", "~lab__name,otherlab", "~lab__name,cortexlab"),
    ("django", "~users__username,carl", "~users__username,anna"),
    ("django", "narrative__iexact,WENT WELL", "narrative__iexact,WENT"),
    ("django", "qc__gte,WARNING", "qc__gte,FAIL"),
    ("django", "parent_session__isnull,True,location__isnull,False", "parent_session__isnull,False"),
    ("django", "start_time__year,2026,number,2", "start_time__year,2025"),
]


@pytest.mark.parametrize(("name", "fits", "does_not"), FINDS)
def test_each_filter_finds_what_fits_and_nothing_else(
    rest: Rest, target: Session, name: str, fits: str, does_not: str
) -> None:
    assert str(target.pk) in [one["id"] for one in rest.found("sessions", **{name: fits})]
    assert str(target.pk) not in [one["id"] for one in rest.found("sessions", **{name: does_not})]


@pytest.mark.parametrize(
    "query", ["pk,{}", "pk__in,('{}',)", "id__in,['{}', '{}']", "number,2,pk,{}", "pk__in,[UUID('{}')]"]
)
def test_keys_are_found_as_python_prints_them(rest: Rest, target: Session, query: str) -> None:
    (record,) = rest.found("sessions", django=query.replace("{}", str(target.pk)))
    assert record["id"] == str(target.pk)


def test_filters_on_datasets_count_copies_on_servers_of_the_current_version(
    rest: Rest, target: Session, lab: Lab
) -> None:
    central = a_repository(lab, role=RepositoryRole.CENTRAL)
    local = a_repository(lab)
    there = a_dataset(target, "spikes.times.npy", qc=QC.WARNING)
    a_copy(there, central)
    a_copy(a_dataset(target, "spikes.clusters.npy", dataset_type=a_type("spikes.clusters")), local)
    there.tags.add(Tag.objects.create(name="2024_Q1_paper"))
    key = str(target.pk)

    def found(**asked: str) -> bool:
        return key in [one["id"] for one in rest.found("sessions", **asked)]

    assert found(datasets="spikes.times.npy")
    assert not found(datasets="spikes.times.npy,spikes.clusters.npy"), "the second has no copy on a server"
    assert not found(datasets="spikes.times")
    assert found(dataset_types="spikes.times,spikes.clusters")
    assert not found(dataset_types="spikes.depths")
    assert found(datasets="spikes.times.npy", dataset_qc_lte="WARNING")
    assert not found(datasets="spikes.times.npy", dataset_qc_lte="PASS")
    assert found(tag="q1_PAPER")
    assert not found(tag="Q2")
    assert found(
        django="data_dataset_session_related__file_records__exists,True,data_dataset_session_related__name,spikes.times.npy"
    )
    there.qc = QC.CRITICAL
    there.save()
    assert not found(datasets="spikes.times.npy"), "by default up to FAIL"
    assert found(datasets="spikes.times.npy", dataset_qc_lte="CRITICAL")
    there.content_version = 2
    there.save()
    assert not found(datasets="spikes.times.npy", dataset_qc_lte="CRITICAL"), "the copy is of an older version"


@pytest.mark.usefixtures("open_reading")
def test_withdrawn_datasets_find_nothing(rest: Rest, target: Session) -> None:
    dataset = a_dataset(target, "spikes.times.npy")
    query = "data_dataset_session_related__name,spikes.times.npy"
    assert len(rest.found("sessions", django=query)) == 1
    dataset.withdrawn_at = dataset.created_at
    dataset.save()
    assert rest.found("sessions", django=query) == []
    assert len(rest.found("sessions", django=f"~{query}")) == 2
    assert rest.found("sessions", dataset_types="spikes.times") == []


@pytest.mark.usefixtures("open_reading")
def test_histology_finds_all_sessions_of_an_animal_that_has_one(rest: Rest, target: Session) -> None:
    assert rest.found("sessions", histology="True") == []
    later = a_session(target.subject, start=MORNING + timedelta(days=9))
    later.procedures.add(ProcedureType.objects.create(name="Histology"))
    assert len(rest.found("sessions", histology="True")) == 2
    assert len(rest.found("sessions", histology="False")) == 1


@pytest.mark.parametrize("name", ["atlas_acronym", "atlas_id", "atlas_name", "name"])
def test_filters_on_what_is_not_kept_match_nothing(rest: Rest, target: Session, name: str) -> None:
    assert rest.found("sessions", **{name: "CA1"}) == []


@pytest.mark.usefixtures("open_reading")
def test_unknown_parameters_are_ignored(rest: Rest, target: Session) -> None:
    assert len(rest.found("sessions", query_type="remote", clobber="True", lab="")) == 2


BAD = [
    ("django", "number__in,[len('ab')]", "expected a comma"),
    ("django", "users__password__startswith,pbkdf2", "password"),
    ("django", "users__tokens__nonce,x", "tokens"),
    ("django", "users__email__icontains,a", "email"),
    ("django", "subject", "pairs"),
    ("django", "subjct__nickname,M1", "nearest: subject"),
    ("django", "subject__nickname__regex,(a+)+$", "lookup"),
    ("django", "number__gte,abc", "not a number"),
    ("django", "pk,abc", "not a UUID"),
    ("django", "start_time__gte,soon", "not a time"),
    ("django", "number,[1]", "number__in"),
    ("django", "subject__,M1", "allowed"),
    ("django", "__import__,os", "not a field"),
    ("django", "parent_session__" * 9 + "number,1", "tables"),
    ("date_range", "2026-03-09", "from,to"),
    ("date_range", "a,b", "not a date"),
    ("number", "one", "whole number"),
    ("qc", "SPLENDID", "CRITICAL"),
    ("dataset_qc_lte", "SPLENDID", "CRITICAL"),
    ("id", "abc", "UUID"),
    ("json", "temperature", "pairs"),
    ("performance_gte", "many", ""),
    ("subject", "a\x00b", "NUL"),
    ("histology", "maybe", "True nor False"),
]


@pytest.mark.parametrize(("name", "value", "says"), BAD)
def test_a_value_that_cannot_be_read_is_a_400_that_names_the_parameter(
    rest: Rest, target: Session, name: str, value: str, says: str
) -> None:
    answer = rest.get("sessions", **{name: value})
    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert name in body["errors"]
    assert says in body["detail"]


def test_pages_are_newest_first_with_absolute_links_and_a_cap(rest: Rest, lab: Lab) -> None:
    subject = a_subject(lab)
    for number in range(1, 6):
        a_session(subject, number=number, start=MORNING)
    first = rest.get("sessions", limit=2).json()
    assert set(first) == {"count", "next", "previous", "results"}
    assert first["count"] == 5
    assert first["next"] == "http://testserver/sessions?limit=2&offset=2"
    pages = [rest.get("sessions", limit=2, offset=offset).json()["results"] for offset in (0, 2, 4)]
    keys = [one["id"] for page in pages for one in page]
    assert len(set(keys)) == 5
    assert keys == [one["id"] for one in rest.found("sessions", limit=5000)]


@pytest.mark.parametrize(
    "page", [{"limit": "-1"}, {"limit": "x"}, {"offset": "-4"}, {"offset": "10000000000000000000000"}]
)
def test_absurd_pages_are_no_server_errors(rest: Rest, target: Session, page: dict[str, str]) -> None:
    assert rest.get("sessions", **page).status_code in {200, 400}


def fill(lab: Lab, count: int) -> None:
    users, projects = [a_user()], [a_project(), a_project()]
    subject = a_subject(lab)
    for number in range(count):
        session = a_session(subject, number=number + 1, start=MORNING - timedelta(minutes=number))
        session.users.set(users)
        session.projects.set(projects)


def queries_of(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        call()
    return len(captured)


def test_a_list_costs_three_queries_however_long(rest: Rest, lab: Lab) -> None:
    rest.found("sessions")
    fill(lab, 3)
    few = queries_of(lambda: rest.found("sessions"))
    fill(lab, 20)
    assert queries_of(lambda: rest.found("sessions")) == few == 3  # token, what the caller reads, page


@pytest.mark.parametrize(("limit", "offset"), [(2, 0), (2, 4), (5, 0), (6, 0), (2, 5), (2, 9)])
def test_the_count_is_right_wherever_the_page_ends(rest: Rest, lab: Lab, limit: int, offset: int) -> None:
    fill(lab, 5)
    page = rest.get(f"sessions?limit={limit}&offset={offset}").json()
    assert (page["count"], len(page["results"])) == (5, max(0, min(limit, 5 - offset)))


def test_a_record_costs_the_same_however_many_datasets(rest: Rest, target: Session, lab: Lab) -> None:
    central = a_repository(lab, role=RepositoryRole.CENTRAL, data_url="http://data.test/cortexlab/Subjects/")
    rest.get(f"sessions/{target.pk}")
    none = queries_of(lambda: rest.get(f"sessions/{target.pk}"))
    for _ in range(12):
        a_copy(a_dataset(target), central)
    # token, what the caller reads, whether that session is among it, session with all that hangs on it
    assert queries_of(lambda: rest.get(f"sessions/{target.pk}")) == none == 4


def test_the_record_lists_only_what_can_be_downloaded_from_a_server(rest: Rest, target: Session, lab: Lab) -> None:
    local = a_repository(lab)
    only_local = a_dataset(target, "a.local.npy")
    a_copy(only_local, local)

    def names() -> list[str]:
        return [one["name"] for one in rest.get(f"sessions/{target.pk}").json()["data_dataset_session_related"]]

    assert names() == ["a.local.npy"], "without any server repository every dataset is listed"
    central: Repository = a_repository(
        lab, role=RepositoryRole.CENTRAL, data_url="http://data.test/cortexlab/Subjects/"
    )
    assert names() == []
    served = a_dataset(target, "spikes.times.npy", software_version="1.2.3", qc=QC.PASS)
    a_copy(served, central)
    (record,) = rest.get(f"sessions/{target.pk}").json()["data_dataset_session_related"]
    folder = "KS.014/2026-03-09/002/alf/probe00"
    assert record == {
        "id": str(served.pk),
        "name": "spikes.times.npy",
        "dataset_type": "spikes.times",
        "data_url": f"http://data.test/cortexlab/Subjects/{folder}/spikes.times.{served.pk}.npy",
        "url": f"http://testserver/datasets/{served.pk}",
        "file_size": served.size_bytes,
        "hash": served.md5,
        "version": "1.2.3",
        "collection": "alf/probe00",
        "revision": "",
        "default_revision": "True",
        "qc": "PASS",
    }


def test_the_list_is_closed_to_anonymous(target: Session) -> None:
    answer = Rest().get("sessions")
    assert answer.status_code == 403
    stale = Rest(key="0" * 64).get("sessions")
    assert stale.status_code == 403
    assert b'"Invalid token."' in stale.content


def test_a_revoked_token_and_a_deactivated_user_are_refused(lab: Lab) -> None:
    user: User = a_member(lab)
    rest = Rest(user)
    assert rest.get("sessions").status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert rest.get("sessions").status_code == 403
