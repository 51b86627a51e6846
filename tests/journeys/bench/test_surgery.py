"""A standard headplate surgery with gloves on: counted taps, no keyboard; and whatever fails meanwhile, nothing is lost or doubled."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from alyx.core.clock import now, utc_to_wall
from alyx.core.models import Note
from subjects.models import Drug, ProcedureType, Subject, Surgery, SurgeryTemplate
from tests.factories import a_restriction, a_subject, a_weighing
from tests.journeys.bench.conftest import Room, TabletOf
from tests.journeys.bench.served import Bench
from tests.journeys.bench.tablets import LYING, UPRIGHT
from tests.journeys.watch import Watch

MOST_TAPS = 25
TARGET_PX = 56
BOTH = pytest.mark.parametrize("size", [UPRIGHT, LYING], ids=["upright", "lying"])
CONTROLS = "#surgery button, #surgery input:not(.file), #surgery select, #surgery textarea, #surgery .camera"
OF_DIALOG = "dialog[open] button, dialog[open] input"
_SCANNED = """code => {
    for (const key of [...code, "Enter"]) dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
}"""
BOTH_TEXTS = re.compile(r"(?=.*Anna: bleeding)(?=.*Ben: glue)", re.DOTALL)
_APART = """selector => {
    const shown = [...document.querySelectorAll(selector)].filter(one => one.checkVisibility()).filter(one => {
        const list = one.closest(".timeline-list")?.getBoundingClientRect(), box = one.getBoundingClientRect();
        return !list || (box.top >= list.top && box.bottom <= list.bottom);  // not scrolled out of it
    });
    const boxes = shown.map(one => [one, one.getBoundingClientRect()]);
    const found = [];
    for (const [one, a] of boxes) for (const [other, b] of boxes) {
        if (one === other || one.contains(other) || other.contains(one) || a.left > b.left) continue;
        const across = Math.max(b.left - a.right, a.left - b.right), down = Math.max(b.top - a.bottom, a.top - b.bottom);
        if (across < 7.5 && down < 7.5) found.push(`${one.outerHTML.slice(0, 60)} | ${other.outerHTML.slice(0, 60)} ${across} ${down}`);
    }
    return found.slice(0, 5);
}"""


@dataclass
class Theatre:
    """A lab that operates."""

    template: SurgeryTemplate
    carprofen: Drug
    mice: Iterator[Subject]


@pytest.fixture(scope="module")
def theatre(bench: Bench, room: Room) -> Theatre:
    """A template of a headplate with a craniotomy and a probe; a new mouse for each test."""

    def made() -> tuple[SurgeryTemplate, Drug]:
        for name in ("Headplate implant", "Craniotomy"):
            ProcedureType.objects.get_or_create(name=name)
        drug = {"lab": room.lab, "use": "analgesic", "concentration_mg_per_ml": 1}
        carprofen = Drug.objects.create(name="carprofen", dose_mg_per_kg=5, max_dose_mg_per_kg=10, **drug)
        Drug.objects.create(name="buprenorphine", **{**drug, "concentration_mg_per_ml": 0.03}, dose_mg_per_kg=0.1)
        content = {
            "procedures": ["Headplate implant"],
            "drugs": [
                {"drug": "carprofen", "dose_mg_per_kg": 5, "repeat_h": 24},
                {"drug": "buprenorphine", "dose_mg_per_kg": 0.1, "repeat_h": 8},
            ],
            "parts": [
                {"part": "headplate", "headframe_type": "Alpha", "cement": "Super-Bond"},
                {"part": "craniotomy", "target": "VISp", "ap_mm": -3.5, "ml_mm": -2.5, "size_mm": 2.0},
                {
                    "part": "implant",
                    "kind": "probe",
                    "name": "probe00",
                    "target": "CA1",
                    "ap_mm": -2.0,
                    "ml_mm": 1.5,
                    "depth_mm": 4.0,
                },
            ],
            "implant_weight_g": 1.4,
            "post_op_days": [1, 2, 3],
        }
        template = SurgeryTemplate.objects.create(lab=room.lab, name="headplate, standard", content=content)
        return template, carprofen

    def mice() -> Iterator[Subject]:
        for number in range(1, 100):
            yield bench.do(partial(_mouse, room, number))

    return Theatre(*bench.do(made), mice())


def _mouse(room: Room, number: int) -> Subject:
    today = utc_to_wall(now(), room.lab.timezone).replace(microsecond=0)
    mouse = a_subject(
        room.lab,
        f"OP_{number:03d}",
        sex="F",
        born_on=today.date() - timedelta(days=90),
        cage_name=f"C{number}",
        description="Bites when lifted by the tail.",
    )
    a_weighing(mouse, 24.0, today - timedelta(days=1))
    if number == 1:
        a_restriction(mouse, today - timedelta(days=20), reference_weight_g=25.0)
    return mouse


@pytest.fixture
def mouse(theatre: Theatre, up: Bench) -> Subject:
    """Of this test alone."""
    return next(theatre.mice)


@dataclass
class Gloves:
    """Taps, counted; and what was tapped, to compare with what is stored."""

    page: Page
    taps: int = 0
    tapped: Counter[str] = field(default_factory=Counter)

    def tap(self, place: Locator | str, what: str = "") -> None:
        """One finger, once."""
        target = self.page.locator(place) if isinstance(place, str) else place
        target.tap()
        self.taps += 1
        if what:
            self.tapped[what] += 1

    def event(self, name: str) -> None:
        """A button among the events."""
        self.tap(self.page.locator("#steps").get_by_role("button", name=name), name)


def begin(page: Page, mouse: Subject) -> Gloves:
    """Animal and template: two taps."""
    gloves = Gloves(page)
    gloves.tap(f'[data-animal="{mouse.nickname}"]')
    expect(page.locator(".chosen")).to_contain_text("24 g")
    gloves.tap('[data-template="headplate, standard"]', "start")
    expect(page.locator(".operating")).to_be_visible()
    return gloves


def first_half(gloves: Gloves) -> None:
    """Until the skull is open."""
    page = gloves.page
    gloves.tap(page.locator("#isoflurane").get_by_role("button", name="3", exact=True), "isoflurane 3.0")
    gloves.event("anaesthetised")
    gloves.tap(page.locator('[data-drug="carprofen"] .give'), "carprofen")
    gloves.event("eyes protected")
    gloves.event("fixed in the frame")
    gloves.tap(page.locator("#isoflurane").get_by_role("button", name="1.5", exact=True), "isoflurane 1.5")
    gloves.event("incision")
    gloves.event("skull levelled")


def second_half(gloves: Gloves) -> None:
    """Until it wakes up."""
    page = gloves.page
    gloves.event("drilling")
    gloves.tap(page.locator(".site", has_text="craniotomy VISp").get_by_role("button", name="Done"), "craniotomy")
    gloves.tap(page.locator(".site", has_text="probe probe00").get_by_role("button", name="Done"), "probe")
    gloves.event("cementing")
    gloves.event("Headplate on")
    gloves.tap(page.locator('[data-drug="buprenorphine"] .give'), "buprenorphine")
    gloves.tap(page.locator("#isoflurane").get_by_role("button", name="Off"), "isoflurane 0.0")
    gloves.event("awake")
    gloves.tap(page.locator("#end"))
    expect(page.locator("dialog.end")).to_contain_text("All is said")
    gloves.tap("#end-now", "end")
    expect(page.locator("dialog.end")).to_be_hidden()


def saved(page: Page) -> None:
    expect(page.locator("#bench-status")).to_have_attribute("data-state", "confirmed", timeout=60_000)


def stored(surgery: Surgery) -> Counter[str]:
    """What the registry has, in the words of the taps."""
    found = Counter({"start": 1, "end": int(surgery.ended_at is not None)})
    for event in surgery.timeline.all():
        found[f"{event.what} {event.value}" if event.value is not None else event.what] += 1
    for given in surgery.drugs_given.filter(withdrawn_at__isnull=True):
        found[given.drug.name] += 1
    found["craniotomy"] += surgery.craniotomy_set.count()
    found["Headplate on"] += surgery.headplate_set.count()
    found["probe"] += surgery.implants.filter(withdrawn_at__isnull=True).count()
    return +found


def shoot(page: Page, folder: Path | None, name: str, *, whole: bool = True) -> None:
    """For a person to look at."""
    if folder is not None:
        page.screenshot(path=folder / f"{name}.png", full_page=whole)


def the_surgery(mouse: Subject) -> Surgery:
    found: Surgery = Surgery.objects.get(subject=mouse)
    return found


@BOTH
def test_a_standard_headplate_surgery_takes_few_taps_and_no_keyboard(
    tablet_of: TabletOf, room: Room, theatre: Theatre, mouse: Subject, size: tuple[int, int], tmp_path: Path
) -> None:
    tablet = tablet_of(room.anna, size)
    page = tablet.open("/surgery/")
    typed: list[str] = []
    page.expose_function("typed", lambda key: typed.append(key))  # noqa: PLW0108  (Playwright marks what it is given)
    page.evaluate("addEventListener('keydown', event => typed(event.key), true)")
    gloves = begin(page, mouse)
    first_half(gloves)
    photos = [tmp_path / f"skull{at}.jpg" for at in range(2)]
    for at, photo in enumerate(photos):
        Image.effect_noise((640, 480), 40 + 30 * at).convert("RGB").save(photo)
    with page.expect_file_chooser() as chosen:
        gloves.tap(".camera")
    chosen.value.set_files(photos)
    expect(page.locator(".thumb")).to_have_count(2)
    second_half(gloves)
    assert gloves.taps <= MOST_TAPS, f"{gloves.taps} taps"
    assert typed == []
    saved(page)
    surgery = the_surgery(mouse)
    assert stored(surgery) == gloves.tapped
    events = [event.what for event in surgery.timeline.order_by("at") if event.value is None]
    assert events == [what for what in gloves.tapped if surgery.timeline.filter(what=what).exists()], (
        "in the order of the taps"
    )
    assert Note.objects.filter(object_id=surgery.pk).count() == 2
    assert (surgery.outcome_type, surgery.implant_weight_g, surgery.checks.count()) == ("r", 1.4, 3)
    assert surgery.drugs_given.get(drug=theatre.carprofen).volume_ml == 0.12
    assert list(surgery.users.all()) == [room.anna]


def test_nothing_is_lost_or_doubled_whatever_fails(tablet_of: TabletOf, room: Room, mouse: Subject, up: Bench) -> None:
    """The network goes, the page is reloaded, the browser is killed and opened again, the server is killed and started again."""
    tablet = tablet_of(room.anna)
    page = tablet.open("/surgery/")
    tablet.ready_offline()
    tablet.cut()
    gloves = begin(page, mouse)
    first_half(gloves)
    expect(page.locator("#bench-status")).to_contain_text("saved on this tablet (9 not sent)")
    page.reload()
    page.wait_for_selector("body[data-started=yes]")
    expect(page.locator(".line-item")).to_have_count(9)
    page.locator("#narrative-box").press_sequentially("Half a sent")
    expect(page.locator("#narrative .state")).to_contain_text("on this tablet")  # shown from the journal: durable
    address = page.url.removeprefix(tablet.url)
    tablet.kill()
    up.kill()
    tablet.start().cut()
    page = gloves.page = tablet.open(address)
    expect(page.locator("#narrative-box")).to_have_value("Half a sent")
    tablet.mend()  # the network is back before the server is
    second_half(gloves)
    expect(page.locator("#bench-status")).to_contain_text("not sent")
    up.start()
    saved(page)
    surgery = the_surgery(mouse)
    assert stored(surgery) == gloves.tapped
    assert (surgery.narrative, surgery.outcome_type) == ("Half a sent", "r")
    page.reload()
    expect(page.locator(".line-item")).to_have_count(sum(gloves.tapped.values()))
    expect(page.locator(".line-item .state:not([data-state=confirmed])")).to_have_count(0)


def test_two_people_at_one_surgery(tablet_of: TabletOf, room: Room, mouse: Subject) -> None:
    """Each sees what the other does; fields merge; what both changed is shown side by side."""
    first = tablet_of(room.anna).open("/surgery/")
    gloves = begin(first, mouse)
    saved(first)
    tablet = tablet_of(room.ben, LYING)
    second = tablet.open("/surgery/")
    second.locator(".tile.running", has_text=mouse.nickname).tap()
    other = Gloves(second)
    gloves.event("drilling")
    expect(second.locator(".line-item", has_text="drilling")).to_contain_text("by anna")
    for page, text in ((first, "Anna: bleeding. "), (second, "Ben: glue. ")):
        page.locator("#narrative-box").press_sequentially(text)
    for page in (first, second):
        saved(page)
        expect(page.locator("#narrative-box")).to_have_value(BOTH_TEXTS)
    other.tap(second.locator(".line-item", has_text="drilling").get_by_role("button", name="Undo"))
    expect(first.locator(".line-item", has_text="drilling")).to_have_count(0)
    tablet.cut()
    heavier = "#field-weight_before .step >> nth=1"
    other.tap(heavier)
    gloves.tap(heavier)
    gloves.tap(heavier)
    saved(first)
    tablet.mend()
    conflict = second.locator(".conflict")
    expect(conflict.locator(".text")).to_have_text(["24", "24.1"])
    other.tap(conflict.get_by_role("button", name="Keep yours"))
    expect(conflict).to_have_count(0)
    saved(second)
    expect(first.locator("#field-weight_before-box")).to_have_value("24")
    surgery = the_surgery(mouse)
    assert surgery.weight_before_g == 24.0
    assert not surgery.timeline.exists()
    assert "Anna: bleeding." in surgery.narrative
    assert "Ben: glue." in surgery.narrative


def test_what_happened_to_the_animal_meanwhile_is_said_and_nothing_is_lost(
    tablet_of: TabletOf, room: Room, mouse: Subject, up: Bench
) -> None:
    """Started without a network; renamed before the network is back."""
    tablet = tablet_of(room.anna)
    page = tablet.open("/surgery/")
    tablet.ready_offline()
    tablet.cut()
    gloves = begin(page, mouse)
    gloves.event("drilling")
    up.do(lambda: Subject.objects.filter(pk=mouse.pk).update(nickname=f"{mouse.nickname}_new"))
    tablet.mend()
    start = page.locator(".doubt", has_text="Start of the surgery")
    expect(start).to_contain_text(f"{mouse.nickname} is called {mouse.nickname}_new by now")
    expect(page.locator(".doubt")).to_have_count(2)
    assert not Surgery.objects.filter(subject=mouse).exists()
    gloves.tap(start.get_by_role("button", name="It is right"))
    expect(page.locator("#troubles")).to_be_hidden()
    saved(page)
    assert stored(the_surgery(mouse)) == gloves.tapped


def test_an_animal_is_found_by_its_code_and_by_three_letters(tablet_of: TabletOf, room: Room, mouse: Subject) -> None:
    """A USB scanner types the label's address; a link of a label opens the animal; letters find it by name and cage."""
    tablet = tablet_of(room.anna)
    page = tablet.open("/surgery/")
    card = page.locator(".chosen-card h3")
    page.evaluate(_SCANNED, f"https://alyx.example.org/surgery/{mouse.pk}")
    expect(card).to_have_text(mouse.nickname)
    page.get_by_role("button", name="Another animal").tap()
    page.locator("#find-animal").press_sequentially(mouse.cage_name, delay=60)
    page.locator(f'[data-animal="{mouse.nickname}"]').tap()
    expect(card).to_have_text(mouse.nickname)
    page = tablet.open(f"/surgery/{mouse.pk}")
    expect(page.locator(".chosen-card h3")).to_have_text(mouse.nickname)


