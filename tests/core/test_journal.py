"""Entries of journals: applied once, answered for good, never lost."""

import hashlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from alyx.core import clock
from alyx.core.flags import Doubt, raise_flags
from alyx.core.journal import kinds as known
from alyx.core.journal import pictures
from alyx.core.journal.kinds import Applied
from alyx.core.models import JournalEntry, Note
from alyx.core.notes import add_note
from alyx.core.reading import readable
from alyx.labs.models import Role, User
from sessions.models import Session
from tests.factories.people import PASSWORD, a_lab, a_member
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


class Kinds:
    """Kinds of a test's own."""

    def __init__(self) -> None:
        self.done = 0

    def register(self, kind: str, apply: Callable[[Applied], dict[str, Any]]) -> None:
        """Until the test is over."""
        known.register(kind, apply)

    def doubt(self, applied: Applied) -> dict[str, Any]:
        """Doubts odd numbers."""
        session = Session.objects.get(pk=applied.subject_of())
        found = Doubt("odd", "n is odd", {"n": applied.body["n"]}, "look again")
        raise_flags(Session, [(session.pk, found)], lab_id=session.lab_id)
        self.done += 1
        return {"n": applied.body["n"]}

    def broken(self, applied: Applied) -> dict[str, Any]:
        """A mistake of ours."""
        raise ZeroDivisionError

    def half(self, applied: Applied) -> dict[str, Any]:
        """Writes, then fails."""
        add_note(actor=applied.actor, about=Session.objects.get(pk=applied.subject_of()), text="half")
        raise ZeroDivisionError


@pytest.fixture
def kinds() -> Iterator[Kinds]:
    before = dict(known.KINDS)
    yield Kinds()
    known.KINDS.clear()
    known.KINDS.update(before)


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


def test_a_doubt_is_asked_and_confirmed(tablet: Tablet, session: Session, kinds: Kinds) -> None:
    kinds.register("test.doubted", kinds.doubt)
    asked = tablet.one("test.doubted", session.pk, n=1)
    assert (asked["state"], asked["message"], asked["fields"]) == ("asked", "n is odd", {"n": ["n is odd: look again"]})
    entry = JournalEntry.objects.get()
    said = tablet.one("journal.confirm", None, of=asked["key"])
    assert (said["state"], said["result"]) == ("done", {"of": asked["key"], "result": {"n": 1}})
    entry.refresh_from_db()
    assert (entry.state, entry.confirmed, entry.result, entry.decided_by) == ("done", True, {"n": 1}, tablet.user)
    assert tablet.one("journal.confirm", None, of=asked["key"])["state"] == "done"  # it is right, still
    assert kinds.done == 1


def test_an_entry_that_says_at_once_that_it_is_right(tablet: Tablet, session: Session, kinds: Kinds) -> None:
    kinds.register("test.doubted", kinds.doubt)
    [answer] = tablet.answers(tablet.entry("test.doubted", session.pk, n=1) | {"confirmed": True})
    assert answer["state"] == "done"


def test_what_cannot_be_applied_is_kept_whole_and_the_rest_is_done(
    tablet: Tablet, session: Session, kinds: Kinds
) -> None:
    kinds.register("test.broken", kinds.broken)
    entries = [
        tablet.entry("session.note", session.pk, text="before"),
        tablet.entry("session.note", uuid.uuid4(), text="no such session"),
        tablet.entry("test.broken", session.pk, anything=[1, {"a": None}]),
        tablet.entry("nobody.knows", session.pk, text="new tablet, old server"),
        tablet.entry("session.note", session.pk, text=17),
        tablet.entry("session.note", session.pk, text="after"),
    ]
    answers = tablet.answers(*entries)
    assert [answer["state"] for answer in answers] == ["done", "kept", "kept", "kept", "kept", "done"]
    assert "find the right session" in answers[1]["message"]
    assert "fault" in answers[2]["message"]
    assert "does not know" in answers[3]["message"]
    assert answers[4]["fields"] == {"text": ["17 is no text"]}
    rows = {str(row.key): row.body for row in JournalEntry.objects.all()}
    assert rows == {entry["key"]: entry["body"] for entry in entries}
    assert set(Note.objects.values_list("text", flat=True)) == {"before", "after"}


