"""Stock ONE-api 3.6.1 weighing an animal and giving it water, as iblrig does."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from demo.story import Story
from tests.clients.conftest import START, Day
from tests.clients.test_one_day import status

pytestmark = pytest.mark.clients


def test_weights_are_registered_once_and_read_by_their_url(day: Day, rig: Any, lab: Story) -> None:
    subject, at = lab.subjects[0], START - timedelta(minutes=10)
    record = day.client.register_weight(subject, 24.53219, date_time=at)
    assert record == {
        "subject": subject, "date_time": at.isoformat(), "weight": 24.53, "user": lab.rig_user, "url": record["url"],
    }  # fmt: skip
    assert day.client.register_weight(subject, 24.53219, date_time=at) == record
    assert rig.alyx.rest("weighings", "read", id=record["url"]) == record
    listed = rig.alyx.rest("weighings", "list", nickname=subject, no_cache=True)
    assert [one["url"] for one in listed] == [record["url"]]


def test_the_reward_of_a_session_and_the_supplement_after_it(day: Day, rig: Any, lab: Story) -> None:
    subject, end = lab.subjects[0], START + timedelta(hours=1)
    reward = day.client.register_water_administration(subject, 0.81234, date_time=end, session=day.eid)
    assert (reward["water_administered"], reward["water_type"], reward["adlib"]) == (0.8123, "Water", False)
    assert reward["session"] == str(day.eid)
    body = {
        "subject": subject, "date_time": (end + timedelta(hours=4)).isoformat(), "water_administered": 0.4,
        "water_type": None, "user": lab.rig_user, "session": None, "adlib": False,
    }  # fmt: skip
    supplement = rig.alyx.rest("water-administrations", "create", data=body)
    assert supplement == {**body, "water_type": "Water", "url": supplement["url"]}
    session = rig.alyx.rest("sessions", "read", id=day.eid, no_cache=True)
    assert session["wateradmin_session_related"] == [
        {"id": reward["url"][-36:], "name": "", "water_type": "Water", "water_administered": 0.8123}
    ]
    asked = {"start_date": str(START.date()), "end_date": str(START.date())}
    (of_day,) = rig.alyx.get(
        f"/water-requirement/{subject}?start_date={asked['start_date']}&end_date={asked['end_date']}"
    )["records"]
    given = (of_day["given_water_reward"], of_day["given_water_supplement"], of_day["is_water_restricted"])
    assert given == (0.8123, 0.4, False)


def test_what_the_client_cannot_mean_is_refused_in_words(day: Day, lab: Story) -> None:
    from one.alf.exceptions import AlyxSubjectNotFound

    with pytest.raises(AlyxSubjectNotFound):
        day.client.register_weight("nobody", 20.0)
    with pytest.raises(requests.HTTPError) as refused:
        day.client.register_water_administration(lab.subjects[0], 0.5, water_type="Beer")
    assert status(refused) == 400
    assert "Beer" in str(refused.value)


def test_an_absurd_weight_is_kept_for_the_rig(day: Day, lab: Story) -> None:
    record = day.client.register_weight(lab.subjects[1], 2453.0, date_time=datetime(2026, 3, 9, 12))
    assert record["weight"] == 2453.0
