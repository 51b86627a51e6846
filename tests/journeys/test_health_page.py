"""Repository health, as people see it before they go home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from datasets.models import Repository
from tests.factories.lab_days import LabDays
from tests.journeys.conftest import Opener
from tests.journeys.test_pages import picture
from tests.transfers.world import make_world
from transfers.services.preflight import look_by_hand


@pytest.fixture(scope="module")
def evening(
    days: LabDays, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Two labs: one is ready, the other's central place is another disk and its own server is silent."""
    folder = tmp_path_factory.mktemp("evening")
    with django_db_blocker.unblock():
        well, ill = make_world(folder / "well", "_well"), make_world(folder / "ill", "_ill")
        for world in (well, ill):
            for number in range(3):
                world.add_file(b"x" * 40_000 * (number + 1))
        made = Repository.objects.filter(labs__in=[well.lab, ill.lab]).prefetch_related("labs")
        look_by_hand(actor=None, repositories=list(made))
        (Path(ill.central.root) / ".alyx-canary").write_text("another\n")
        Path(ill.here.root).rename(folder / "unplugged")
        look_by_hand(actor=None, repositories=list(made))
    yield
    with django_db_blocker.unblock():
        made.update(state="retired")


@pytest.mark.parametrize(("viewport", "theme"), [("tablet", "light"), ("desktop", "light"), ("tablet", "dark")])
def test_the_page_fits_is_quiet_and_says_who_has_to_act(
    viewport: str, theme: str, evening: None, opened: Opener, screenshots: Path | None
) -> None:
    watch = opened("/admin/transfers/health/", viewport, theme)
    text = watch.page.locator(".health").inner_text()
    assert "2 of" in text
    assert "Another disk is mounted here" in text
    assert "To act: the lab." in text
    assert text.index("cortexlab_ill") < text.index("cortexlab_well")
    picture(watch, screenshots, f"repository-health-{viewport}-{theme}")
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []
