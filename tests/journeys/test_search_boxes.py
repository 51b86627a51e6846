"""Boxes that search choose what was typed, also when keys come faster than the page and its answers."""

from playwright.sync_api import expect

from subjects.models import Subject, Surgery
from tests.admin.pages import url
from tests.factories.lab_days import LabDays
from tests.journeys.conftest import Opener
from tests.journeys.test_surgery_pages import tab_until

BOX = ".field-subject .select2-selection--single"
HIGHLIGHTED = ".select2-results__option--highlighted"
FOCUS_AFTER_ENTER = """() => {
    const enter = {key: "Enter", keyCode: 13, which: 13, bubbles: true, cancelable: true};
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", enter));
    return document.activeElement.className;
}"""


def test_the_next_letter_after_opening_is_already_in_the_box(days: LabDays, opened: Opener) -> None:
    page = opened(url(Surgery, "add")).page
    tab_until(page, BOX)
    assert page.evaluate(FOCUS_AFTER_ENTER) == "select2-search__field"


def test_enter_before_the_answer_takes_what_was_typed_and_not_what_stood_there(days: LabDays, opened: Opener) -> None:
    wanted = Subject.objects.get(nickname="KS_021")
    page = opened(url(Surgery, "add")).page
    tab_until(page, BOX)
    page.keyboard.press("Enter")
    expect(page.locator(HIGHLIGHTED)).not_to_have_text(wanted.nickname)  # the first of all, before anything is typed
    page.keyboard.type(wanted.nickname)
    page.keyboard.press("Enter")  # a barcode reader sends it at once
    expect(page.locator(BOX)).to_contain_text(wanted.nickname)
    expect(page.locator("#id_subject")).to_have_value(str(wanted.pk))
    assert page.evaluate("box => document.activeElement.matches(box)", BOX)


def test_enter_twice_without_a_letter_chooses_nothing_before_it_is_seen(days: LabDays, opened: Opener) -> None:
    page = opened(url(Surgery, "add")).page
    tab_until(page, BOX)
    with page.expect_response("**/autocomplete/**"):
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
    expect(page.locator(HIGHLIGHTED)).to_be_visible()
    expect(page.locator("#id_subject")).to_have_value("")


def test_what_is_not_found_chooses_nothing(days: LabDays, opened: Opener) -> None:
    page = opened(url(Surgery, "add")).page
    tab_until(page, BOX)
    page.keyboard.press("Enter")
    expect(page.locator(HIGHLIGHTED)).to_be_visible()
    page.keyboard.type("KS_9999")
    page.keyboard.press("Enter")
    expect(page.locator(".select2-results")).to_contain_text("No results found")
    expect(page.locator("#id_subject")).to_have_value("")
