"""Surgery mode without a finger: the keyboard alone; and the time of a line is corrected, also without a network."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from alyx.core.clock import now, utc_to_wall
from alyx.core.models import Note
from subjects.models import Drug, ProcedureType, Subject, Surgery, SurgeryTemplate
from tests.factories import a_subject, a_weighing
from tests.journeys.bench.conftest import Room, TabletOf
from tests.journeys.bench.served import Bench
from tests.journeys.bench.tablets import LYING, UPRIGHT
from tests.journeys.bench.test_surgery import _APART, CONTROLS, TARGET_PX, saved, the_surgery
from tests.journeys.watch import Watch

MOST_STOPS = 160
_STOP = """() => {
    const one = document.activeElement;
    if (!one || one === document.body || one === document.documentElement) return null;
    const painted = one.matches("input.file") ? one.nextElementSibling : one;
    const style = getComputedStyle(painted), box = painted.getBoundingClientRect();
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const seen = box.width > 8 && box.height > 8 && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
    return {what: one.outerHTML.slice(0, 90), ring: ring && style.outlineColor !== "rgba(0, 0, 0, 0)", seen};
}"""
_NAMELESS = re.compile(
    r"^\s*- (button|textbox|searchbox|combobox|spinbutton|checkbox|radio|link)(?: \[[^\]]*\])*(?::.*)?$", re.MULTILINE
)


@pytest.fixture(scope="module")
def mice(bench: Bench, room: Room) -> Iterator[Subject]:
    """A template with a drug and a headplate; a new mouse for each test."""

    def made() -> None:
        ProcedureType.objects.get_or_create(name="Headplate implant")
        Drug.objects.create(
            lab=room.lab, name="meloxicam", use="analgesic", concentration_mg_per_ml=1, dose_mg_per_kg=5
        )
        content = {
            "procedures": ["Headplate implant"],
            "drugs": [{"drug": "meloxicam", "dose_mg_per_kg": 5}],
            "parts": [{"part": "headplate", "cement": "Super-Bond"}, {"part": "craniotomy", "ap_mm": -2, "ml_mm": 1}],
            "implant_weight_g": 1.4,
        }
        SurgeryTemplate.objects.create(lab=room.lab, name="by keys", content=content)

    def one(number: int) -> Subject:
        mouse = a_subject(room.lab, f"KEY_{number}", sex="F", cage_name=f"K{number}", description="Bites.")
        a_weighing(mouse, 24.0, utc_to_wall(now(), room.lab.timezone).replace(microsecond=0) - timedelta(days=1))
        return mouse

    bench.do(made)
    return (bench.do(partial(one, number)) for number in range(1, 50))


@pytest.fixture
def mouse(mice: Iterator[Subject], up: Bench) -> Subject:
    """Of this test alone."""
    return next(mice)


class Keys:
    """Tab, Enter, Space and letters; each stop must be seen and have a name."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stops: list[str] = []
        page.evaluate(
            "for (const kind of ['pointerdown', 'touchstart']) addEventListener(kind, () => { window.touched = true; }, true)"
        )

    def press(self, key: str) -> None:
        """One key."""
        self.page.keyboard.press(key)

    def stop(self) -> str | None:
        """Where the focus is: seen, in the window."""
        found = self.page.evaluate(_STOP)
        if found is None:
            return None
        assert found["ring"], f"no ring on {found['what']}"
        assert found["seen"], f"out of sight: {found['what']}"
        self.stops.append(found["what"])
        return str(found["what"])

    def to(self, place: Locator, key: str = "Tab") -> None:
        """On with Tab until it has the focus."""
        for _ in range(MOST_STOPS):
            if place.evaluate("one => one === document.activeElement"):
                self.stop()
                return
            self.press(key)
            self.stop()
        raise AssertionError(f"{place} is not reached; after {self.stops[-8:]}")

    def on(self, place: Locator, key: str = "Enter") -> None:
        """There, and pressed."""
        self.to(place)
        self.press(key)

    def type(self, text: str) -> None:
        """As a person types, no scanner."""
        self.page.keyboard.type(text, delay=60)


def names(page: Page) -> None:
    """A screen reader has a name for each control."""
    tree = page.locator("body").aria_snapshot()
    assert "button" in tree
    assert [found.group(0).strip() for found in _NAMELESS.finditer(tree)] == []


def test_a_whole_surgery_with_the_keyboard_alone(tablet_of: TabletOf, room: Room, mouse: Subject) -> None:
    page = tablet_of(room.anna, LYING).open("/surgery/")
    keys = Keys(page)
    button = page.get_by_role
    names(page)
    keys.to(page.get_by_role("searchbox", name="Find an animal by name or cage"))
    keys.type(mouse.nickname)
    keys.on(button("button", name=re.compile(rf"^{mouse.nickname}\b")))
    names(page)
    keys.on(button("button", name=re.compile("^Start: by keys")))
    expect(page.locator(".operating")).to_be_visible()
    expect(page.get_by_role("heading", name=mouse.nickname)).to_be_focused()
    events = page.get_by_role("group", name="What happens now")
    for name, key in (("anaesthetised", "Enter"), ("incision", " "), ("drilling", "Enter")):
        keys.on(events.get_by_role("button", name=name), key)
        expect(events.get_by_role("button", name=name)).to_contain_text("✓")
        expect(events.get_by_role("button", name=name)).to_be_focused()
    keys.on(page.locator("#drugs").get_by_role("button", name=re.compile("meloxicam")).first, " ")
    expect(page.locator(".line-item", has_text="meloxicam")).to_be_visible()
    names(page)
    keys.to(page.get_by_role("textbox", name=re.compile("^Body weight before")))
    keys.press("Control+a")
    keys.type("23,5")
    keys.to(page.locator("#narrative-box"))
    keys.type("By keys alone.")
    keys.on(events.page.get_by_role("button", name=re.compile("correct the time of incision")))
    keys.to(page.get_by_role("button", name="1 minute earlier"), "Shift+Tab")
    keys.press("Escape")
    expect(page.get_by_role("button", name=re.compile("correct the time of incision"))).to_be_focused()
    keys.on(page.get_by_role("button", name="Undo: incision"))
    expect(events.get_by_role("button", name="incision")).not_to_contain_text("✓")
    expect(page.get_by_role("heading", name="Timeline")).to_be_focused()
    keys.on(page.get_by_role("button", name="End …"))
    names(page)
    keys.on(page.get_by_role("button", name="End surgery"))
    expect(page.locator("dialog.end")).to_be_hidden()
    expect(page.get_by_role("heading", name=mouse.nickname)).to_be_focused()
    saved(page)
    assert not page.evaluate("Boolean(window.touched)")
    surgery = the_surgery(mouse)
    assert [one.what for one in surgery.timeline.order_by("at")] == ["anaesthetised", "drilling"]
    assert (surgery.narrative, surgery.weight_before_g, surgery.drugs_given.count()) == ("By keys alone.", 23.5, 1)
    assert (surgery.outcome_type, surgery.implant_weight_g) == ("r", 1.4)


