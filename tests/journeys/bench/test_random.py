"""Random histories of the journal in one browser, against the real server: nothing lost, nothing twice.

The bundle holds the journal as it is; two mutants of it, one that does not write and one whose keys do not repeat, must be found out.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from alyx.core.models import JournalEntry, Note
from tests.journeys.bench.conftest import Room, TabletOf

BUNDLE = Path(__file__).with_name("histories.js")
COUNT = int(os.environ.get("ALYX_HISTORIES", "1000"))
AT_ONCE = 6
PORTION = 60
SLACK_S = 5


@dataclass
class Verdict:
    """What differs from what was typed."""

    histories: int = 0
    entries: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        """Nothing does."""
        return not (self.lost or self.doubled or self.faults)


def run(page: Page, room: Room, seeds: range, source: str) -> Verdict:
    """Run the histories in the page, then compare with the tables."""
    verdict = Verdict()
    page.evaluate(f"() => {{ {source} }}")
    for first in range(seeds.start, seeds.stop, PORTION):
        portion = list(range(first, min(first + PORTION, seeds.stop)))
        arguments = [portion, str(room.anna.pk), str(room.session.pk), AT_ONCE]
        compare(page.evaluate("([seeds, ...rest]) => histories(seeds, ...rest)", arguments), verdict)
    return verdict


def compare(told: list[dict[str, Any]], verdict: Verdict) -> None:
    """What the histories say was typed, and what the server has."""
    texts = [text for one in told for text in (*one["taps"], *one["undone"])]
    taps = list(Note.objects.filter(text__in=texts).values_list("text", "at", "withdrawn_at"))
    counted, standing = Counter(text for text, _, _ in taps), {text for text, _, gone in taps if gone is None}
    at = {text: moment.timestamp() for text, moment, _ in taps}
    ids = [key for one in told for key in (*one["fields"], *one["clashes"])]
    notes = {str(pk): text for pk, text in Note.objects.filter(pk__in=ids).values_list("pk", "text")}
    kept: dict[str, list[str]] = {}
    for about, body in JournalEntry.objects.filter(about__in=ids, state="kept").values_list("about", "body"):
        kept.setdefault(str(about), []).append(body.get("value", ""))
    keys = [key for one in told for key in one["keys"]]
    received = {str(key) for key in JournalEntry.objects.filter(key__in=keys).values_list("key", flat=True)}
    for one in told:
        seed = one["seed"]
        verdict.histories += 1
        verdict.entries += len(one["keys"])
        verdict.faults += [f"{seed}: {fault}" for fault in one["faults"]]
        verdict.lost += [f"{seed}: tap {text}" for text in one["taps"] if text not in standing]
        verdict.faults += [f"{seed}: not undone {text}" for text in one["undone"] if text in standing]
        verdict.doubled += [f"{seed}: {text}" for text in (*one["taps"], *one["undone"]) if counted[text] > 1]
        verdict.lost += [
            f"{seed}: {notes.get(key)!r} for {text!r}" for key, text in one["fields"].items() if notes.get(key) != text
        ]
        for key, both in one["clashes"].items():
            there = [notes.get(key, ""), *kept.get(key, [])]
            verdict.lost += [
                f"{seed}: {text!r} of two tabs" for text in both if not any(text in said for said in there)
            ]
        verdict.lost += [f"{seed}: entry {key}" for key in one["keys"] if key not in received]
        begun, ended = one["begun"] / 1000 - SLACK_S, one["ended"] / 1000 + SLACK_S
        verdict.faults += [
            f"{seed}: the time of {text}" for text in one["taps"] if not begun <= at.get(text, begun) <= ended
        ]


@pytest.fixture
def page(tablet_of: TabletOf, room: Room) -> Page:
    """A page of the site without anything in it."""
    tablet = tablet_of(room.anna)
    assert tablet.context is not None
    page = tablet.context.pages[0]
    page.set_default_timeout(600_000)
    page.goto(f"{tablet.url}/bench/pulse")
    return page


def test_nothing_is_lost_and_nothing_twice(page: Page, room: Room) -> None:
    verdict = run(page, room, range(COUNT), BUNDLE.read_text())
    print(f"{verdict.histories} histories, {verdict.entries} entries")
    assert verdict.fine, "\n".join([*verdict.lost, *verdict.doubled, *verdict.faults][:40])
    assert verdict.histories == COUNT
    assert verdict.entries > COUNT


MUTANTS = {
    "drafts are not written": [('tx.objectStore("drafts").put(draft)', "Promise.resolve()")],
    "entries are not written": [('asked.push(tx.objectStore("entries").put(row(entry)))', "void entry")],
    "keys are new each time": [
        ("return { key, kind, about", "return { key: crypto.randomUUID(), kind, about"),
        ("({ key, ...rest }) => [key, rest]", "({ key, ...rest }, at) => [entries[at].key, rest]"),
    ],
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_found_out(page: Page, room: Room, mutant: str) -> None:
    source = BUNDLE.read_text()
    for line, instead in MUTANTS[mutant]:
        assert source.count(line) == 1, line
        source = source.replace(line, instead)
    verdict = run(page, room, range(40), source)
    assert verdict.doubled if "keys" in mutant else verdict.lost + verdict.faults, verdict
