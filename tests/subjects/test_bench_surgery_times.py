"""The time of a line is corrected: for each kind of line, its undo, doubts, two people, bad bodies."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from alyx.core import clock
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab
from subjects.models import Drug, PostOpCheck, Surgery
from tests.factories import a_lab, a_member, a_subject
from tests.subjects.test_bench_surgery import Tablet

pytestmark = pytest.mark.django_db
KINDS = ("event", "drug", "headplate", "craniotomy", "injection", "implant", "perfusion", "start", "end")


@pytest.fixture
def lab() -> Lab:
    return a_lab(timezone="America/New_York")


@pytest.fixture
def begun(lab: Lab) -> Tablet:
    """A surgery that began two hours ago."""
    tablet = Tablet(a_member(lab))
    began(tablet, lab)
    return tablet


def began(tablet: Tablet, lab: Lab) -> None:
    """Two hours ago."""
    tablet.done("surgery.start", {"subject": str(a_subject(lab).pk)}, ago_s=7200)


def a_line(tablet: Tablet, kind: str, lab: Lab, ago_s: float = 1800) -> str:
    """A line of that kind; its key."""
    key = str(uuid4())
    if kind == "start":
        return tablet.surgery
    if kind == "end":
        tablet.done("surgery.end", {"outcome_type": "r", "implant_weight": 1.0}, ago_s=ago_s)
        return tablet.surgery
    if kind == "event":
        tablet.done("surgery.event", {"id": key, "what": "drilling"}, ago_s=ago_s)
    elif kind == "drug":
        drug = Drug.objects.create(lab=lab, name="carprofen", concentration_mg_per_ml=1, dose_mg_per_kg=5)
        tablet.done("surgery.drug", {"id": key, "values": {"drug": str(drug.pk), "weight_g": 24.0}}, ago_s=ago_s)
    else:
        tablet.done("surgery.part", {"id": key, "part": kind, "values": {}}, ago_s=ago_s)
    return key


def when(tablet: Tablet, kind: str, key: str) -> datetime:
    """As the screen reads it."""
    state = tablet.state()
    if kind in {"start", "end"}:
        return datetime.fromisoformat(state["fields"][f"{kind}_time"])
    rows = state["events"] + state["drugs"] + state["parts"]
    [found] = [one["at"] for one in rows if one["id"] == key]
    return datetime.fromisoformat(found)


def moved(tablet: Tablet, kind: str, key: str, minutes: float, **more: Any) -> dict[str, Any]:
    """The body that moves a line by so much from where it is."""
    at = when(tablet, kind, key)
    return {
        "part": kind,
        "id": key,
        "at": (at + timedelta(minutes=minutes)).isoformat(),
        "base": at.isoformat(),
        **more,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_moves_and_moves_back(begun: Tablet, lab: Lab, kind: str) -> None:
    key = a_line(begun, kind, lab)
    before = begun.state()
    at = when(begun, kind, key)
    entry = begun.entry("surgery.time", moved(begun, kind, key, -5))
    [answer] = begun.send(entry)
    assert answer["state"] == "done", answer
    assert when(begun, kind, key) == at - timedelta(minutes=5)
    assert begun.send(entry) == [answer], "the same entry again does nothing"
    assert when(begun, kind, key) == at - timedelta(minutes=5)
    assert begun.undo(answer)["state"] == "done"
    assert {**begun.state(), "read_at": ""} == {**before, "read_at": ""}


def test_the_end_takes_its_checks_along(begun: Tablet, lab: Lab) -> None:
    begun.done("surgery.time", moved(begun, "start", begun.surgery, -3 * 1440))
    a_line(begun, "end", lab)
    first = PostOpCheck.objects.order_by("due_on").values_list("due_on", flat=True)
    days = list(first)
    begun.done("surgery.time", moved(begun, "end", begun.surgery, -2 * 1440))
    assert list(first.all()) == [day - timedelta(days=2) for day in days]


@pytest.mark.parametrize(("minutes", "words"), [(-120, "is before the start of the surgery"), (45, "is in the future")])
def test_an_implausible_time_is_asked_and_changes_nothing_until_it_is_right(
    begun: Tablet, lab: Lab, minutes: int, words: str
) -> None:
    key = a_line(begun, "event", lab)
    at = when(begun, "event", key)
    asked = begun.tap("surgery.time", moved(begun, "event", key, minutes))
    assert (asked["state"], list(asked["fields"])) == ("asked", ["at"]), asked
    assert words in asked["message"]
    assert "(America/New_York)" in asked["message"]
    assert when(begun, "event", key) == at
    begun.done("journal.confirm", {"of": asked["key"]}, about=None)
    assert when(begun, "event", key) == at + timedelta(minutes=minutes)
    assert not ReviewFlag.objects.exists()


def test_by_the_minute_is_close_enough(begun: Tablet, lab: Lab) -> None:
    started = when(begun, "start", begun.surgery)
    key = a_line(begun, "event", lab)
    same_minute = (started - timedelta(seconds=40)).isoformat()
    begun.done("surgery.time", {"part": "event", "id": key, "at": same_minute})
    begun.done("surgery.time", {"part": "event", "id": key, "at": (clock.now() + timedelta(seconds=30)).isoformat()})


def test_what_was_said_hours_ago_is_measured_by_then(begun: Tablet, lab: Lab) -> None:
    key = a_line(begun, "event", lab, ago_s=6000)
    at = (clock.now() - timedelta(seconds=3000)).isoformat()
    asked = begun.tap("surgery.time", {"part": "event", "id": key, "at": at}, ago_s=5000)
    assert asked["state"] == "asked", "it was in the future when it was tapped"


def test_two_people_at_one_time(begun: Tablet, lab: Lab) -> None:
    key = a_line(begun, "event", lab)
    at = when(begun, "event", key)
    stale = moved(begun, "event", key, -10)
    other = Tablet(a_member(lab), surgery=begun.surgery)
    first = other.done("surgery.time", moved(begun, "event", key, -1))
    kept = begun.tap("surgery.time", stale)
    assert kept["state"] == "kept"
    assert "somebody corrected this time meanwhile" in kept["message"]
    assert when(begun, "event", key) == at - timedelta(minutes=1)
    begun.done("journal.confirm", {"of": kept["key"]}, about=None)
    assert when(begun, "event", key) == at - timedelta(minutes=10)
    assert other.undo(first)["state"] == "done"
    assert when(begun, "event", key) == at - timedelta(minutes=10), "what was corrected since stays"


def test_a_line_that_was_taken_out_is_not_moved_and_its_time_is_remembered(begun: Tablet, lab: Lab) -> None:
    key = a_line(begun, "drug", lab)
    answer = begun.done("surgery.time", moved(begun, "drug", key, -3))
    at, body = when(begun, "drug", key), moved(begun, "drug", key, -2)
    taken = begun.done("surgery.take", {"part": "drug", "id": key})
    kept = begun.tap("surgery.time", body)
    assert kept["state"] == "kept"
    assert "took this line out" in kept["message"]
    assert begun.undo(taken)["state"] == "done"
    assert when(begun, "drug", key) == at
    assert begun.undo(answer)["state"] == "done"
    assert when(begun, "drug", key) == at + timedelta(minutes=3)


NOW = "2026-03-09T14:03:00+00:00"
BAD = [
    ({"part": "photo", "id": str(UUID(int=1)), "at": NOW}, "part"),
    ({"part": "event", "id": "x", "at": NOW}, "id"),
    ({"part": "event", "id": str(UUID(int=1)), "at": "14:03"}, "at"),
    ({"part": "event", "id": str(UUID(int=1)), "at": "2026-03-09T14:03:00"}, "at"),
    ({"part": "event", "id": str(UUID(int=1)), "at": NOW, "base": 3}, "base"),
    ({"part": "event", "id": str(UUID(int=1))}, "at"),
]


@pytest.mark.parametrize(("body", "named"), BAD)
def test_bad_bodies_are_kept_with_the_field(begun: Tablet, body: dict[str, Any], named: str) -> None:
    answer = begun.tap("surgery.time", body)
    assert (answer["state"], list(answer["fields"])) == ("kept", [named]), answer


def test_lines_of_other_surgeries_and_labs_are_not_touched(begun: Tablet, lab: Lab) -> None:
    key = a_line(begun, "event", lab)
    body, at = moved(begun, "event", key, -5), when(begun, "event", key)
    elsewhere = Tablet(begun.user)
    began(elsewhere, lab)
    stranger = Tablet(a_member(a_lab("elsewhere")), surgery=begun.surgery)
    assert [one.tap("surgery.time", body)["state"] for one in (elsewhere, stranger)] == ["kept", "kept"]
    assert when(begun, "event", key) == at
    assert Surgery.objects.count() == 2
