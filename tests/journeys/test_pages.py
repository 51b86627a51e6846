"""Every page, at two sizes and in two themes: nothing sticks out, nothing complains, everything can be touched."""

from pathlib import Path

import pytest
from django.contrib import admin

from tests.admin.pages import PAGES, url
from tests.factories.lab_days import LabDays
from tests.journeys.conftest import Opener
from tests.journeys.watch import Watch

LISTS = {f"list-{model._meta.model_name}": url(model, "changelist") for model in PAGES}
OTHERS = [
    "first",
    "dataset",
    "session",
    "subject",
    "subject-add",
    "repository-add",
    "item",
    "flag",
    "found",
    "history",
    "copy",
]
KEPT = {
    "dataset-desktop-light": "dataset",
    "list-dataset-tablet-light": "datasets-tablet",
    "list-reviewflag-desktop-light": "inbox",
    "first-desktop-light": "first-page",
    "morning-desktop-light": "morning",
    "morning-tablet-light": "morning-tablet",
    "water-history-desktop": "water-history",
    "water-round-tablet": "water-round-tablet",
    "water-training-desktop": "water-training",
}
"""Pictures that the documentation shows; `make screenshots` makes them anew."""
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "screenshots"


def address(page: str, days: LabDays) -> str:
    """Where a page is."""
    from alyx.core.models import ReviewFlag

    if page in LISTS:
        return LISTS[page]
    flag = ReviewFlag.objects.filter(state="open").first()
    assert flag is not None
    return {
        "first": "/admin/",
        "dataset": url(type(days.dataset), "change", days.dataset.pk),
        "session": url(type(days.session), "change", days.session.pk),
        "subject": url(type(days.subject), "change", days.subject.pk),
        "subject-add": url(type(days.subject), "add"),
        "repository-add": "/admin/datasets/repository/add/",
        "item": url(type(days.item), "change", days.item.pk),
        "flag": url(ReviewFlag, "change", flag.pk),
        "found": "/admin/find/?q=KS",
        "history": url(type(days.dataset), "history", days.dataset.pk),
        "copy": url(type(days.item.copy), "change", days.item.copy.pk),
    }[page]


def picture(watch: Watch, folder: Path | None, name: str) -> None:
    if folder is None:
        return
    if name in KEPT:
        DOCUMENTATION.mkdir(parents=True, exist_ok=True)
        watch.page.screenshot(path=DOCUMENTATION / f"{KEPT[name]}.png", animations="disabled")
    watch.page.screenshot(path=folder / f"{name}.png", full_page="list-" not in name, animations="disabled")


WINDOWS = [("tablet", "light"), ("desktop", "dark"), ("desktop", "light"), ("tablet", "dark")]
ALIKE = sorted(set(LISTS) - {"list-dataset", "list-reviewflag"})
EVERYWHERE = [(page, *window) for page in [*OTHERS, *sorted(set(LISTS) - set(ALIKE))] for window in WINDOWS]
IN_TWO = [(page, *window) for number, page in enumerate(ALIKE) for window in WINDOWS[number % 2 * 2 :][:2]]
"""Lists are alike: most of them at each size and in each theme once."""


@pytest.mark.parametrize(("page", "viewport", "theme"), [*EVERYWHERE, *IN_TWO])
def test_a_page_fits_is_quiet_and_can_be_touched(
    page: str, viewport: str, theme: str, days: LabDays, opened: Opener, screenshots: Path | None
) -> None:
    watch = opened(address(page, days), viewport, theme)
    picture(watch, screenshots, f"{page}-{viewport}-{theme}")
    assert watch.page.url.startswith(watch.site + address(page, days).split("?")[0])
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []


def test_every_registered_page_is_looked_at() -> None:
    assert len(LISTS) == len(admin.site._registry)
