"""PUT and PATCH of sessions: what is sent and nothing else; what names the folder stays."""

from datetime import datetime
from typing import Any

import pytest

from alyx.core.models import ReviewFlag
from alyx.labs.models import Role
from tests.factories.people import a_lab, a_member, a_project
from tests.factories.records import a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> Any:
    return a_session(a_subject(a_lab("cortexlab"), "M1"), narrative="first", json={"a": 1})


@pytest.fixture
def rest(session: Any) -> Rest:
    return Rest(a_member(session.lab, Role.RIG, "rig"))


def rules() -> list[str]:
    return sorted(ReviewFlag.objects.values_list("rule", flat=True))


def test_patch_changes_what_is_sent_and_answers_the_full_record(rest: Rest, session: Any) -> None:
    answer = rest.patch(f"sessions/{session.pk}", {"qc": "WARNING", "extended_qc": {"x": 0.5}, "n_trials": "12"})
    assert answer.status_code == 200
    record = answer.json()
    assert (record["qc"], record["extended_qc"], record["n_trials"]) == ("WARNING", {"x": 0.5}, 12)
    assert (record["narrative"], record["json"]) == ("first", {"a": 1})
    assert record["wateradmin_session_related"] == []


def test_json_is_replaced_as_a_whole_and_null_clears_it(rest: Rest, session: Any) -> None:
    assert rest.patch(f"sessions/{session.pk}", {"json": {"b": 2}}).json()["json"] == {"b": 2}
    assert rest.patch(f"sessions/{session.pk}", {"json": None}).json()["json"] is None


def test_put_takes_a_partial_body(rest: Rest, session: Any) -> None:
    project = a_project()
    body = {
        "subject": "M1",
        "users": ["rig"],
        "type": "Experiment",
        "number": "001",
        "start_time": "2026-03-09T00:00:00",
        "projects": [project.name],
    }
    record = rest.put(f"sessions/{session.pk}", body).json()
    assert record["start_time"] == "2026-03-09T09:30:00", "a date alone does not replace the precise time"
    assert (record["narrative"], record["projects"], record["users"]) == ("first", [project.name], ["rig"])


def test_what_would_move_the_folder_is_kept_beside_and_flagged(rest: Rest, session: Any) -> None:
    a_subject(session.lab, "M2")
    body = {"subject": "M2", "number": 4, "start_time": "2026-03-10T11:00:00"}
    record = rest.patch(f"sessions/{session.pk}", body).json()
    assert (record["subject"], record["number"], record["start_time"]) == ("M1", 1, "2026-03-09T09:30:00")
    assert rules() == ["session-would-move"] * 3
    kept = {flag.facts["field"]: flag.facts["sent"] for flag in ReviewFlag.objects.all()}
    assert kept == {"subject": "M2", "number": 4, "start_time": "2026-03-10 11:00:00"}


def test_another_start_on_the_same_day_is_taken_and_flagged(rest: Rest, session: Any) -> None:
    assert (
        rest.patch(f"sessions/{session.pk}", {"start_time": "2026-03-09T09:45:00"}).json()["start_time"]
        == "2026-03-09T09:45:00"
    )
    session.refresh_from_db()
    assert session.started_at == datetime.fromisoformat("2026-03-09T09:45:00+00:00")
    assert rules() == ["session-collision"]


def test_a_list_sent_replaces_the_list(rest: Rest, session: Any) -> None:
    first, second = a_project(), a_project()
    session.projects.set([first])
    assert rest.patch(f"sessions/{session.pk}", {"projects": second.name}).json()["projects"] == [second.name]
    assert rest.patch(f"sessions/{session.pk}", {"projects": []}).json()["projects"] == []


def test_moving_to_another_lab_needs_a_role_there(rest: Rest, session: Any) -> None:
    a_lab("elsewhere")
    assert rest.patch(f"sessions/{session.pk}", {"lab": "elsewhere"}).status_code == 403
    assert rest.patch(f"sessions/{session.pk}", {"lab": "nowhere"}).status_code == 400


@pytest.mark.usefixtures("open_reading")
def test_another_labs_member_changes_nothing(session: Any) -> None:
    stranger = Rest(a_member(a_lab("elsewhere")))
    assert stranger.patch(f"sessions/{session.pk}", {"narrative": "mine"}).status_code == 403
    assert stranger.get(f"sessions/{session.pk}").json()["narrative"] == "first"


def test_a_session_that_is_not_there_is_a_404_as_json(rest: Rest, session: Any) -> None:
    for path in ("sessions/00000000-0000-0000-0000-000000000000", "sessions/nonsense", "sessions/1.2"):
        for verb in ("GET", "PATCH", "PUT", "DELETE"):
            answer = rest.send(verb, path, {})
            assert answer.status_code == 404, (verb, path)
            assert answer.json()["status_code"] == 404


def test_an_unknown_subject_is_a_400(rest: Rest, session: Any) -> None:
    answer = rest.put(f"sessions/{session.pk}", {"subject": "M3"})
    assert answer.status_code == 400
    assert "nearest: M1" in answer.json()["subject"][0]


def test_correcting_a_labs_zone_moves_the_instants_and_neither_wall_clock_nor_path_date(session: Any) -> None:
    head = Rest(a_member(session.lab, Role.HEAD))
    assert head.patch("labs/cortexlab", {"timezone": "Asia/Tokyo"}).status_code == 200
    session.refresh_from_db()
    assert session.zone == "Asia/Tokyo"
    assert session.started_at == datetime.fromisoformat("2026-03-09T00:30:00+00:00")
    assert session.ended_at == datetime.fromisoformat("2026-03-09T01:30:00+00:00")
    assert session.started_wall == datetime(2026, 3, 9, 9, 30)
    assert head.get(f"sessions/{session.pk}").json()["start_time"] == "2026-03-09T09:30:00"