def test_a_handler_that_fails_leaves_nothing_of_what_it_did(tablet: Tablet, session: Session, kinds: Kinds) -> None:
    kinds.register("test.half", kinds.half)
    assert tablet.one("test.half", session.pk)["state"] == "kept"
    assert Note.objects.count() == 0


def test_kept_ones_are_tried_again_for_another_thing_or_put_aside(tablet: Tablet, session: Session) -> None:
    kept = tablet.one("session.note", uuid.uuid4(), text="x")
    assert tablet.one("journal.again", None, of=kept["key"])["state"] == "kept"
    again = tablet.one("journal.again", None, of=kept["key"], about=session.pk)
    assert (again["state"], again["result"]["result"]["note"]["text"]) == ("done", "x")
    row = JournalEntry.objects.get(key=kept["key"])
    assert (row.state, row.about, row.message) == ("done", session.pk, "")
    other = tablet.one("session.note", uuid.uuid4(), text="y")
    assert [one["body"] for one in tablet.client.get("/bench/data/kept").json()["entries"]] == [{"text": "y"}]
    assert tablet.one("journal.discard", None, of=other["key"], why=" ")["fields"] == {
        "why": ["say why it is discarded"]
    }
    assert tablet.one("journal.discard", None, of=other["key"], why="weighed again")["result"]["ended"] == "discarded"
    row = JournalEntry.objects.get(key=other["key"])
    assert (row.state, row.decision, row.body) == ("discarded", "weighed again", {"text": "y"})
    assert tablet.one("journal.discard", None, of=kept["key"], why="no")["state"] == "kept"  # it was applied
    assert tablet.one("journal.again", None, of=other["key"])["state"] == "kept"  # it is done with


def test_undo(tablet: Tablet, session: Session) -> None:
    done = tablet.one("session.note", session.pk, text="x")
    assert tablet.one("journal.undo", None, of=done["key"])["result"]["ended"] == "undone"
    assert Note.objects.filter(withdrawn_at__isnull=True).count() == 0
    assert tablet.one("journal.undo", None, of=done["key"])["result"]["ended"] == "undone"  # twice is once
    kept = tablet.one("session.note", uuid.uuid4(), text="y")
    assert tablet.one("journal.undo", None, of=kept["key"])["result"]["ended"] == "discarded"
    withdrawal = tablet.one("session.note.withdraw", done["result"]["note"]["id"])
    assert withdrawal["state"] == "kept"
    nothing = tablet.one("journal.undo", None, of=uuid.uuid4())
    assert (nothing["state"], "has been received" in nothing["message"]) == ("kept", True)


def test_what_has_no_undo_says_so(tablet: Tablet, session: Session) -> None:
    note = tablet.one("session.note", session.pk, text="x")["result"]["note"]["id"]
    edit = tablet.one("session.note.text", note, field="text", value="y", base="x", session=session.pk)
    undone = tablet.one("journal.undo", None, of=edit["key"])
    assert (undone["state"], "cannot be undone" in undone["message"]) == ("kept", True)


def test_results_of_earlier_entries_are_found(tablet: Tablet, session: Session, kinds: Kinds) -> None:
    kinds.register("test.later", lambda applied: {"found": applied.made_by(applied.said("of", uuid.UUID))})
    done = tablet.one("session.note", session.pk, text="x")
    assert tablet.one("test.later", None, of=done["key"])["result"]["found"] == done["result"]
    kept = tablet.one("session.note", uuid.uuid4(), text="x")
    assert tablet.one("test.later", None, of=kept["key"])["state"] == "kept"


