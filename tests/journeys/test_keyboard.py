"""What people do on the pages, by keyboard alone; and what a page weighs."""

import re

from playwright.sync_api import Page, expect

from alyx.core.models import ReviewFlag
from datasets.models import FileRecord
from tests.admin.pages import url
from tests.factories.lab_days import LabDays
from tests.factories.people import PASSWORD
from tests.journeys.conftest import Opener

WEIGHT_AT_MOST = 200_000
"""Bytes of script and style of a page, as sent (compressed)."""


def tab_to(page: Page, name: str, limit: int = 80) -> None:
    """Press Tab until the control of this accessible name has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const e = document.activeElement;"
            " return e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].innerText)"
            " || e.innerText || e.value || ''; }"
        )
        if str(focused).strip().startswith(name):
            return
    message = f"Tab never comes to {name!r}"
    raise AssertionError(message)


def test_a_flag_is_found_and_decided_without_a_mouse(days: LabDays, opened: Opener) -> None:
    flag = ReviewFlag.objects.get(rule="unknown-procedures")
    watch = opened("/admin/")
    page = watch.page
    tab_to(page, "Review inbox")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviewflag/")
    tab_to(page, "procedures: nothing is named")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{flag.pk}/change/**")
    tab_to(page, "Why")
    page.keyboard.type("the word was made")
    tab_to(page, "Resolve")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("1 resolved")
    flag.refresh_from_db()
    assert (flag.state, flag.decision, flag.decided_by) == ("resolved", "the word was made", days.admin)
    assert watch.problems == []


def test_the_focus_can_be_seen(opened: Opener) -> None:
    page = opened("/admin/").page
    for name in ("Change password", "Subjects", "Find"):
        tab_to(page, name)
        outline = page.evaluate(
            "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
        )
        assert re.fullmatch(r"solid[23]px", outline), name


def test_the_first_tab_leads_past_the_header(opened: Opener) -> None:
    page = opened("/admin/").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_copies_are_verified_on_request_from_the_page(days: LabDays, opened: Opener) -> None:
    watch = opened(url(type(days.dataset), "change", days.dataset.pk), "tablet")
    watch.page.get_by_role("button", name="Verify all copies now").tap()
    expect(watch.page.locator(".messagelist")).to_contain_text("asked for")
    assert FileRecord.objects.filter(dataset=days.dataset, look_due_at__isnull=False).exists()
    assert watch.problems == []


def test_pasting_a_hash_in_the_box_leads_to_the_dataset(days: LabDays, opened: Opener) -> None:
    page = opened("/admin/", "tablet").page
    page.get_by_role("searchbox").fill(days.dataset.md5)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{days.dataset.pk}/change/")
    expect(page.locator("h1")).to_have_text(days.dataset.path)


def test_an_animal_is_made_by_form_and_a_refusal_loses_nothing(days: LabDays, opened: Opener) -> None:
    watch = opened(url(type(days.subject), "add"), "tablet")
    page = watch.page
    page.locator(".fieldBox.field-lab .select2-selection").click()
    page.keyboard.type("cortex")
    page.get_by_role("option", name="cortexlab", exact=True).click()
    page.locator("#id_nickname").fill("KS 100")
    page.get_by_label("Description").fill("a long description")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist").first).to_contain_text("folder")
    expect(page.get_by_label("Description")).to_have_value("a long description")
    page.locator("#id_nickname").fill("KS_100")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("KS_100")
    assert type(days.subject).objects.get(nickname="KS_100").description == "a long description"
    assert watch.problems == []


def test_filters_are_folded_on_a_tablet_and_open_on_a_desk(opened: Opener) -> None:
    address = url(FileRecord, "changelist")
    tablet, desk = opened(address, "tablet").page, opened(address, "desktop").page
    expect(desk.locator("#changelist-filter")).to_be_visible()
    expect(tablet.locator("#changelist-filter")).to_be_hidden()
    tablet.get_by_text("Filters").tap()
    expect(tablet.locator("#changelist-filter")).to_be_visible()


def test_logging_in_and_out_by_keyboard(days: LabDays, opened: Opener, site: str) -> None:
    window = opened("/admin/").page.context.browser
    assert window is not None
    page = window.new_page()
    page.goto(f"{site}/admin/")
    expect(page.locator("#id_username")).to_be_focused()
    page.keyboard.type(days.admin.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Today")
    tab_to(page, "Log out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)
    page.goto(f"{site}/admin/")
    assert "/login/" in page.url
    page.context.close()


def test_script_and_style_of_the_heaviest_page_are_light(days: LabDays, opened: Opener) -> None:
    watch = opened(url(type(days.session), "change", days.session.pk))
    watch.page.wait_for_load_state("networkidle")
    assert 10_000 < watch.weight <= WEIGHT_AT_MOST
