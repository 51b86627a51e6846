"""POST /sessions: one row per subject, date and number; rigs are not refused, doubts are kept."""

from datetime import date, datetime
from typing import Any

import pytest

from alyx.core.flags import decide_flag
from alyx.core.models import FlagState, ReviewFlag
from alyx.labs.models import Location, Role
from sessions.models import Session
from subjects.models import ProcedureType
from tests.factories.people import a_lab, a_member, a_project, a_user
from tests.factories.records import MORNING, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Any:
    return a_lab("cortexlab")


@pytest.fixture
def rig(lab: Any) -> Any:
    return a_member(lab, Role.RIG, "rig")


@pytest.fixture
def rest(rig: Any) -> Rest:
    return Rest(rig)


@pytest.fixture
def mouse(lab: Any) -> Any:
    return a_subject(lab, "KS.014")


def a_body(**fields: Any) -> dict[str, Any]:
    """What RegistrationClient sends."""
    return {
        "subject": "KS.014",
        "users": ["rig"],
        "type": "Experiment",
        "number": "001",
        "start_time": "2026-03-09T09:30:00.123456",
        **fields,
    }


def rules() -> list[str]:
    return sorted(ReviewFlag.objects.values_list("rule", flat=True))


def test_a_new_session_answers_201_with_the_full_record(rest: Rest, mouse: Any) -> None:
    project = a_project("ibl")
    ProcedureType.objects.create(name="Behavior training/tasks")
    Location.objects.create(name="rig_1", lab=mouse.lab)
    answer = rest.post(
        "sessions",
        a_body(
            projects=["ibl"],
            procedures=["Behavior training/tasks"],
            location="rig_1",
            task_protocol="t1",
            end_time="2026-03-09T10:30:00",
            n_trials=10,
            n_correct_trials=7,
            json={"b": 1.0, "a": [1, 1.5]},
        ),
    )
    assert answer.status_code == 201, answer.content
    record = answer.json()
    session = Session.objects.get()
    assert record["url"][-36:] == record["id"] == str(session.pk)
    assert record["start_time"] == "2026-03-09T09:30:00.123456"
    assert record["end_time"] == "2026-03-09T10:30:00"
    assert (record["number"], record["lab"], record["subject"]) == (1, "cortexlab", "KS.014")
    assert (record["users"], record["projects"], record["location"]) == (["rig"], [project.name], "rig_1")
    assert record["procedures"] == ["Behavior training/tasks"]
    assert record["qc"] == "NOT_SET"
    assert list(record["json"]) == ["b", "a"]
    assert b'"b":1.0' in answer.content
    for empty in (
        "wateradmin_session_related",
        "data_dataset_session_related",
        "probe_insertion",
        "field_of_view",
        "notes",
    ):
        assert record[empty] == []
    assert session.path_date == date(2026, 3, 9)
    assert session.registered_by is not None
    assert rules() == []


def test_only_the_subject_is_needed(rest: Rest, mouse: Any) -> None:
    record = rest.post("sessions", {"subject": "KS.014"}).json()
    assert record["users"] == ["rig"]
    assert record["lab"] == "cortexlab"
    assert record["number"] == 1
    assert rest.post("sessions", {"subject": "KS.014"}).json()["number"] == 2


def test_the_same_session_again_answers_200_with_the_same_row_and_fills_what_is_empty(rest: Rest, mouse: Any) -> None:
    first = rest.post("sessions", a_body(narrative="kept")).json()
    again = rest.post("sessions", a_body(narrative="other", task_protocol="t2", number=1, n_trials=5))
    assert again.status_code == 200
    record = again.json()
    assert record["id"] == first["id"]
    assert (record["narrative"], record["task_protocol"], record["n_trials"]) == ("kept", "t2", 5)
    assert Session.objects.count() == 1
    assert rules() == []


def test_a_date_alone_does_not_replace_a_precise_time_and_a_precise_time_replaces_a_date(
    rest: Rest, mouse: Any
) -> None:
    rest.post("sessions", a_body())
    assert (
        rest.post("sessions", a_body(start_time="2026-03-09T00:00:00")).json()["start_time"]
        == "2026-03-09T09:30:00.123456"
    )
    rest.post("sessions", a_body(number=2, start_time="2026-03-09"))
    assert rest.post("sessions", a_body(number=2)).json()["start_time"] == "2026-03-09T09:30:00.123456"
    assert rules() == []