def test_nobody_decides_on_entries_of_somebody_else(tablet: Tablet, session: Session) -> None:
    done = tablet.one("session.note", session.pk, text="mine")
    other = Tablet(a_member(session.lab, Role.HEAD))
    for kind in ("journal.undo", "journal.confirm", "journal.again", "journal.discard"):
        assert other.one(kind, None, of=done["key"], why="x")["state"] == "kept"
    assert Note.objects.filter(withdrawn_at__isnull=True).count() == 1
    same_key = other.entry("session.note", session.pk, text="theirs") | {"key": done["key"]}
    assert other.answers(same_key)[0]["result"]["note"]["text"] == "theirs"  # a key is a person's own


def test_entries_of_another_person_are_refused_as_a_whole(tablet: Tablet, session: Session) -> None:
    other = a_member(session.lab)
    mixed = [
        tablet.entry("session.note", session.pk, text="x"),
        tablet.entry("session.note", session.pk, text="y") | {"user": str(other.pk)},
    ]
    answer = tablet.send(*mixed)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["entries[1].user"])
    assert JournalEntry.objects.count() == 0


def test_without_a_right_it_is_kept(session: Session) -> None:
    reader = Tablet(a_member(session.lab, Role.READER))
    answer = reader.one("session.note", session.pk, text="x")
    assert (answer["state"], Note.objects.count()) == ("kept", 0)
    stranger = Tablet(a_member(a_lab()))
    assert "there is no session" in stranger.one("session.note", session.pk, text="x")["message"]


def test_who_reads_what_waits(tablet: Tablet, session: Session) -> None:
    tablet.one("session.note", session.pk, text=5)
    tablet.one("session.note", session.pk, text="done")
    head, other = a_member(session.lab, Role.HEAD), a_member(session.lab, Role.EXPERIMENTER)
    rows = JournalEntry.objects.all()
    seen = [readable(user, rows).count() for user in (tablet.user, head, other, a_member(a_lab(), Role.HEAD))]
    assert seen == [2, 1, 0, 0]
    assert [one["body"] for one in tablet.client.get("/bench/data/kept").json()["entries"]] == [{"text": 5}]


def test_who_may_call_at_all(session: Session) -> None:
    nobody = Client()
    for verb, path in (("post", "/bench/entries"), ("get", "/bench/data/kept"), ("put", "/bench/pictures/" + "0" * 64)):
        answer = getattr(nobody, verb)(path, content_type="application/json")
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/json"), path
    assert nobody.get("/bench/pulse").json()["user"] is None
    assert nobody.get("/bench/kept/").status_code == 302
    public = Tablet(a_member(session.lab, is_public_user=True))
    assert public.send().status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(a_member(session.lab))
    assert strict.post("/bench/entries", "{}", content_type="application/json").status_code == 403
    token = strict.get("/bench/pulse").json()["csrf"]
    answer = strict.post("/bench/entries", "{}", content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 400
    assert Client().get("/bench/entries").status_code == 405


GOOD = {"device": "t", "sent_at": "2026-03-09T14:02:03Z", "entries": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "device"),
        (b"{", ""),
        (b"\xff", ""),
        (b"[1]", ""),
        (b'{"a": NaN}', ""),
        ({**GOOD, "device": ""}, "device"),
        ({**GOOD, "device": "x" * 65}, "device"),
        ({**GOOD, "sent_at": "yesterday"}, "sent_at"),
        ({**GOOD, "sent_at": "2026-03-09T14:02:03"}, "sent_at"),
        ({**GOOD, "sent_at": "2026-13-40T14:02:03Z"}, "sent_at"),
        ({**GOOD, "sent_at": 5}, "sent_at"),
        ({**GOOD, "entries": {}}, "entries"),
        ({**GOOD, "entries": [{}] * 201}, "entries"),
        ({**GOOD, "entries": ["x"]}, "entries[0]"),
        ({**GOOD, "entries": [{"key": "x"}]}, "entries[0].key"),
        ({**GOOD, "entries": [{"key": str(uuid.UUID(int=5)), "user": None}]}, "entries[0].user"),
        (b'{"device": "t\\u0000"}', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_bad_batches_are_told_what_is_wrong(tablet: Tablet, body: Any, field: str) -> None:
    answer = tablet.post("/bench/entries", body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["detail"]
    assert list(answer.json()["errors"]) == ([field] if field else [])
    assert JournalEntry.objects.count() == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": 5}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": "x" * 65}, "kind"),
        ({"body": []}, "body"),
        ({"body": None}, "body"),
        ({"about": "M1"}, "about"),
        ({"about": 7}, "about"),
        ({"made_at": "noon"}, "made_at"),
        ({"made_at": "2026-03-09T14:02:03"}, "made_at"),
        ({"seq": "1"}, "seq"),
        ({"seq": -1}, "seq"),
        ({"seq": 2**63}, "seq"),
        ({"seq": True}, "seq"),
    ],
)
def test_an_entry_with_a_key_is_kept_whatever_else_is_wrong(
    tablet: Tablet, session: Session, wrong: dict[str, Any], words: str
) -> None:
    [answer] = tablet.answers(tablet.entry("session.note", session.pk, text="x") | wrong)
    assert (answer["state"], words in answer["message"]) == ("kept", True), answer
    assert (JournalEntry.objects.get().state, Note.objects.count()) == ("kept", 0)


