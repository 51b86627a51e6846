"""Two animals are put into a cage and moved to another, without a mouse."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from subjects.models import Housing, Stay
from tests.admin.pages import url
from tests.factories.lab_days import LabDays
from tests.journeys.conftest import Opener
from tests.journeys.test_keyboard import tab_to
from tests.journeys.test_pages import picture
from tests.journeys.watch import Watch


def fits(watch: Watch) -> None:
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []


def choose(page: Page, label: str, words: str) -> None:
    """In a box that searches, by keyboard."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("l => document.activeElement.closest('.fieldBox, .form-row')?.innerText.startsWith(l)", label):
            break
    page.keyboard.press("Enter")
    page.keyboard.type(words)
    expect(page.locator(".select2-results__option--highlighted", has_text=words)).to_be_visible()
    page.keyboard.press("Enter")


@pytest.mark.parametrize(("viewport", "two"), [("tablet", ("KS_014", "KS_015")), ("desktop", ("KS_019", "KS_021"))])
def test_two_animals_are_housed_and_moved_by_keyboard(
    viewport: str, two: tuple[str, str], days: LabDays, opened: Opener, screenshots: Path | None
) -> None:
    first, second = f"{viewport} 1", f"{viewport} 2"
    watch = opened(url(Housing, "add"), viewport)
    page = watch.page
    fits(watch)
    picture(watch, screenshots, f"cage-add-{viewport}")
    tab_to(page, "Cage:")
    page.keyboard.type(first)
    choose(page, "Lab", days.lab.name)
    tab_to(page, "… or their names")
    page.keyboard.type(" ".join(two))
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"cage {first}")
    for name in two:
        expect(page.locator(".panel").first).to_contain_text(name)
    fits(watch)

    watch.open(url(Housing, "add"))
    tab_to(page, "Cage:")
    page.keyboard.type(second)
    choose(page, "Lab", days.lab.name)
    choose(page, "Move in", two[0])
    tab_to(page, "… or their names")
    page.keyboard.type(two[1].lower())
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.locator(".errorlist").first).to_contain_text(f"this moves {two[0]} from cage {first}")
    fits(watch)
    picture(watch, screenshots, f"cage-asked-{viewport}")
    tab_to(page, "It is right")
    page.keyboard.press("Space")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"cage {second}")
    fits(watch)
    picture(watch, screenshots, f"cage-{viewport}")
    now = Stay.objects.filter(ended_at__isnull=True, housing__cage_name=second)
    assert set(now.values_list("subject__nickname", flat=True)) == set(two)
    assert not Housing.objects.filter(cage_name=first, ended_at__isnull=True).exists()

    watch.open(url(Housing, "changelist"))
    expect(page.locator("#result_list")).to_contain_text(second)
    fits(watch)
    picture(watch, screenshots, f"cages-{viewport}")
    tab_to(page, second)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"cage {second}")