def test_the_focus_goes_all_the_way_round(tablet_of: TabletOf, room: Room, mouse: Subject) -> None:
    """No trap, forwards and backwards; and what can be tapped can be reached."""
    page = tablet_of(room.anna, UPRIGHT).open(f"/surgery/{mouse.pk}")
    page.get_by_role("button", name=re.compile("^Start: by keys")).press("Enter")
    expect(page.locator(".operating")).to_be_visible()
    page.locator("#steps").get_by_role("button", name="drilling").press("Enter")
    saved(page)
    page.locator("#bench-undo").wait_for(state="hidden", timeout=60_000)
    keys = Keys(page)
    for key in ("Tab", "Shift+Tab"):
        page.evaluate(
            "document.activeElement.blur(); for (const one of document.querySelectorAll('[data-met]')) delete one.dataset.met"
        )
        page.locator(".bench-head a").first.focus()
        for turn in range(MOST_STOPS):
            page.evaluate("document.activeElement.dataset.met = 'yes'")
            keys.press(key)
            keys.stop()
            if turn > 2 and page.evaluate(
                "document.activeElement.dataset.met === 'yes' && document.activeElement !== document.body"
            ):
                break
        else:
            raise AssertionError(f"it does not come round: {keys.stops[-6:]}")
        left = "#surgery :is(button, input, select, textarea):not(:disabled):not([data-met])"
        missed = page.evaluate(
            "left => [...document.querySelectorAll(left)].filter(one => one.checkVisibility()).map(one => one.outerHTML.slice(0, 80))",
            left,
        )
        assert missed == [], key


def line(page: Page, text: str) -> Locator:
    """The line of the timeline itself, not of its correction."""
    return page.locator(".line-item", has=page.locator(".line-time"), has_text=text)