@pytest.mark.parametrize("made_at", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "2099-01-01T00:00:00Z"])
@pytest.mark.parametrize("skew_s", [-1e9, 0, 1e9])
def test_any_clock_is_taken(tablet: Tablet, session: Session, made_at: str, skew_s: float) -> None:
    tablet.skew_s = skew_s
    [answer] = tablet.answers(tablet.entry("session.note", session.pk, text="x") | {"made_at": made_at})
    assert answer["state"] in {"done", "kept"}
    assert JournalEntry.objects.get().at <= clock.now()


def test_a_wrong_clock_is_corrected(session: Session) -> None:
    slow = Tablet(a_member(session.lab), skew_s=3 * 3600)
    before = clock.now()
    slow.one("session.note", session.pk, text="x")
    row = JournalEntry.objects.get()
    assert abs(row.skew_s - 3 * 3600) < 60
    assert before - timedelta(seconds=60) < row.at <= clock.now()
    assert Note.objects.get().at_wall == clock.utc_to_wall(row.at, "Europe/London")


def test_the_times_of_a_tablet_that_was_offline(tablet: Tablet, session: Session) -> None:
    entry = tablet.entry("session.note", session.pk, text="x")
    clock.advance(timedelta(hours=5))
    tablet.answers(entry)
    assert timedelta(hours=4.9) < clock.now() - Note.objects.get().at < timedelta(hours=5.1)


def test_statements_do_not_grow_with_what_is_there(tablet: Tablet, session: Session) -> None:
    def cost(count: int) -> int:
        entries = [tablet.entry("session.note", session.pk, text="x") for _ in range(count)]
        with CaptureQueriesContext(connection) as seen:
            tablet.answers(*entries)
        return len(seen)

    cost(1)
    one, eleven = cost(1), cost(11)
    each = (eleven - one) / 10
    assert each == int(each)
    assert each <= 14, each
    before = [tablet.entry("session.note", session.pk, text="x") for _ in range(50)]
    tablet.answers(*before)
    with CaptureQueriesContext(connection) as seen:
        tablet.answers(*before)
    assert len(seen) <= 6  # a whole batch again is one question


def a_picture(colour: str = "teal") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 40), colour).save(made, "JPEG")
    return made.getvalue()


def put(tablet: Tablet, data: bytes, digest: str = "") -> Any:
    digest = digest or hashlib.sha256(data).hexdigest()
    return tablet.client.put(f"/bench/pictures/{digest}", data, content_type="application/octet-stream")


