"""Weight and water as people use it: the plot and its numbers, a round by keyboard alone, the week at a glance."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect
from pytest_django import DjangoDbBlocker

from alyx.labs.models import User, WelfarePolicy
from subjects.models import WaterRestriction, Weighing
from tests.admin.pages import url
from tests.factories.lab_days import LabDays
from tests.factories.water_weeks import WaterWeeks, some_weeks
from tests.journeys.conftest import Opener
from tests.journeys.test_keyboard import WEIGHT_AT_MOST, tab_to
from tests.journeys.test_pages import picture

ROUND = "/admin/subjects/weighing/round/"
DRAWN = """selector => [...document.querySelectorAll(selector)].map(canvas => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, seen = new Set();
    for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] > 250) seen.add((pixels[i] << 16) + (pixels[i + 1] << 8) + pixels[i + 2]);
    return seen.size;
})"""
"""How many colours each plot holds."""


@pytest.fixture(scope="module")
def weeks(days: LabDays, django_db_blocker: DjangoDbBlocker) -> WaterWeeks:
    """In the lab of the other journeys, committed."""
    with django_db_blocker.unblock():
        type(days.lab).objects.filter(pk=days.lab.pk).update(reference_weight_pct=0.85)
        return some_weeks(days.lab, [User.objects.get(username=name) for name in ("kate", "rig_3a")])


@pytest.fixture(autouse=True)
def own_filters(days: LabDays, weeks: WaterWeeks) -> Iterator[None]:
    """What a test weighs is taken back, so that the order of the tests does not matter."""
    before = set(Weighing.objects.values_list("pk", flat=True))
    yield
    Weighing.objects.exclude(pk__in=before).delete()


def address(page: str, weeks: WaterWeeks) -> str:
    """Where a page is."""
    animals = {
        "history": weeks.trained,
        "history-thin": weeks.thin,
        "history-dead": weeks.dead,
        "history-unknown": weeks.unknown,
    }
    if page in animals:
        return reverse("admin:water_history", args=[animals[page].pk])
    return {
        "round": ROUND,
        "training": "/admin/training/?lab=all&user=",
        "weighings": url(Weighing, "changelist"),
        "restriction": f"{url(WaterRestriction, 'add')}?subject={weeks.unknown.pk}",
        "policy": url(WelfarePolicy, "add"),
        "curve": "/admin/subjects/growthpoint/load/",
    }[page]


PAGES = [
    "history",
    "history-thin",
    "history-dead",
    "history-unknown",
    "round",
    "training",
    "weighings",
    "restriction",
    "policy",
    "curve",
]


@pytest.mark.parametrize("viewport", ["tablet", "desktop"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_water_fits_is_quiet_and_can_be_touched(
    page: str, viewport: str, weeks: WaterWeeks, opened: Opener, screenshots: Path | None
) -> None:
    watch = opened(address(page, weeks), viewport, "dark" if page == "history-thin" else "light")
    picture(watch, screenshots, f"water-{page}-{viewport}")
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []


def test_the_plot_is_drawn_and_light(weeks: WaterWeeks, opened: Opener) -> None:
    watch = opened(address("history", weeks))
    watch.page.wait_for_load_state("networkidle")
    weights, waters = watch.page.evaluate(DRAWN, "#water-plot canvas")
    assert min(weights, waters) > 5
    assert 40_000 < watch.weight <= WEIGHT_AT_MOST


def test_a_day_under_the_cursor_says_its_values_and_who_entered_them(weeks: WaterWeeks, opened: Opener) -> None:
    watch = opened(address("history", weeks))
    told = watch.page.locator("#water-told")
    expect(told).to_contain_text("expected")
    over = watch.page.locator("#water-plot .u-over").first
    box = over.bounding_box()
    assert box is not None
    over.hover(position={"x": box["width"] * 0.5, "y": box["height"] * 0.5})
    expect(told).to_contain_text("by kate")
    expect(told).to_contain_text("of expected")
    first = told.inner_text()
    watch.page.locator("#water-plot").focus()
    watch.page.keyboard.press("ArrowLeft")
    expect(told).not_to_have_text(first)
    watch.page.keyboard.press("Home")
    expect(told).to_contain_text("not restricted")
    assert watch.problems == []


def test_a_number_is_opened_by_keyboard_and_leads_to_what_it_is_made_of(weeks: WaterWeeks, opened: Opener) -> None:
    watch = opened(address("history", weeks))
    page = watch.page
    page.locator("button[popovertarget^=percentage]").first.focus()
    page.keyboard.press("Enter")
    why = page.locator(".why:popover-open")
    expect(why).to_contain_text("100·(w − iw)/(ew − iw)")
    expect(why.get_by_role("link", name="weighing of")).to_be_visible()
    why.get_by_role("button", name="calculated").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[id^=expected_g]:popover-open")).to_be_visible()
    page.keyboard.press("Escape")  # back to the percentage
    expect(page.locator("[id^=expected_g]:popover-open")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator(".why:popover-open")).to_have_count(0)
    page.locator("button[popovertarget^=percentage]").first.press("Enter")
    page.locator(".why:popover-open").get_by_role("link", name="weighing of").click()
    page.wait_for_url("**/weighing/*/change/**")
    assert watch.problems == []


def test_a_number_is_opened_and_closed_by_touch(weeks: WaterWeeks, opened: Opener) -> None:
    watch = opened(address("history", weeks), "tablet")
    watch.page.locator("button[popovertarget^=expected_ml]").first.tap()
    why = watch.page.locator(".why:popover-open")
    expect(why).to_contain_text("0.04·(w − iw)")
    assert watch.too_small() == []
    why.get_by_role("button", name="Close").tap()
    expect(why).to_have_count(0)
    assert watch.problems == []


def test_other_days_are_chosen_by_form(weeks: WaterWeeks, opened: Opener) -> None:
    page = opened(address("history", weeks), "tablet").page
    page.get_by_role("link", name="half a year").tap()
    expect(page.get_by_role("link", name="half a year")).to_have_attribute("aria-current", "true")
    page.locator("input[name=from]").fill("2026-01-05")
    page.locator("input[name=to]").fill("2026-01-01")
    page.get_by_role("button", name="Show").tap()
    expect(page.locator(".errornote")).to_contain_text("comes after")


def test_a_round_is_weighed_by_keyboard_alone(weeks: WaterWeeks, opened: Opener) -> None:
    watch = opened(ROUND)
    page = watch.page
    for subject in weeks.restricted:
        expect(page.get_by_role("link", name=subject.nickname)).to_be_visible()
    expect(page.get_by_label("Weight of WA_003 in grams")).to_be_focused()
    for typed in ("24.5", "23.9", "24.6", "9"):  # cage 7: WA_003, WA_004; cage 12: WA_001, WA_002
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("3 rows saved")
    expect(page.locator(".reason")).to_contain_text("WA_002: -")
    expect(page.get_by_label("Weight of WA_002 in grams")).to_have_value("9")
    expect(page.get_by_label("Weight of WA_002 in grams")).to_be_focused()
    tab_to(page, "It is right")
    page.keyboard.press("Space")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("1 row saved")
    expect(page.locator("body")).to_contain_text("4 of 4 weighed today")
    stored = {
        one.subject.nickname: one.weight_g for one in Weighing.objects.order_by("created_at").select_related("subject")
    }
    assert {name: stored[name] for name in ("WA_001", "WA_002", "WA_003", "WA_004")} == {
        "WA_001": 24.6, "WA_002": 9.0, "WA_003": 24.5, "WA_004": 23.9,
    }  # fmt: skip
    page.reload()
    assert Weighing.objects.filter(weight_g=9.0).count() == 1
    assert watch.problems == []


def test_the_week_leads_to_what_is_due(weeks: WaterWeeks, opened: Opener) -> None:
    watch = opened("/admin/")
    page = watch.page
    page.get_by_role("link", name="Training").first.click()
    page.wait_for_url("**/admin/training/**")
    expect(page.locator(".week tbody tr").last).to_contain_text("done")
    expect(page.locator(".week tbody tr").last).to_contain_text("WA_003")
    page.get_by_role("link", name="Previous week").click()
    expect(page.locator(".week tbody tr").first).to_contain_text("trained")
    expect(page.locator(".week")).not_to_contain_text("Due today")
    page.get_by_role("link", name="This week").click()
    row = page.locator(".week tbody tr", has_text="WA_001")
    row.get_by_role("link", name="give").click()
    page.wait_for_url("**/wateradministration/add/**")
    expect(page.locator("#id_subject option")).to_have_text("WA_001")
    assert float(page.locator("#id_volume_ml").input_value()) > 0
    assert watch.problems == []
