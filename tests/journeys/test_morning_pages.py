"""The morning after a night with planted faults, in the browser: each is named, and one click from its event log."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from django.db import connection
from playwright.sync_api import expect
from pytest_django import DjangoDbBlocker

from tests.factories.engine import a_found_file, a_scan
from tests.factories.lab_days import LabDays
from tests.journeys.conftest import Opener
from tests.journeys.test_pages import picture
from tests.transfers.faults import Planted, faulty_night
from tests.transfers.world import World, make_world
from transfers.rules.intake import Why
from transfers.services.looking import look_at_due

PAGE = "/admin/transfers/morning/?lab=nightlab"


@pytest.fixture(scope="module")
def faulty(
    days: LabDays, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Planted]]:
    """Beside the lab of the other pages, emptied with it."""
    folder = tmp_path_factory.mktemp("night")
    with django_db_blocker.unblock():
        world = make_world(folder, "_night")
        type(world.lab).objects.filter(pk=world.lab.pk).update(name="nightlab")
        world.lab.refresh_from_db()
        for number in range(3):
            a_found_file(world.lab, world.here, path=f"KS014/2026-03-09/001/alf/notes{number}.docx")
        a_found_file(world.lab, world.here, why=Why.CHANGING)
        scan = a_scan(world.here, files=31, known=27, waiting=1, left=3)
        type(scan).objects.filter(pk=scan.pk).update(state="done")
        yield world, faulty_night(world, folder)


@pytest.mark.parametrize(("viewport", "theme"), [("tablet", "light"), ("desktop", "dark"), ("desktop", "light")])
def test_the_morning_page_fits_and_names_each_fault(
    viewport: str, theme: str, faulty: tuple[World, Planted], opened: Opener, screenshots: Path | None
) -> None:
    watch = opened(PAGE, viewport, theme)
    if screenshots:  # the folders of this run do not belong into documentation
        root = str(Path(faulty[1].mirror.root).parents[1])
        watch.page.evaluate("root => document.body.innerHTML = document.body.innerHTML.replaceAll(root, '/srv')", root)
    picture(watch, screenshots, f"morning-{viewport}-{theme}")
    text = watch.page.inner_text("#content")
    for named in (
        "file gone from",
        "hash differs at",
        "permission denied at",
        faulty[1].mirror.name,
        "A worker died",
        "revised",
        "No dataset type or format fits its name",
        "31 files seen",
    ):
        assert named in text
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []


def test_one_click_to_the_event_log_and_one_button_to_retry(faulty: tuple[World, Planted], opened: Opener) -> None:
    watch = opened("/admin/")
    watch.page.get_by_role("link", name="Last night").first.click()
    watch.page.locator(".need", has_text="file gone from").get_by_role("link", name="gone.times").click()
    expect(watch.page.locator("#content")).to_contain_text("The file is not at the source any more")
    watch.open(PAGE)
    watch.page.locator("tr", has_text="No dataset type").get_by_role("link", name="3 files").click()
    expect(watch.page.locator("#result_list tbody tr")).to_have_count(3)
    watch.open(PAGE)
    watch.page.get_by_role("link", name="Repository health").first.click()
    expect(watch.page.locator("h1")).to_have_text("Repository health")
    watch.open(PAGE)
    watch.page.get_by_role("button", name="Retry failed set").click()
    expect(watch.page.locator(".messagelist")).to_contain_text("Tried again")
    assert watch.problems == []


def as_a_worker() -> None:
    """Looks, committed: this test's own connection is in a transaction."""

    def look() -> None:
        try:
            look_at_due(asked_only=True)
        finally:
            connection.close()

    worker = Thread(target=look)
    worker.start()
    worker.join()


@pytest.mark.parametrize("viewport", ["tablet", "desktop"])
def test_the_copies_of_a_dataset_are_verified_while_the_page_looks_on(
    viewport: str,
    faulty: tuple[World, Planted],
    opened: Opener,
    screenshots: Path | None,
) -> None:
    world, planted = faulty
    good = planted.good[0 if viewport == "tablet" else 1]
    world.path_of(good).write_bytes(b"damaged at rest")
    watch = opened(f"/admin/datasets/dataset/{good.pk}/change/", viewport)
    row = watch.page.locator(f"tr[data-copy='{world.copy(good).pk}']")
    row.get_by_role("button", name="Verify now").click()
    expect(row).to_contain_text("being read back")
    expect(watch.page.locator("#copies-say")).to_contain_text("1 being read back now")
    as_a_worker()
    expect(row).to_contain_text("suspect")
    expect(row).to_contain_text("a look found")
    expect(watch.page.locator("#copies-say")).to_contain_text(f"{world.central.name} is suspect")
    picture(watch, screenshots, f"copies-{viewport}-light")
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.faint() == []
