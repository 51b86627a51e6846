"""A standard headplate surgery with gloves on: counted taps, no keyboard; and whatever fails meanwhile, nothing is lost or doubled."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from alyx.core.clock import now, utc_to_wall
from alyx.core.models import Note
from subjects.models import Drug, Headplate, ProcedureType, Subject, Surgery, SurgeryTemplate
from tests.factories import a_restriction, a_subject, a_weighing
from tests.journeys.bench.conftest import Room, TabletOf
from tests.journeys.bench.served import Bench
from tests.journeys.bench.tablets import LYING, UPRIGHT
from tests.journeys.watch import Watch

MOST_TAPS = 25
TARGET_PX = 56
BOTH = pytest.mark.parametrize("size", [UPRIGHT, LYING], ids=["upright", "lying"])
CONTROLS = "#surgery button, #surgery input:not(.file), #surgery select, #surgery textarea, #surgery .camera, dialog[open] button, dialog[open] input"
_APART = """selector => {
    const boxes = [...document.querySelectorAll(selector)].filter(one => one.checkVisibility()).map(one => [one, one.getBoundingClientRect()]);
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
                {"part": "implant", "kind": "probe", "name": "probe00", "target": "CA1", "ap_mm": -2.0, "ml_mm": 1.5, "depth_mm": 4.0},
            ],
            "implant_weight_g": 1.4,
            "post_op_days": [1, 2, 3],
        }
        template = SurgeryTemplate.objects.create(lab=room.lab, name="headplate, standard", content=content)
        return template, carprofen

    def mice() -> Iterator[Subject]:
        for number in range(1, 100):
            yield bench.do(lambda number=number: _mouse(room, f"OP_{number:03d}", number))

    return Theatre(*bench.do(made), mice())


def _mouse(room: Room, nickname: str, number: int) -> Subject:
    today = utc_to_wall(now(), room.lab.timezone).replace(microsecond=0)
    mouse = a_subject(
        room.lab,
        nickname,
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
    tablet_of: TabletOf, room: Room, theatre: Theatre, mouse: Subject, size: tuple[int, int], screenshots: Path | None, tmp_path: Path
) -> None:
    tablet = tablet_of(room.anna, size)
    page = tablet.open("/surgery/")
    typed: list[str] = []
    page.expose_function("typed", lambda key: typed.append(key))
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
    shoot(page, screenshots, f"surgery-{size[0]}")
    second_half(gloves)
    shoot(page, screenshots, f"surgery-{size[0]}-ended")
    assert gloves.taps <= MOST_TAPS, f"{gloves.taps} taps"
    assert typed == []
    saved(page)
    surgery = the_surgery(mouse)
    assert stored(surgery) == gloves.tapped
    assert Note.objects.filter(object_id=surgery.pk).count() == 2
    assert (surgery.outcome_type, surgery.implant_weight_g, surgery.checks.count()) == ("r", 1.4, 3)
    assert surgery.drugs_given.get(drug=theatre.carprofen).volume_ml == 0.12
    assert list(surgery.users.all()) == [room.anna]