@pytest.mark.parametrize(("size", "theme"), [(LYING, "light"), (UPRIGHT, "dark")], ids=["light", "dark"])
def test_it_fits_is_large_enough_and_says_nothing_on_the_console(
    tablet_of: TabletOf, room: Room, mouse: Subject, size: tuple[int, int], theme: str, screenshots: Path | None
) -> None:
    """Each state of the screen: nothing sticks out, targets of 56 px that are 8 px apart, text that can be read."""
    tablet = tablet_of(room.anna, size, color_scheme=theme)
    page = tablet.open("/surgery/")
    watch = Watch(page, tablet.url)
    shown: list[str] = []

    def look(name: str) -> None:
        saved(page)
        controls = OF_DIALOG if page.locator("dialog[open]").count() else CONTROLS
        small = [one for one in watch.controls(controls) if min(one["width"], one["height"]) < TARGET_PX - 0.5]
        assert [f"{one['width']}×{one['height']} {one['what']}" for one in small] == [], name
        assert page.evaluate(_APART, controls) == [], name
        assert watch.overflow() == [], name
        assert watch.faint() == [], name
        assert watch.small_print() == [], name
        if name == "operating":
            page.evaluate("scrollTo(0, 0)")
        shoot(page, screenshots, f"surgery-{theme}{'' if name == 'operating' else f'-{name}'}", whole=False)
        shown.append(name)

    look("choosing")
    page.locator("#find-animal").fill(mouse.nickname)  # others of the room fill the tiles
    page.locator(f'[data-animal="{mouse.nickname}"]').tap()
    look("animal")
    page.locator('[data-template="headplate, standard"]').tap()
    gloves = Gloves(page)
    first_half(gloves)
    gloves.tap(page.locator(".site", has_text="craniotomy VISp").get_by_role("button", name="Done"))
    look("operating")
    page.locator(".site-open").nth(1).tap()
    page.locator("#sites").scroll_into_view_if_needed()
    look("site")
    gloves.tap("#end")
    look("end")
    assert watch.problems == []
    assert len(shown) == 5
