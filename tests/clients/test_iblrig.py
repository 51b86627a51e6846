"""What iblrig 8 asks of the registry, sent by stock ONE-api 3.6.1 with iblrig's own arguments, in its order.

iblrig itself needs Bpod, Bonsai and Windows; its registration of a session is ibllib's, run in test_ibllib_main_case.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from demo.story import Story
from tests.clients.conftest import Day
from tests.clients.test_one_day import status

pytestmark = pytest.mark.clients

SETTINGS = {
    "RIG_NAME": "a_rig",
    "MAIN_SYNC": True,
    "device_bpod": {"COM_BPOD": "COM3", "BPOD_TTL_TEST_DATE": None},
    "device_valve": {"WATER_CALIBRATION_WEIGHT_PERDROP": [1.2, 2.4], "WATER_CALIBRATION_DATE": "2026-02-01"},
    "VERSION": "1.1.3",
}


def test_the_wizard_logs_in_with_a_name_and_a_password(lab: Story, rig: Any) -> None:
    from one.webclient import AlyxClient

    client = AlyxClient(base_url=lab.url, username=lab.rig_user, password=lab.rig_password, silent=True)
    client.logout()
    client.authenticate(lab.rig_user, lab.rig_password, False, force=True)
    assert client.is_logged_in
    assert client.user == lab.rig_user


@pytest.mark.parametrize("sent", [{"password": "wrong"}, {}])
def test_a_refused_login_is_known_to_the_wizard_by_its_status_and_words(lab: Story, sent: dict[str, str]) -> None:
    answer = requests.post(f"{lab.url}/auth-token", data={"username": lab.rig_user, **sent}, timeout=30)
    assert answer.status_code == 400
    assert any(word in answer.text for word in ("credentials", "required"))


def test_the_wizard_leaves_its_hardware_settings_with_the_location(lab: Story, rig: Any) -> None:
    patched = rig.alyx.rest("locations", "partial_update", id=lab.location, data={"json": SETTINGS})
    assert patched["json"] == SETTINGS == rig.alyx.rest("locations", "read", id=lab.location, no_cache=True)["json"]


def test_a_rig_nobody_has_entered_is_told_from_a_server_that_is_down(rig: Any) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        rig.alyx.rest("locations", "partial_update", id="no_such_rig", data={"json": SETTINGS})
    assert status(refused) in {400, 404}


def test_the_wizard_lists_living_subjects_and_the_users_projects(lab: Story, rig: Any) -> None:
    subjects = rig.alyx.rest("subjects", "list", alive=True, stock=False, lab=lab.lab)
    assert {lab.subjects[0], lab.subjects[1]} <= {one["nickname"] for one in subjects}
    projects = rig.alyx.rest("projects", "list")
    assert all(set(one) == {"name", "description", "users"} for one in projects)
    mine = [one["name"] for one in projects if lab.rig_user in one["users"] or len(one["users"]) == 0]
    assert lab.project in mine


def test_a_session_begins_and_ends_and_its_reward_is_added_without_a_type(day: Day, lab: Story, rig: Any) -> None:
    start = datetime(2026, 6, 1, 9, 30, 1, 250)
    path = day.path.parents[1] / "2026-06-01" / "001"
    path.mkdir(parents=True)
    facts = {
        "users": [lab.rig_user], "start_time": start, "projects": [lab.project], "location": lab.location,
        "procedures": ["Behavior training/tasks"], "task_protocol": "_iblrig_tasks_trainingChoiceWorld8.24.5",
        "n_trials": 0, "n_correct_trials": 0, "json": {"RIG_NAME": lab.location}, "lab": lab.lab,
    }  # fmt: skip
    begun, _ = day.client.register_session(path, file_list=False, **facts)
    done = {"n_trials": 320, "n_correct_trials": 250, "end_time": start + timedelta(hours=1)}
    ended, _ = day.client.register_session(path, file_list=False, **{**facts, **done})
    assert ended["id"] == begun["id"]
    assert (ended["n_trials"], ended["start_time"]) == (320, start.isoformat())
    before = rig.alyx.rest("water-administrations", "list", session=ended["url"][-36:], no_cache=True)
    assert len(before) == 0
    given = day.client.register_water_administration(
        lab.subjects[0], 812.4 / 1000, session=ended["url"][-36:], water_type=None
    )
    assert (given["water_administered"], given["session"]) == (0.8124, ended["id"])
    assert isinstance(given["water_type"], str)
    session = rig.alyx.rest("sessions", "read", id=ended["id"], no_cache=True)
    assert [one["id"] for one in session["wateradmin_session_related"]] == [given["url"][-36:]]


def test_weight_and_water_without_user_type_and_time_are_the_callers_and_of_now(lab: Story, rig: Any) -> None:
    weight = {"subject": lab.subjects[1], "date_time": "2026-06-01T09:00:00.000250", "weight": 22.4}
    assert rig.alyx.rest("weighings", "create", data=weight)["user"] == lab.rig_user
    water = {"subject": lab.subjects[1], "water_type": None, "water_administered": 0.3}
    given = rig.alyx.rest("water-administrations", "create", data=water)
    assert given["user"] == lab.rig_user
    assert given["date_time"]