def test_the_time_of_a_line_is_corrected_without_a_network(
    tablet_of: TabletOf, room: Room, mouse: Subject, up: Bench
) -> None:
    tablet = tablet_of(room.anna)
    page = tablet.open(f"/surgery/{mouse.pk}")
    page.get_by_role("button", name=re.compile("^Start: by keys")).tap()
    page.locator("#steps").get_by_role("button", name="drilling").tap()
    saved(page)
    early = timedelta(hours=1)

    def earlier() -> None:
        surgery = the_surgery(mouse)
        assert surgery.started_at is not None
        began = surgery.started_at - early
        Surgery.objects.filter(pk=surgery.pk).update(
            started_at=began, started_wall=utc_to_wall(began, room.lab.timezone)
        )

    up.do(earlier)
    event = the_surgery(mouse).timeline.get()
    watch = Watch(page, tablet.url)
    expect(line(page, "Surgery started").locator("time")).to_have_attribute(
        "datetime",
        the_surgery(mouse).started_at.isoformat(),  # type: ignore[union-attr]
    )
    tablet.ready_offline()
    tablet.cut()
    page.locator("#steps").get_by_role("button", name="incision").tap()
    for text, steps in (
        ("drilling", ("5 minutes earlier", "1 minute earlier", "1 minute later")),
        ("incision", ("5 minutes earlier",)),
    ):
        line(page, text).locator(".line-time").tap()
        editor = page.get_by_role("group", name=f"Time of {text}")
        expect(editor).to_contain_text("Europe/London")
        for step in steps:
            editor.get_by_role("button", name=step).tap()
        small = [one for one in watch.controls(CONTROLS) if min(one["width"], one["height"]) < TARGET_PX - 0.5]
        assert small == []
        assert page.evaluate(_APART, CONTROLS) == []
        assert watch.overflow() == []
        assert watch.faint() == []
        editor.get_by_role("button", name="Set").tap()
        expect(editor).to_have_count(0)
    moved = event.at - timedelta(minutes=5)
    hour = f"{utc_to_wall(moved, 'Europe/London'):%H:%M}"
    expect(line(page, "drilling").locator("time")).to_have_text(hour)
    page.reload()
    page.wait_for_selector("body[data-started=yes]")
    expect(line(page, "drilling").locator("time")).to_have_text(hour)
    assert the_surgery(mouse).timeline.get().at == event.at, "nothing was sent yet"
    tablet.mend()
    saved(page)
    rows = {one.what: one.at for one in the_surgery(mouse).timeline.all()}
    assert rows["drilling"] == moved.replace(microsecond=moved.microsecond // 1000 * 1000)
    assert timedelta(minutes=4) < event.at - rows["incision"] < timedelta(minutes=5)
    correction = page.locator(".line-item", has_text="Time of drilling")
    expect(correction).to_contain_text(f"→ {hour}")
    correction.get_by_role("button", name="Undo").tap()
    expect(line(page, "drilling").locator("time")).to_have_text(f"{utc_to_wall(event.at, 'Europe/London'):%H:%M}")
    saved(page)
    assert the_surgery(mouse).timeline.get(what="drilling").at == event.at


def test_a_time_that_cannot_be_is_asked_about(tablet_of: TabletOf, room: Room, mouse: Subject) -> None:
    page = tablet_of(room.anna).open(f"/surgery/{mouse.pk}")
    page.get_by_role("button", name=re.compile("^Start: by keys")).tap()
    page.locator("#steps").get_by_role("button", name="drilling").tap()
    saved(page)
    event = the_surgery(mouse).timeline.get()
    shown = line(page, "drilling").locator("time")
    before = shown.inner_text()
    line(page, "drilling").locator(".line-time").tap()
    editor = page.get_by_role("group", name="Time of drilling")
    box = editor.get_by_role("textbox", name="Time of drilling, hours and minutes (Europe/London)")
    box.fill("25:10")
    expect(editor.get_by_role("status")).to_have_text("Hours and minutes, as 14:03")
    expect(editor.get_by_role("button", name="Set")).to_be_disabled()
    box.fill(before)
    for _ in range(2):
        editor.get_by_role("button", name="5 minutes earlier").tap()
    expect(editor.get_by_role("status")).to_contain_text("before the start of the surgery")
    box.press("Enter")
    doubt = page.locator(".doubt", has_text="Time of drilling")
    expect(doubt).to_contain_text("is before the start of the surgery")
    expect(shown).to_have_text(before)
    doubt.get_by_role("button", name="Correct it").tap()
    expect(doubt).to_have_count(0)
    saved(page)
    assert the_surgery(mouse).timeline.get().at == event.at


def test_what_has_no_ring_or_no_name_is_found_out(tablet_of: TabletOf, room: Room, mouse: Subject) -> None:
    """The two checks above can fail."""
    page = tablet_of(room.anna).open("/surgery/")
    box = page.get_by_role("searchbox", name="Find an animal by name or cage")
    names(page)
    Keys(page).to(box)
    box.evaluate("one => one.style.setProperty('outline', 'none', 'important')")
    with pytest.raises(AssertionError, match="no ring"):
        Keys(page).to(page.locator("#find-animal"))
    for name in ("aria-label", "placeholder"):
        page.locator("#find-animal").evaluate("(one, name) => one.removeAttribute(name)", name)
    with pytest.raises(AssertionError, match="searchbox"):
        names(page)


def test_another_persons_photo_is_taken_back_from_the_timeline(
    tablet_of: TabletOf, room: Room, mouse: Subject, tmp_path: Path
) -> None:
    first = tablet_of(room.anna).open(f"/surgery/{mouse.pk}")
    first.get_by_role("button", name=re.compile("^Start: by keys")).tap()
    Image.effect_noise((320, 240), 60).convert("RGB").save(tmp_path / "skull.jpg")
    first.locator("#camera").set_input_files(tmp_path / "skull.jpg")
    expect(first.locator(".thumb")).to_have_count(1)
    saved(first)
    second = tablet_of(room.ben, LYING).open(f"/surgery/{the_surgery(mouse).pk}")
    photo = second.locator(".line-item", has_text="Photo")
    expect(photo).to_contain_text("by anna")
    photo.get_by_role("button", name="Undo: Photo").tap()
    for page in (second, first):
        expect(page.locator(".thumb")).to_have_count(0)
    saved(second)
    notes = Note.objects.filter(object_id=the_surgery(mouse).pk)
    assert notes.get().withdrawn_at is not None
    second.locator("#bench-undo").get_by_role("button", name="Undo").tap()
    for page in (second, first):
        expect(page.locator(".thumb")).to_have_count(1)
    saved(second)
    assert notes.get().withdrawn_at is None
