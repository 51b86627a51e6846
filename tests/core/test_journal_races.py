"""Two senders of the same entries, and senders that die half-way: once, and a prefix."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from alyx.core.journal import kinds as known
from alyx.core.journal.kinds import Applied
from alyx.core.models import JournalEntry, Note
from alyx.labs.models import Role
from sessions.models import Session
from tests.core.test_journal import Tablet
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_session, a_subject

pytestmark = pytest.mark.django_db(transaction=True)
SENDERS = 4


@pytest.fixture
def session(transactional_db: None) -> Session:
    return a_session(a_subject(a_lab()))


@pytest.fixture
def tablet(session: Session) -> Tablet:
    return Tablet(a_member(session.lab, Role.EXPERIMENTER))


@pytest.fixture
def own_kinds() -> Iterator[None]:
    before = dict(known.KINDS)
    yield
    known.KINDS.clear()
    known.KINDS.update(before)


def test_senders_at_once_do_each_entry_once(tablet: Tablet, session: Session) -> None:
    entries = [tablet.entry("session.note", session.pk, text=f"note {number}") for number in range(10)]
    body = json.dumps({"device": "t", "sent_at": tablet.now(), "entries": entries})
    start, answers = threading.Barrier(SENDERS), []

    def send(order: int) -> None:
        try:
            start.wait()
            mine = entries if order % 2 else entries[::-1]
            said = body if order % 2 else json.dumps({"device": "u", "sent_at": tablet.now(), "entries": mine})
            answers.append(tablet.post("/bench/entries", said))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(order,)) for order in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * SENDERS
    by_key = [{one["key"]: one["result"] for one in answer.json()["answers"]} for answer in answers]
    assert all(one == by_key[0] for one in by_key)
    assert (Note.objects.count(), JournalEntry.objects.count()) == (10, 10)


def test_a_batch_that_dies_leaves_a_prefix_and_goes_on(tablet: Tablet, session: Session, own_kinds: None) -> None:
    alive = False

    def fragile(applied: Applied) -> dict[str, Any]:
        if not alive:
            raise OperationalError("server closed the connection unexpectedly")
        return {}

    known.register("test.fragile", fragile)
    entries = [
        tablet.entry("session.note", session.pk, text="first"),
        tablet.entry("test.fragile"),
        tablet.entry("session.note", session.pk, text="last"),
    ]
    answer = tablet.send(*entries)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert list(JournalEntry.objects.values_list("body__text", flat=True)) == ["first"]
    alive = True
    assert [one["state"] for one in tablet.answers(*entries)] == ["done"] * 3
    assert sorted(Note.objects.values_list("text", flat=True)) == ["first", "last"]


def test_an_entry_and_its_answer_are_one_transaction(
    tablet: Tablet, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tablet.entry("session.note", session.pk, text="x")
    with monkeypatch.context() as patched:
        patched.setattr(JournalEntry, "save", _dies)
        assert tablet.send(entry).status_code == 503
    assert Note.objects.count() == 0
    assert tablet.answers(entry)[0]["state"] == "done"
    assert Note.objects.count() == 1


def _dies(*args: Any, **more: Any) -> None:
    raise OperationalError("died between the effect and the answer")
