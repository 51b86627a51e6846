"""Entries of journals: applied once, answered for good, never lost."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from alyx.core import clock
from alyx.core.models import JournalEntry, Note
from alyx.labs.models import Role, User
from sessions.models import Session
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_session, a_subject


class Tablet:
    """A bench page of somebody, without a browser."""

    def __init__(self, user: User, skew_s: float = 0) -> None:
        self.user, self.skew_s, self.seq = user, skew_s, 0
        self.client = Client(raise_request_exception=False)
        self.client.force_login(user)

    def entry(self, kind: str, about: Any = None, /, **body: Any) -> dict[str, Any]:
        """As the page makes it."""
        self.seq += 1
        return {
            "key": str(uuid.uuid4()),
            "kind": kind,
            "about": str(about) if about else None,
            "body": json.loads(json.dumps(body, default=str)),
            "made_at": self.now(),
            "seq": self.seq,
            "user": str(self.user.pk),
        }

    def now(self) -> str:
        """By the tablet's clock."""
        return (clock.now() - timedelta(seconds=self.skew_s)).isoformat()

    def post(self, path: str, body: Any) -> Any:
        """Any body."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(path, data, content_type="application/json")

    def send(self, *entries: dict[str, Any], **more: Any) -> Any:
        """The answer to a batch."""
        return self.post("/bench/entries", {"device": "tablet-1", "sent_at": self.now(), "entries": entries, **more})

    def answers(self, *entries: dict[str, Any]) -> list[dict[str, Any]]:
        """The answers to the entries of a batch that must be taken."""
        answer = self.send(*entries)
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["answers"]
        return found

    def one(self, kind: str, about: Any = None, /, **body: Any) -> dict[str, Any]:
        """The answer to one new entry."""
        return self.answers(self.entry(kind, about, **body))[0]


@pytest.fixture
def session(db: None) -> Session:
    return a_session(a_subject(a_lab("cortexlab", timezone="Europe/London"), "M1"))


@pytest.fixture
def tablet(session: Session) -> Tablet:
    return Tablet(a_member(session.lab, Role.EXPERIMENTER))


def test_an_entry_is_done_and_answered(tablet: Tablet, session: Session) -> None:
    answer = tablet.one("session.note", session.pk, text="first lick")
    assert answer["state"] == "done", answer
    note = Note.objects.get()
    assert (note.text, note.user, note.zone, answer["result"]["note"]["id"]) == (
        "first lick",
        tablet.user,
        "Europe/London",
        str(note.pk),
    )
    row = JournalEntry.objects.get()
    assert (row.state, row.user, row.device, row.kind) == ("done", tablet.user, "tablet-1", "session.note")


def test_a_repeat_is_answered_the_same_and_done_once(tablet: Tablet, session: Session) -> None:
    entry = tablet.entry("session.note", session.pk, text="x")
    first, again = tablet.answers(entry), tablet.answers(entry, entry)
    assert again == [*first, *first]
    assert Note.objects.count() == 1
