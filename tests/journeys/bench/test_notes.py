"""Live notes of a session while it is recorded, on a tablet, with everything that goes wrong in a lab."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from alyx.core.models import JournalEntry, Note
from sessions.models import Session
from tests.factories.records import a_session, a_subject
from tests.journeys.bench.conftest import PASSWORD, Room, TabletOf
from tests.journeys.bench.served import Bench


@pytest.fixture
def session(up: Bench, room: Room) -> Session:
    """Of this test alone."""
    return up.do(lambda: a_session(a_subject(room.lab)))


def live(session: Session) -> str:
    return f"/sessions/{session.pk}/live"


def saved(page: Page) -> None:
    expect(page.locator("#bench-status")).to_have_attribute("data-state", "confirmed")


def written(session: Session) -> list[str]:
    rows = Note.objects.filter(object_id=session.pk, withdrawn_at__isnull=True).order_by("at", "created_at")
    return [note.text for note in rows]


def type_note(page: Page, text: str, *, done: bool = True) -> None:
    page.locator("#new-note").press_sequentially(text)
    if done:
        page.locator("#new-note").press("Enter")


def test_notes_are_typed_tapped_and_photographed(
    tablet_of: TabletOf, room: Room, session: Session, tmp_path: Path
) -> None:
    page = tablet_of(room.anna).open(live(session))
    type_note(page, "mouse runs")
    page.get_by_role("button", name="Started").click()
    Image.new("RGB", (320, 200), "teal").save(tmp_path / "rig.jpg")
    page.locator("#note-photo").set_input_files([tmp_path / "rig.jpg"])
    expect(page.locator("#notes img")).to_have_count(1)
    expect(page.locator("#notes .note")).to_have_count(3)
    saved(page)
    assert sorted(written(session)) == ["", "Started", "mouse runs"]
    photo = Note.objects.get(object_id=session.pk, text="")
    assert str(photo.image.name).endswith(".jpg")
    expect(page.locator("#notes time").first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d Europe/London$"))


def test_who_types_on_after_enter_loses_no_key(tablet_of: TabletOf, room: Room, session: Session) -> None:
    page = tablet_of(room.anna).open(live(session))
    page.locator("#new-note").focus()
    page.evaluate(
        """() => { // without a pause, as no hand can
            const box = document.getElementById("new-note");
            for (const key of "one\\ntwo\\nthree\\n") {
                if (key === "\\n") box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
                else { box.value += key; box.dispatchEvent(new InputEvent("input", { bubbles: true })); }
            }
        }"""
    )
    expect(page.locator("#notes .note")).to_have_count(3)
    saved(page)
    assert sorted(written(session)) == ["one", "three", "two"]


def test_correcting_and_withdrawing(tablet_of: TabletOf, room: Room, session: Session) -> None:
    page = tablet_of(room.anna).open(live(session))
    type_note(page, "first lick at 3 ml")
    saved(page)
    row = page.locator("#notes .note")
    row.get_by_role("button", name="Correct").click()
    row.locator("textarea").fill("first lick at 0.3 ml")
    row.locator("textarea").press("Enter")
    saved(page)
    expect(row.locator(".text")).to_have_text("first lick at 0.3 ml")
    assert written(session) == ["first lick at 0.3 ml"]
    row.get_by_role("button", name="Withdraw").click()
    expect(row).to_have_count(0)
    saved(page)
    assert written(session) == []


def test_a_pause_makes_one_entry_of_what_was_typed(tablet_of: TabletOf, room: Room, session: Session) -> None:
    page = tablet_of(room.anna).open(live(session))
    type_note(page, "thirty keystrokes, one revision")
    saved(page)
    assert JournalEntry.objects.filter(body__session=str(session.pk)).count() == 1


def test_nothing_is_lost_without_network_reloaded_and_killed(tablet_of: TabletOf, room: Room, session: Session) -> None:
    tablet = tablet_of(room.anna)
    page = tablet.open(live(session))
    tablet.ready_offline()
    type_note(page, "with network")
    saved(page)
    tablet.cut()
    type_note(page, "without network")
    expect(page.locator("#bench-status")).to_contain_text("saved on this tablet (1 not sent)")
    page.reload()
    page.wait_for_selector("body[data-started=yes]")
    expect(page.locator("#notes")).to_contain_text("without network")
    expect(page.locator("#as-of")).to_contain_text("Europe/London")
    type_note(page, "half a sent", done=False)
    expect(page.locator("#notes")).to_contain_text("half a sent")  # shown from the journal: durable
    tablet.kill()
    page = tablet.start().open(live(session))
    expect(page.locator("#notes")).to_contain_text("half a sent")
    saved(page)
    assert written(session) == ["with network", "without network", "half a sent"]


def test_a_killed_server_and_an_ended_login(tablet_of: TabletOf, room: Room, session: Session, up: Bench) -> None:
    page = tablet_of(room.anna).open(live(session))
    up.kill()
    type_note(page, "server is gone")
    expect(page.locator("#bench-status")).to_contain_text("not sent")
    up.log_out_everybody()
    up.start()
    dialog = page.get_by_role("dialog", name="Log in again")
    expect(dialog).to_be_visible(timeout=60_000)
    dialog.get_by_label("Password").fill("wrong")
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not an account")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog).to_have_count(0)
    saved(page)
    assert written(session) == ["server is gone"]


def test_somebody_else_logs_in_here(tablet_of: TabletOf, room: Room, session: Session, up: Bench) -> None:
    tablet = tablet_of(room.anna)
    page = tablet.open(live(session))
    tablet.ready_offline()
    tablet.cut()
    type_note(page, "anna's words")
    expect(page.locator("#bench-status")).to_contain_text("1 not sent")
    tablet.mend()
    assert tablet.context is not None
    page.goto("about:blank")  # before it sends: the network came back with the next login
    had = written(session)
    tablet.context.clear_cookies()
    tablet.context.add_cookies(up.cookies(room.ben))
    page = tablet.open(live(session))
    if not had:
        expect(page.locator("#bench-problems")).to_contain_text("of anna wait on this tablet")
    expect(page.locator(".who")).to_have_text("ben")
    type_note(page, "ben's words")
    saved(page)
    tablet.context.clear_cookies()
    tablet.context.add_cookies(up.cookies(room.anna))
    page = tablet.open(live(session))
    saved(page)
    assert sorted(written(session)) == ["anna's words", "ben's words"]
    by = {note.text: note.user for note in Note.objects.filter(object_id=session.pk)}
    assert by == {"anna's words": room.anna, "ben's words": room.ben}


def test_two_tabs_and_a_conflict_side_by_side(tablet_of: TabletOf, room: Room, session: Session) -> None:
    tablet = tablet_of(room.anna)
    first = tablet.open(live(session))
    type_note(first, "weight 23 g")
    saved(first)
    second = tablet.tab(live(session))
    expect(second.locator("#notes")).to_contain_text("weight 23 g")
    for page in (first, second):
        page.locator("#notes .note").get_by_role("button", name="Correct").click()
    for page, text in ((first, "weight 24 g"), (second, "weight 25 g")):
        page.bring_to_front()
        page.locator("#notes textarea").fill(text)
        page.locator("#notes textarea").press("Enter")
    clash = second.locator("#conflicts .conflict")
    expect(clash).to_have_count(1)
    expect(clash).to_contain_text("weight 24 g")
    expect(clash).to_contain_text("weight 25 g")
    clash.get_by_role("button", name="Keep yours").click()
    expect(clash).to_have_count(0)
    saved(second)
    assert len(written(session)) == 1
    assert written(session)[0] in {"weight 24 g", "weight 25 g"}


def test_a_session_that_is_withdrawn_meanwhile(tablet_of: TabletOf, room: Room, session: Session, up: Bench) -> None:
    tablet = tablet_of(room.anna)
    page = tablet.open(live(session))
    tablet.cut()
    type_note(page, "kept words")
    up.do(lambda: Session.objects.filter(pk=session.pk).update(withdrawn_at="2026-01-01T00:00Z"))
    tablet.mend()
    expect(page.locator("#bench-status .kept")).to_have_text("! 1 to look at")
    page = tablet.open("/bench/kept/")
    entry = page.locator(".kept-entry")
    expect(entry).to_contain_text("was withdrawn")
    expect(entry).to_contain_text("kept words")
    entry.get_by_role("button", name="Put aside").click()
    expect(entry.get_by_role("alert")).to_contain_text("Say why")
    up.do(lambda: Session.objects.filter(pk=session.pk).update(withdrawn_at=None))
    entry.get_by_role("button", name="Try again").click()
    expect(page.locator("#nothing-kept")).to_be_visible()
    saved(page)
    assert written(session) == ["kept words"]


def test_a_clock_that_is_wrong_is_said_and_corrected(tablet_of: TabletOf, room: Room, session: Session) -> None:
    tablet = tablet_of(room.anna)
    assert tablet.context is not None
    tablet.context.add_init_script("{ const real = Date.now.bind(Date); Date.now = () => real() - 3600e3; }")
    page = tablet.open(live(session))
    type_note(page, "an hour late")
    expect(page.locator("#bench-status .skew")).to_contain_text("60 min slow")
    saved(page)
    row = JournalEntry.objects.get(body__session=str(session.pk))
    assert 3590 < row.skew_s < 3610
    assert abs((row.at - row.created_at).total_seconds()) < 60


@pytest.mark.parametrize(
    "broken", ["Object.defineProperty(window, 'indexedDB', {get() { throw new DOMException('', 'SecurityError'); }})"]
)
def test_a_device_that_keeps_nothing_says_so_first(
    tablet_of: TabletOf, room: Room, session: Session, broken: str
) -> None:
    tablet = tablet_of(room.anna)
    assert tablet.context is not None
    tablet.context.add_init_script(broken)
    page = tablet.open(live(session))
    expect(page.locator("#bench-problems")).to_contain_text("does not let the page keep anything")
    expect(page.locator("#bench-status")).to_have_attribute("data-state", "unsafe")
    type_note(page, "sent at once")
    expect(page.locator("#notes .state[data-state=confirmed]")).to_have_count(1)
    assert written(session) == ["sent at once"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_tapped(
    tablet_of: TabletOf, room: Room, session: Session, scheme: Any, screenshots: Path | None
) -> None:
    from tests.journeys.watch import Watch

    tablet = tablet_of(room.anna, color_scheme=scheme)
    page = tablet.open(live(session))
    type_note(
        page, "a note that is long enough to be broken into lines on an upright tablet, and says where the probe is"
    )
    saved(page)
    watch = Watch(page, tablet.url)
    for size in ((820, 1180), (1180, 820)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert watch.overflow() == []
        assert watch.faint() == []
        assert [
            one for one in watch.controls("button, .button, textarea, input:not(.file)") if one["height"] < 55.9
        ] == []
        if screenshots:
            page.screenshot(path=screenshots / f"live-notes-{scheme}-{size[0]}.png")
