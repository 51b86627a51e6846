"""Two clients at once, on connections of their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from alyx.labs.models import Role, User
from sessions.models import Session
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db(transaction=True)
CLIENTS = 4


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run the calls together; their results."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            gate.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(run, call) for call in calls]]


@pytest.fixture
def rig() -> User:
    lab = a_lab("cortexlab")
    a_subject(lab, "M1")
    return a_member(lab, Role.RIG, "rig")


def test_racing_posts_of_one_session_give_one_row_and_2xx_to_all(rig: User) -> None:
    clients = [Rest(rig) for _ in range(CLIENTS)]
    for number in range(1, 6):
        body = {
            "subject": "M1",
            "users": ["rig"],
            "number": number,
            "start_time": "2026-03-09T09:30:00",
            "projects": ["p"],
        }
        answers = at_once([lambda one=one, body=body: one.post("sessions", body) for one in clients])  # type: ignore[misc]
        assert sorted(answer.status_code for answer in answers) == [200] * (CLIENTS - 1) + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
    assert Session.objects.count() == 5


def test_racing_posts_without_a_number_get_one_each(rig: User) -> None:
    starts = [f"2026-03-09T09:3{minute}:00" for minute in range(CLIENTS)]
    clients = [Rest(rig) for _ in starts]
    answers = at_once(
        [
            lambda one=one, start=start: one.post("sessions", {"subject": "M1", "start_time": start})  # type: ignore[misc]
            for one, start in zip(clients, starts, strict=True)
        ]
    )
    assert sorted(answer.json()["number"] for answer in answers) == [1, 2, 3, 4]


def test_parallel_patches_of_different_fields_lose_nothing(rig: User) -> None:
    session = a_session(a_subject(rig.labs.get(), "M2"))
    fields = {"narrative": "told", "qc": "FAIL", "json": {"a": 1}, "extended_qc": {"b": 2}}
    clients = [Rest(rig) for _ in fields]
    for _ in range(5):
        Session.objects.filter(pk=session.pk).update(narrative="", qc=0, json=None, extended_qc=None)
        answers = at_once(
            [
                lambda one=one, item=item: one.patch(f"sessions/{session.pk}", dict([item]))  # type: ignore[misc]
                for one, item in zip(clients, fields.items(), strict=True)
            ]
        )
        assert {answer.status_code for answer in answers} == {200}
        record = Rest(rig).get(f"sessions/{session.pk}").json()
        assert {name: record[name] for name in fields} == fields