def test_another_start_or_rig_or_person_is_flagged_as_a_collision_and_the_first_stays(rest: Rest, mouse: Any) -> None:
    for name in ("rig_1", "rig_2"):
        Location.objects.create(name=name, lab=mouse.lab)
    a_user("other")
    rest.post("sessions", a_body(location="rig_1"))
    record = rest.post("sessions", a_body(location="rig_2", users=["other"], start_time="2026-03-09T15:00:00")).json()
    assert (record["location"], record["users"]) == ("rig_1", ["rig"])
    assert record["start_time"] == "2026-03-09T09:30:00.123456"
    assert rules() == ["session-collision"] * 3
    facts = {flag.facts["field"]: flag.facts for flag in ReviewFlag.objects.all()}
    assert facts["location"] == {"field": "location", "stored": "rig_1", "sent": "rig_2"}
    rest.post("sessions", a_body(location="rig_2", users=["other"], start_time="2026-03-09T15:00:00"))
    assert len(rules()) == 3, "the same finding is one flag"


@pytest.mark.parametrize(
    ("sent", "shown", "instant"),
    [
        ("2026-07-01T23:30:00Z", "2026-07-02T00:30:00", "2026-07-01T23:30:00+00:00"),
        ("2026-07-01T10:00:00+05:00", "2026-07-01T06:00:00", "2026-07-01T05:00:00+00:00"),
        ("2026-07-01T10:00:00", "2026-07-01T10:00:00", "2026-07-01T09:00:00+00:00"),
        ("2026-03-29T01:30:00", "2026-03-29T01:30:00", "2026-03-29T01:30:00+00:00"),
    ],
)
def test_times_are_the_labs_wall_clock(rest: Rest, mouse: Any, sent: str, shown: str, instant: str) -> None:
    record = rest.post("sessions", a_body(start_time=sent)).json()
    session = Session.objects.get()
    assert record["start_time"] == shown
    assert session.started_at == datetime.fromisoformat(instant)
    assert session.path_date.isoformat() == shown[:10]


def test_unknown_project_procedure_and_location_are_left_out_and_flagged(rest: Rest, mouse: Any) -> None:
    a_project("known")
    answer = rest.post("sessions", a_body(projects=["known", "unknwn"], procedures=["magic"], location="rig_9"))
    assert answer.status_code == 201
    record = answer.json()
    assert (record["projects"], record["procedures"], record["location"]) == (["known"], [], None)
    assert rules() == ["unknown-location", "unknown-procedures", "unknown-projects"]


def test_no_user_named_is_flagged_and_the_caller_recorded(rest: Rest, mouse: Any) -> None:
    record = rest.post("sessions", a_body(users=[None])).json()
    assert record["users"] == ["rig"]
    assert rules() == ["session-user-missing"]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"end_time": "2026-03-09T08:00:00"}, "session-ends-before-start"),
        ({"start_time": "2199-01-01T08:00:00"}, "session-in-the-future"),
        ({"start_time": "2025-01-01T08:00:00"}, "session-before-birth"),
        ({"n_trials": 3, "n_correct_trials": 4}, "more-correct-than-trials"),
    ],
)
def test_the_implausible_is_accepted_and_flagged(rest: Rest, mouse: Any, fields: dict[str, Any], rule: str) -> None:
    answer = rest.post("sessions", a_body(**fields))
    assert answer.status_code == 201
    assert rules() == [rule]


