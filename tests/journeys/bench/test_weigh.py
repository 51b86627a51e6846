"""The weighing round on a tablet, as journey J2 has it: counted taps, and with everything that goes wrong beside a scale."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from alyx.core import clock
from alyx.core.models import JournalEntry
from alyx.labs.models import Delivery, Notification
from subjects.models import Subject, WaterAdministration, Weighing
from tests.factories.weighing_round import Mice, twelve_mice
from tests.journeys.bench.conftest import TabletOf
from tests.journeys.bench.served import Bench
from tests.journeys.bench.tablets import LYING, UPRIGHT
from tests.journeys.watch import Watch

WEIGHTS = ["24.1", "23.9", "23.6", "24", "21.9", "23.8", "23.7", "24.2", "23.9", "23.5", "24.05", "23.4"]
"""Of the twelve, in order; the fifth is below its minimum."""
ONLY_HERE = re.compile("on this tablet|being sent")
TAPS_AT_MOST = 14
TARGET_PX, APART_PX = 56, 8
SIZES = pytest.mark.parametrize("size", [UPRIGHT, LYING], ids=["upright", "lying"])


@pytest.fixture
def mice(up: Bench) -> Mice:
    """Of this test alone."""
    return up.do(twelve_mice)


@dataclass
class Hand:
    """Fingers on a tablet; taps on digits and Enter are counted apart."""

    page: Page
    taps: int = 0
    digits: int = 0
    enters: int = 0
    typed: list[str] = field(default_factory=list)

    def tap(self, what: Locator) -> None:
        """Anything but the number pad."""
        what.tap()
        self.taps += 1

    def keys(self, text: str) -> None:
        """On the number pad."""
        for key in text:
            self.page.locator(f'.key[data-key="{key}"]').tap()
            self.digits += 1

    def weigh(self, text: str) -> None:
        """A number and Enter, for whatever animal is at work."""
        self.keys(text)
        with stored(self.page):
            self.page.locator('.key[data-key="Enter"]').tap()
        self.enters += 1
        self.typed.append(text)


def row(page: Page, mouse: Subject) -> Locator:
    """Its row."""
    return page.locator(f'.row[data-id="{mouse.pk}"]')


def at_work(page: Page, mouse: Subject) -> None:
    """Wait until its box has the focus."""
    expect(page.locator(f"#g-{mouse.pk}")).to_be_focused()


@contextmanager
def stored(page: Page) -> Iterator[None]:
    """Wait until the device has written down what is tapped in the block: some milliseconds."""
    before = page.locator("#weigh").get_attribute("data-stored") or "0"
    yield
    expect(page.locator("#weigh")).to_have_attribute("data-stored", str(int(before) + 1))


def all_saved(page: Page) -> None:
    """Wait until nothing is only on the tablet."""
    expect(page.locator("#bench-status")).to_have_attribute("data-state", "confirmed", timeout=60_000)


def weights(mice: Mice) -> list[list[float]]:
    """Of each mouse in order, what stands of today."""
    today = clock.utc_to_wall(clock.now(), mice.lab.timezone).date()
    rows = Weighing.objects.shown().filter(subject__in=mice.mice, at_wall__date=today).order_by("at")
    return [[row.weight_g for row in rows if row.subject_id == mouse.pk] for mouse in mice.mice]


def expected(typed: list[str]) -> list[list[float]]:
    """One weight for each."""
    return [[float(text.replace(",", "."))] for text in typed]


@SIZES
def test_twelve_mice_are_weighed_in_few_taps(size: tuple[int, int], tablet_of: TabletOf, mice: Mice) -> None:
    tablet = tablet_of(mice.kate, size)
    page = tablet.context.pages[0]  # type: ignore[union-attr]
    page.goto(f"{tablet.url}/admin/")
    hand = Hand(page)
    hand.tap(page.get_by_role("link", name="Weigh", exact=True))
    for mouse, text in zip(mice.mice, WEIGHTS, strict=True):
        at_work(page, mouse)
        hand.weigh(text)
    light = row(page, mice.mice[4])
    expect(light.locator(".stand")).to_have_text("■ 84.2 % below")
    expect(light.locator(".give")).to_have_text("Give 0.70 mL")
    with stored(page):
        light.locator(".give").dblclick()  # a trembling finger gives once
    hand.taps += 1
    expect(light.locator(".supplement")).to_be_hidden()
    expect(light.locator(".due")).to_have_text("all given")
    expect(page.locator(".done h2")).to_have_text("12 of 12 weighed ✓")
    expect(page.locator(".done .left")).to_be_hidden()
    all_saved(page)
    assert (hand.enters, hand.digits) == (12, sum(len(text) for text in WEIGHTS))
    assert hand.taps <= TAPS_AT_MOST
    assert hand.taps == 2
    assert weights(mice) == expected(WEIGHTS)
    given = WaterAdministration.objects.filter(subject=mice.mice[4], session_id=None)
    assert list(given.values_list("volume_ml", flat=True)) == [0.7]
    told = Notification.objects.get(object_id=mice.mice[4].pk, kind="underweight")
    assert Delivery.objects.filter(notification=told, user=mice.kate).exists()


@SIZES
def test_nothing_is_lost_or_doubled_whatever_fails(
    size: tuple[int, int], tablet_of: TabletOf, up: Bench, mice: Mice
) -> None:
    tablet = tablet_of(mice.kate, size)
    page = tablet.open("/weigh/")
    tablet.ready_offline()
    hand = Hand(page)
    left = iter(zip(mice.mice, WEIGHTS, strict=True))

    def weigh(count: int) -> None:
        for _ in range(count):
            mouse, text = next(left)
            at_work(hand.page, mouse)
            hand.weigh(text)

    weigh(2)
    all_saved(page)
    tablet.cut()
    weigh(2)
    expect(page.locator("#bench-status")).to_contain_text("saved on this tablet (2 not sent)")
    expect(row(page, mice.mice[3]).locator(".mark")).to_have_text(ONLY_HERE)
    hand.keys("21.")  # half a number, and the page is gone
    page.reload()
    page.wait_for_selector("body[data-started=yes]")
    at_work(page, mice.mice[4])
    expect(page.locator(f"#g-{mice.mice[4].pk}")).to_have_value("21.")
    next(left)
    hand.weigh("9")  # it goes on where it was
    tablet.mend()
    weigh(1)
    all_saved(page)
    up.kill()
    weigh(2)
    expect(row(page, mice.mice[7]).locator(".mark")).to_have_text(ONLY_HERE)
    tablet.kill()  # the browser, at once
    tablet.start()
    page = hand.page = tablet.open("/weigh/")
    expect(page.locator(".progress")).to_have_text("8/12")
    weigh(1)
    up.start()
    weigh(1)
    give = row(page, mice.mice[4]).locator(".give")
    with stored(page):
        give.tap()
    up.kill()
    weigh(2)
    page.reload()
    page.wait_for_selector("body[data-started=yes]")
    expect(page.locator(".done h2")).to_have_text("12 of 12 weighed ✓")
    up.start()
    all_saved(page)
    assert weights(mice) == expected(WEIGHTS)
    entries = JournalEntry.objects.filter(user=mice.kate)
    assert sorted(entries.values_list("kind", flat=True)) == ["weighing.water"] + ["weighing.weight"] * 12
    assert set(entries.values_list("state", flat=True)) == {"done"}
    given = WaterAdministration.objects.filter(subject=mice.mice[4], user=mice.kate, session_id=None)
    assert list(given.values_list("volume_ml", flat=True)) == [0.7]


def test_an_implausible_number_asks_in_its_row_and_stops_nobody(tablet_of: TabletOf, mice: Mice) -> None:
    page = tablet_of(mice.kate).open("/weigh/")
    at_work(page, mice.mice[0])
    hand = Hand(page)
    first, second, third = mice.mice[:3]
    for text in ("2.41", "19", "23.9"):
        hand.weigh(text)
    at_work(page, mice.mice[3])
    asked = row(page, first).locator(".asked")
    expect(asked).to_contain_text("2.41 g is asked about")
    expect(asked).to_contain_text("23.5 g on")
    expect(page.locator(".progress")).to_have_text("1/12")
    all_saved(page)
    assert weights(mice)[:3] == [[], [], [23.9]]
    with stored(page):
        row(page, first).get_by_role("button", name="Correct").tap()
    at_work(page, first)
    hand.weigh("24.1")
    with stored(page):
        row(page, second).get_by_role("button", name="It is right").tap()
    expect(page.locator(".progress")).to_have_text("3/12")
    expect(row(page, second).locator(".asked")).to_have_count(0)
    expect(row(page, second).locator(".stand")).to_contain_text("critical")
    all_saved(page)
    assert weights(mice)[:3] == [[24.1], [19.0], [23.9]]
    assert not JournalEntry.objects.filter(user=mice.kate, state__in=["asked", "kept"]).exists()
    expect(row(page, third).locator(".asked")).to_have_count(0)


def test_a_mouse_of_another_cage_is_asked_about(tablet_of: TabletOf, mice: Mice) -> None:
    page = tablet_of(mice.kate).open("/weigh/?cage=7")
    expect(page.locator(".row")).to_have_count(3)
    at_work(page, mice.mice[0])
    stranger = mice.mice[4]
    page.locator(".done button").first.focus()  # a scanner types into whatever has the focus
    page.keyboard.type(f"{stranger.nickname}\n")
    at_work(page, stranger)
    hand = Hand(page)
    hand.weigh("24")
    expect(row(page, stranger).locator(".asked")).to_contain_text(
        f"{stranger.nickname} is in cage 9, and in cage 7 was at work"
    )
    all_saved(page)
    assert weights(mice)[4] == []
    at_work(page, mice.mice[0])
    hand.weigh("24")
    with stored(page):
        row(page, stranger).get_by_role("button", name="It is right").tap()
    expect(row(page, stranger).locator(".mark")).to_contain_text("saved")
    assert (weights(mice)[0], weights(mice)[4]) == ([24.0], [24.0])


def test_a_cage_is_scanned_also_without_a_network(tablet_of: TabletOf, mice: Mice) -> None:
    tablet = tablet_of(mice.kate)
    page = tablet.open("/weigh/")
    expect(page.locator(".row")).to_have_count(12)
    tablet.cut()
    page.locator("#find").fill("cage:9")
    page.locator("#find").press("Enter")
    expect(page.locator(".row")).to_have_count(4)
    expect(row(page, mice.free).locator(".last")).to_have_text("numbers not on this tablet")
    row(page, mice.free).locator(".grams").fill("25,2")
    with stored(page):
        row(page, mice.free).locator(".grams").press("Enter")
    expect(row(page, mice.free).locator(".mark")).to_have_text(ONLY_HERE)
    tablet.mend()
    all_saved(page)
    assert list(Weighing.objects.filter(subject=mice.free).order_by("at").values_list("weight_g", flat=True)) == [
        25.0,
        25.2,
    ]


def test_commas_scales_and_slips(tablet_of: TabletOf, mice: Mice) -> None:
    page = tablet_of(mice.kate).open("/weigh/")
    box = page.locator(f"#g-{mice.mice[0].pk}")
    at_work(page, mice.mice[0])
    box.press_sequentially("23,4", delay=60)
    expect(row(page, mice.mice[0]).locator(".stand")).to_contain_text("89.4 %")
    with stored(page):
        box.press("Enter")
    at_work(page, mice.mice[1])
    page.keyboard.type("ST,GS,+0023.61g\n\n")  # a scale
    at_work(page, mice.mice[2])
    third = page.locator(f"#g-{mice.mice[2].pk}")
    for wrong in ("12..4", "1,234.5", "0"):
        third.fill(wrong)
        third.press("Enter")
        expect(row(page, mice.mice[2]).locator(".hint")).to_be_visible()
        at_work(page, mice.mice[2])
    third.fill("23.8")
    expect(row(page, mice.mice[2]).locator(".hint")).to_be_hidden()
    with stored(page):
        third.press("Enter")
    all_saved(page)
    assert weights(mice)[:4] == [[23.4], [23.61], [23.8], []]


def test_the_last_one_is_undone_and_a_number_is_corrected(tablet_of: TabletOf, mice: Mice) -> None:
    page = tablet_of(mice.kate).open("/weigh/")
    at_work(page, mice.mice[0])
    hand = Hand(page)
    hand.weigh("24.1")
    hand.weigh("23.9")
    with stored(page):
        page.locator(".card .undo").tap()
    at_work(page, mice.mice[1])
    expect(page.locator(".progress")).to_have_text("1/12")
    hand.weigh("23.8")
    row(page, mice.mice[0]).locator(".grams").tap()
    hand.weigh("24.2")
    expect(row(page, mice.mice[0]).locator(".asked")).to_have_count(0)
    all_saved(page)
    assert weights(mice)[:2] == [[24.2], [23.8]]
    assert Weighing.objects.filter(subject=mice.mice[0], withdrawn_at__isnull=False).count() == 1


def test_two_people_at_the_same_round(tablet_of: TabletOf, mice: Mice) -> None:
    mine, theirs = tablet_of(mice.kate), tablet_of(mice.omar)
    page, other = mine.open("/weigh/"), theirs.open("/weigh/")
    at_work(page, mice.mice[0])
    mine.cut()
    Hand(other).weigh("23.7")
    all_saved(other)
    hand = Hand(page)
    hand.weigh("23.6")
    hand.weigh("23.9")
    mine.mend()
    asked = row(page, mice.mice[0]).locator(".asked")
    expect(asked).to_contain_text(f"{mice.omar.username} weighed {mice.mice[0].nickname} that day at")
    expect(asked).to_contain_text("23.7 g")
    all_saved(page)
    assert weights(mice)[:2] == [[23.7], [23.9]]
    with stored(page):
        asked.get_by_role("button", name="Correct").tap()
    page.locator(f"#g-{mice.mice[0].pk}").press("Escape")
    page.locator(f"#g-{mice.mice[0].pk}").press("Enter")
    expect(row(page, mice.mice[0]).locator(".last")).to_contain_text(f"by {mice.omar.username}")
    expect(page.locator(".progress")).to_have_text("2/12")
    other.evaluate("window.dispatchEvent(new Event('online'))")  # it reads again
    expect(row(other, mice.mice[1]).locator(".last")).to_contain_text(f"by {mice.kate.username}")


def test_two_tabs_of_one_tablet_show_the_same(tablet_of: TabletOf, mice: Mice) -> None:
    tablet = tablet_of(mice.kate)
    first, second = tablet.open("/weigh/"), tablet.tab("/weigh/")
    first.bring_to_front()
    row(first, mice.mice[0]).locator(".grams").tap()
    Hand(first).weigh("24.1")
    expect(row(second, mice.mice[0]).locator(".grams")).to_have_value("24.1")
    second.bring_to_front()
    row(second, mice.mice[1]).locator(".grams").tap()
    Hand(second).weigh("23.9")
    expect(row(first, mice.mice[1]).locator(".grams")).to_have_value("23.9")
    all_saved(first)
    assert weights(mice)[:2] == [[24.1], [23.9]]


def test_what_happened_meanwhile_is_kept_with_what_to_do(tablet_of: TabletOf, up: Bench, mice: Mice) -> None:
    tablet = tablet_of(mice.kate)
    page = tablet.open("/weigh/")
    dead, renamed, moved, well = mice.mice[:4]
    at_work(page, dead)
    tablet.cut()

    def meanwhile() -> None:
        today = clock.utc_to_wall(clock.now(), mice.lab.timezone).date()
        Subject.objects.filter(pk=dead.pk).update(
            died_on=today.replace(day=1) if today.day > 1 else today.replace(year=today.year - 1)
        )
        Subject.objects.filter(pk=renamed.pk).update(nickname="OTHER_NAME")
        Subject.objects.filter(pk=moved.pk).update(cage_name="99")

    up.do(meanwhile)
    hand = Hand(page)
    for text in WEIGHTS[:4]:
        hand.weigh(text)
    tablet.mend()
    waits = page.locator(".done .left")
    expect(waits).to_contain_text("Waits for your answer: 2")
    expect(page.get_by_text("is called OTHER_NAME now")).to_be_visible()
    expect(page.get_by_text("is in cage 99 now, and was in cage 7")).to_be_visible()
    all_saved(page)
    assert weights(mice)[:4] == [[], [], [], [24.0]]
    with stored(page):
        row(page, renamed).get_by_role("button", name="It is right").tap()
    with stored(page):
        row(page, moved).get_by_role("button", name="It is right").tap()
    expect(row(page, moved).locator(".asked")).to_have_count(0)
    all_saved(page)
    assert weights(mice)[:4] == [[], [23.9], [23.6], [24.0]]
    page.goto(f"{tablet.url}/bench/kept/")
    expect(page.locator("#kept")).to_contain_text("died on")
    assert JournalEntry.objects.get(user=mice.kate, state="kept").body["weight"] == 24.1
    assert well in mice.mice


def test_the_keyboard_is_enough(tablet_of: TabletOf, mice: Mice) -> None:
    page = tablet_of(mice.kate, LYING).open("/weigh/")
    at_work(page, mice.mice[0])

    def keys(*names: str) -> None:
        for name in names:
            page.keyboard.press(name, delay=40)

    keys(*"17", "Enter")
    at_work(page, mice.mice[1])
    keys("ArrowUp")
    at_work(page, mice.mice[0])
    keys("Tab")
    expect(page.get_by_role("button", name=f"It is right: 17 g for {mice.mice[0].nickname}")).to_be_focused()
    keys("Tab")
    expect(page.get_by_role("button", name="Correct")).to_be_focused()
    keys("Enter")
    at_work(page, mice.mice[0])
    keys(*"21,9", "Enter")
    at_work(page, mice.mice[1])
    keys("ArrowUp", "Tab", "Tab", "Enter")
    expect(row(page, mice.mice[0]).locator(".due")).to_have_text("all given")
    at_work(page, mice.mice[0])
    keys("ArrowDown")
    at_work(page, mice.mice[1])
    for mouse, text in list(zip(mice.mice, WEIGHTS, strict=True))[1:]:
        at_work(page, mouse)
        keys(*text, "Enter")
    expect(page.locator(".done h2")).to_be_focused()
    keys("Tab")
    expect(page.locator(".done .undo")).to_be_focused()
    keys("Enter")
    expect(page.locator(".progress")).to_have_text("11/12")
    at_work(page, mice.mice[11])
    all_saved(page)
    assert weights(mice) == [[21.9], *expected(WEIGHTS[1:11]), []]


# How it looks.

APART = """([selector, apart]) => {
    const boxes = [...document.querySelectorAll(selector)].filter(one => one.checkVisibility() && !one.closest("[hidden]"))
        .map(one => [one, one.getBoundingClientRect()]).filter(([, box]) => box.width > 1);
    const found = [];
    for (const [one, a] of boxes) for (const [other, b] of boxes) {
        if (one === other || one.contains(other) || other.contains(one)) continue;
        if (!one.closest(".work") !== !other.closest(".work")) continue;  // the list scrolls away below it
        if (!one.closest("header") !== !other.closest("header")) continue;
        const x = Math.max(a.left - b.right, b.left - a.right), y = Math.max(a.top - b.bottom, b.top - a.bottom);
        if (Math.max(x, y) < apart - 0.5) found.push(`${Math.max(x, y)} ${one.outerHTML.slice(0, 80)} | ${other.outerHTML.slice(0, 80)}`);
    }
    return found;
}"""
NAMELESS = """() => [...document.querySelectorAll("#weigh input, #weigh button")]
    .filter(one => !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim())).map(one => one.outerHTML)"""
CONTROLS = "#weigh button, #weigh input, #weigh select, #weigh a, #weigh summary, .bench-head a"


def looked_at(watch: Watch) -> None:
    """Fits, can be touched, can be read, is quiet."""
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.faint() == []
    assert watch.small_print() == []
    small = [one for one in watch.controls(CONTROLS) if min(one["height"], one["width"]) < TARGET_PX - 0.5]
    assert small == []
    assert watch.page.evaluate(APART, [CONTROLS, APART_PX]) == []
    assert watch.page.evaluate(NAMELESS) == []


def with_all_states(page: Page, mice: Mice) -> None:
    """Fine, below, close, asked about, and one at work."""
    hand = Hand(page)
    at_work(page, mice.mice[0])
    for text in ("24.1", "21.9", "22.4", "17"):
        hand.weigh(text)
    expect(page.locator(".asked")).to_have_count(1)
    all_saved(page)
    hand.keys("23.8")


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (UPRIGHT, {"color_scheme": "light"}),
        (LYING, {"color_scheme": "dark"}),
        (UPRIGHT, {"color_scheme": "dark", "contrast": "more"}),
        (LYING, {"color_scheme": "light", "contrast": "more"}),
    ],
    ids=["upright-light", "lying-dark", "upright-contrast-dark", "lying-contrast-light"],
)
def test_it_fits_and_can_be_touched_and_read(
    size: tuple[int, int], options: dict[str, Any], tablet_of: TabletOf, mice: Mice
) -> None:
    tablet = tablet_of(mice.kate, size, **options)
    page = tablet.context.pages[0]  # type: ignore[union-attr]
    watch = Watch(page, tablet.url)
    tablet.open("/weigh/")
    with_all_states(page, mice)
    looked_at(watch)
    if (folder := os.environ.get("ALYX_SCREENSHOTS")) and "contrast" not in options:
        page.screenshot(path=Path(folder) / f"weigh-{options['color_scheme']}.png")


@pytest.mark.parametrize("how", ["zoomed", "large text"])
def test_twice_as_large_it_still_works(how: str, tablet_of: TabletOf, mice: Mice) -> None:
    size = (410, 590) if how == "zoomed" else UPRIGHT
    tablet = tablet_of(mice.kate, size)
    page = tablet.context.pages[0]  # type: ignore[union-attr]
    watch = Watch(page, tablet.url)
    tablet.open("/weigh/")
    if how == "large text":
        page.evaluate("document.documentElement.style.fontSize = '200%'")
    with_all_states(page, mice)
    looked_at(watch)
    expect(page.locator(f"#g-{mice.mice[4].pk}")).to_be_in_viewport()
