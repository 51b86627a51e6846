"""Stock ONE-api 3.6.1: what the other checks take for granted of schema and answers."""

from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from demo import recordings
from demo.story import Story
from tests.clients.conftest import PROTOCOL, START, Day
from tests.contracts.test_schema import FILTERS

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("endpoint", FILTERS)
def test_every_list_offers_the_filters_of_the_contract(endpoint: str, rig: Any) -> None:
    offered = set(rig.alyx.rest_schemes.field_names(endpoint, "list"))
    assert {*FILTERS[endpoint].split(), "limit", "offset"} - offered == set()


def test_posting_a_session_that_is_there_answers_with_it(day: Day, rig: Any, lab: Story) -> None:
    body = {
        "subject": lab.subjects[0], "users": [lab.rig_user], "type": "Experiment", "number": "001",
        "start_time": START.isoformat(), "task_protocol": PROTOCOL,
    }  # fmt: skip
    assert rig.alyx.rest("sessions", "create", data=body)["id"] == str(day.eid)
    asked = {"subject": lab.subjects[0], "date_range": f"{START.date()},{START.date()}", "number": 1}
    assert [one["id"] for one in rig.alyx.rest("sessions", "list", **asked)] == [str(day.eid)]


def test_unknown_parameters_are_ignored(day: Day, rig: Any) -> None:
    assert rig.alyx.get(f"/sessions?id={day.eid}&query_type=remote&clobber=True&colour={uuid4()}")[0]["number"] == 1


def test_answers_to_a_registration_come_in_the_order_of_the_files(day: Day, lab: Story) -> None:
    files = [day.path / relative for relative in list(day.registered)[:4]]
    for order in (files, files[::-1]):
        answers = day.client.register_files(order, repository=lab.lab_repository, versions="1.2.3")
        assert [answer["name"] for answer in answers] == [file.name for file in order]


def test_nothing_is_protected_unless_somebody_said_so(day: Day) -> None:
    (checked,) = day.client.check_protected_files([day.path / "alf/probe00/spikes.times.npy"])
    assert checked["status_code"] == 200


def test_a_page_holds_what_its_place_says(day: Day, rig: Any) -> None:
    """ONE takes the first page of a long list and asks for any other by its place."""
    types = rig.alyx.rest("dataset-types", "list", limit=7, no_cache=True)
    assert len({one["name"] for one in types}) == types.count > 7


def test_the_revision_registered_as_the_default_is_what_loads(day: Day, lab: Story, analyst: Any) -> None:
    name = "_ibl_leftCamera.times.npy"
    for relative in (f"alf/{name}", f"alf/#{recordings.REVISION}#/{name}"):
        day.client.register_files([day.path / relative], repository=lab.lab_repository, versions="1.2.3")
        np.testing.assert_array_equal(analyst.load_dataset(day.eid, name), day.arrays[relative])
