"""`kill -9` of the browser and of the server, again and again: what the page showed is there, once."""

import random
from collections import Counter

from playwright.sync_api import Page, Route, expect

from alyx.core.models import JournalEntry, Note
from sessions.models import Session
from tests.factories.records import a_session, a_subject
from tests.journeys.bench.conftest import Room, TabletOf
from tests.journeys.bench.served import Bench

CYCLES = 16
"""Each kills the server once and the browser once."""
WORDS = ("Started", "Paused", "Stopped")


def tap(page: Page, word: str) -> str:
    """Tap until the page says that it has it; the word."""
    notes = page.locator("#notes .note")
    before = notes.count()
    page.locator(".words").get_by_role("button", name=word).click()
    expect(notes).to_have_count(before + 1)
    return word


def type_note(page: Page, text: str, done: bool) -> str:
    """Type until the page says that it has it; the text."""
    page.locator("#new-note").press_sequentially(text)
    expect(page.locator("#notes .text", has_text=text)).to_have_count(1)
    if done:
        page.locator("#new-note").press("Enter")
    return text


def work(page: Page, chance: random.Random, cycle: int) -> list[str]:
    """Tap and type a little; what the page has."""
    shown: list[str] = []
    for step in range(chance.randint(1, 3)):
        if chance.random() < 0.5:
            shown.append(tap(page, chance.choice(WORDS)))
            continue
        done = chance.random() < 0.7
        shown.append(type_note(page, f"note {cycle}.{step}.", done))
        if not done:
            break  # half a sentence: the last that this page hears
    return shown


def done_but_unanswered(route: Route, up: Bench) -> None:
    """The server commits, and dies before anybody hears of it."""
    assert route.fetch().ok
    up.kill()
    route.abort()


def test_thirty_two_kills(tablet_of: TabletOf, room: Room, up: Bench) -> None:
    session: Session = up.do(lambda: a_session(a_subject(room.lab)))
    address = f"/sessions/{session.pk}/live"
    chance = random.Random(6)
    shown: list[str] = []
    tablet = tablet_of(room.anna)
    page = tablet.open(address)
    tablet.ready_offline()
    kills = unanswered = 0
    for cycle in range(CYCLES):
        how = chance.choice(("before", "booting", "unanswered"))
        if how == "before":
            up.kill()
        elif how == "unanswered":
            up.wait()
            page.route("**/bench/entries", lambda route: done_but_unanswered(route, up), times=1)
        shown += work(page, chance, cycle)
        if how == "unanswered":
            while up.process is not None:  # until it has committed, and is dead
                page.wait_for_timeout(20)
            unanswered += 1
        elif up.process is not None:
            up.kill()
        tablet.kill()
        kills += 2
        page = tablet.start().open(address)  # by the tablet itself: nobody serves
        for text in set(shown):
            expect(page.locator("#notes .text", has_text=text)).to_have_count(shown.count(text))
        up.spawn()
    up.wait()
    expect(page.locator("#bench-status")).to_have_attribute("data-state", "confirmed", timeout=60_000)
    assert kills >= 30
    assert unanswered >= 3
    notes = Note.objects.filter(object_id=session.pk, withdrawn_at__isnull=True)
    assert Counter(note.text for note in notes) == Counter(shown)
    assert not JournalEntry.objects.filter(state="kept", body__session=str(session.pk)).exists()