def test_a_session_after_death_is_accepted_and_flagged(rest: Rest, mouse: Any) -> None:
    mouse.died_on = date(2026, 3, 1)
    mouse.save()
    assert rest.post("sessions", a_body()).status_code == 201
    assert rules() == ["session-after-death"]


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"subject": "KS.015"}, "subject", "nearest: KS.014"),
        ({"subject": ""}, "subject", "blank"),
        ({"subject": {"a": 1}}, "subject", "string"),
        ({"users": ["rigg"]}, "users", "nearest: rig"),
        ({"users": [["rig"]]}, "users", ""),
        ({"lab": "cortxlab"}, "lab", "nearest: cortexlab"),
        ({"number": -1}, "number", "0"),
        ({"number": 65_536}, "number", "65535"),
        ({"number": "one"}, "number", "integer"),
        ({"number": True}, "number", "integer"),
        ({"start_time": "yesterday"}, "start_time", "2024-03-01T10:00:00"),
        ({"start_time": "0001-01-01T00:00:00"}, "start_time", "year"),
        ({"end_time": 12}, "end_time", "not a time"),
        ({"qc": "SPLENDID"}, "qc", "CRITICAL"),
        ({"n_trials": -5}, "n_trials", ""),
        ({"n_trials": 10**12}, "n_trials", ""),
        ({"parent_session": "00000000-0000-0000-0000-000000000001"}, "parent_session", "no session"),
        ({"task_protocol": "x" * 2000}, "task_protocol", "1023"),
    ],
)
def test_what_cannot_be_identified_or_stored_is_a_400_that_names_the_field(
    rest: Rest, mouse: Any, fields: dict[str, Any], field: str, says: str
) -> None:
    answer = rest.post("sessions", a_body(**fields))
    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert field in body["errors"], body
    assert isinstance(body[field], list)
    assert says in body["detail"]
    assert body["status_code"] == 400
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"subject": NaN}',
        b'{"subject": "KS.014", "json": {"a": Infinity}}',
        b'{"subject": "KS.014", "json": {"a": "\\u0000"}}',
        b'{"subject": "KS.014", "json": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"subject": "KS.014"',
        b'["KS.014"]',
        b'"KS.014"',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_malformed_body_is_a_400_with_a_json_object(rest: Rest, mouse: Any, raw: bytes) -> None:
    answer = rest.client.generic("POST", "/sessions", raw, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not Session.objects.exists()


def test_a_narrative_beyond_the_body_limit_is_a_413(rest: Rest, mouse: Any) -> None:
    answer = rest.post("sessions", a_body(narrative="x" * 20_000_000))
    assert answer.status_code == 413
    assert answer.json()["status_code"] == 413


def test_another_labs_session_is_a_403(mouse: Any) -> None:
    stranger = Rest(a_member(a_lab("elsewhere"), name="stranger"))
    answer = stranger.post("sessions", a_body(users=["stranger"]))
    assert answer.status_code == 403
    assert "cortexlab" in answer.json()["detail"]
    a_session(mouse)
    assert stranger.post("sessions", a_body(users=["stranger"], lab="elsewhere")).status_code == 403, (
        "the existing row is cortexlab's"
    )
    assert Session.objects.count() == 1


def test_a_reader_registers_nothing(lab: Any, mouse: Any) -> None:
    assert Rest(a_member(lab, Role.READER)).post("sessions", a_body(users=[])).status_code == 403


def test_a_nickname_in_two_labs_is_the_callers_then_a_409_that_names_them(rest: Rest, rig: Any, mouse: Any) -> None:
    other = a_lab("otherlab")
    a_subject(other, "ks.014")
    assert rest.post("sessions", a_body()).json()["lab"] == "cortexlab"
    both = a_member(other, name="both")
    both.memberships.create(lab=mouse.lab, role=Role.EXPERIMENTER)
    answer = Rest(both).post("sessions", a_body(users=["both"]))
    assert answer.status_code == 409
    assert "cortexlab, otherlab" in answer.json()["detail"]
    assert Rest(both).post("sessions", a_body(users=["both"], lab="otherlab")).json()["lab"] == "otherlab"


def test_withdrawn_sessions_do_not_count(rest: Rest, mouse: Any) -> None:
    old = a_session(mouse, start=MORNING)
    assert rest.delete(f"sessions/{old.pk}").status_code == 403, "a rig withdraws only what it registered"
    own = rest.post("sessions", a_body(number=7)).json()
    assert rest.delete(f"sessions/{own['id']}").status_code == 204
    assert rest.get(f"sessions/{own['id']}").status_code == 404
    assert rest.found("sessions", number="007") == []
    again = rest.post("sessions", a_body(number=7))
    assert again.status_code == 201
    assert again.json()["id"] != own["id"]


def test_zero_trials_is_something_and_not_filled(rest: Rest, mouse: Any) -> None:
    rest.post("sessions", a_body(n_trials=0))
    assert rest.post("sessions", a_body(n_trials=9)).json()["n_trials"] == 0


def test_a_finding_that_somebody_has_dismissed_is_not_raised_again(rest: Rest, rig: Any, mouse: Any) -> None:
    body = a_body(end_time="2026-03-09T08:00:00")
    rest.post("sessions", body)
    decide_flag(
        actor=rig, flag=ReviewFlag.objects.get(), state=FlagState.DISMISSED, decision="the rig's clock was reset"
    )
    rest.post("sessions", body)
    assert not ReviewFlag.objects.filter(state=FlagState.OPEN).exists()
    rest.patch(f"sessions/{Session.objects.get().pk}", {"end_time": "2026-03-09T07:00:00"})
    assert ReviewFlag.objects.filter(state=FlagState.OPEN).count() == 1, "another time is another finding"