def test_pictures_come_first_and_once(tablet: Tablet, session: Session, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    data = a_picture()
    assert [put(tablet, data).status_code, put(tablet, data).status_code] == [201, 200]
    digest = hashlib.sha256(data).hexdigest()
    answer = tablet.one("session.note", session.pk, picture=digest)
    with Note.objects.get().image.open() as kept:
        assert (answer["state"], kept.read()) == ("done", data)
    other = Tablet(a_member(session.lab))
    assert other.one("session.note", session.pk, picture=digest)["fields"] == {
        "picture": ["the picture has not arrived, or was no picture that can be read"]
    }


@pytest.mark.parametrize(
    ("data", "digest", "words"),
    [
        (b"no picture", "", "not a JPEG"),
        (b"", "", "not a JPEG"),
        (a_picture(), "0" * 64, "changed on their way"),
        (a_picture(), "../../etc", "there is nothing at"),
        (a_picture(), "ABC", "must end with"),
    ],
)
def test_bad_pictures(tablet: Tablet, data: bytes, digest: str, words: str, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    answer = put(tablet, data, digest)
    assert answer.status_code in {400, 404}
    assert words in answer.json()["detail"]
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_old_pictures_are_swept(tablet: Tablet, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    put(tablet, a_picture())
    assert pictures.sweep() == 0
    clock.advance(pictures.KEPT_FOR + timedelta(days=1))
    assert pictures.sweep() == 1


def test_logging_in_on_the_page(session: Session) -> None:
    user = a_member(session.lab, name="clara")
    client = Client()

    def login(**body: Any) -> Any:
        return client.post("/bench/login", json.dumps(body), content_type="application/json")

    wrong = [login(username="clara", password="x"), login(username="nobody", password="x")]
    assert [answer.status_code for answer in wrong] == [400, 400]
    assert wrong[0].json()["detail"] == wrong[1].json()["detail"]
    assert login(username="clara").json()["errors"] == {"password": ["is missing"]}
    assert client.post("/bench/login", "[]", content_type="application/json").status_code == 400
    said = login(username="clara", password=PASSWORD)
    assert (said.status_code, said.json()["user"], bool(said.json()["csrf"])) == (200, str(user.pk), True)
    assert client.get("/bench/pulse").json()["name"] == "clara"


def test_attempts_to_log_in_are_bounded(session: Session) -> None:
    cache.clear()
    client = Client()
    codes = [
        client.post(
            "/bench/login", json.dumps({"username": "x", "password": "y"}), content_type="application/json"
        ).status_code
        for _ in range(32)
    ]
    cache.clear()
    assert (set(codes[:30]), set(codes[30:])) == ({400}, {429})


def test_the_service_worker_knows_its_files(client: Client) -> None:
    answer = client.get("/bench/sw.js")
    text = answer.content.decode()
    assert (answer["Service-Worker-Allowed"], answer["Content-Type"]) == ("/", "text/javascript; charset=utf-8")
    said = json.loads(text.removeprefix("self.BENCH = ").split(";\n", 1)[0])
    assert "/static/bench/notes.js" in said["assets"]
    assert "/bench/kept/" in said["shells"]
    assert client.get("/bench/sw.js").content.decode() == text


def test_a_live_page_says_whose_it_is_and_holds_no_notes(tablet: Tablet, session: Session) -> None:
    tablet.one("session.note", session.pk, text="secret words")
    answer = tablet.client.get(f"/sessions/{session.pk}/live")
    assert (answer.status_code, answer["X-Bench-User"]) == (200, str(tablet.user.pk))
    assert "secret words" not in answer.content.decode()
    shown = tablet.client.get(f"/bench/data/sessions/{session.pk}/notes").json()
    assert [note["text"] for note in shown["notes"]] == ["secret words"]
    assert shown["zone"] == "Europe/London"
    stranger = Tablet(a_member(a_lab()))
    for path in (
        f"/sessions/{session.pk}/live",
        f"/bench/data/sessions/{session.pk}/notes",
        "/bench/data/sessions/x/notes",
    ):
        assert stranger.client.get(path).status_code == 404
