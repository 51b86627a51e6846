"""What the morning page says beside the night: places that the evening's look found not ready, files that no scan could register."""

from datetime import timedelta

import pytest
from django.test import Client

from alyx.core import clock
from alyx.labs.models import Role
from datasets.models import Repository
from tests.factories.engine import a_found_file, a_scan
from tests.factories.people import a_lab, a_member
from tests.transfers.world import World
from transfers.models import Decision, Preflight
from transfers.queries.morning import morning, sentence
from transfers.queries.nights import nights
from transfers.queries.places import place_troubles
from transfers.rules.intake import Why
from transfers.services import acting
from transfers.services.night import prepare
from transfers.services.windows import open_by_hand

PAGE = "/admin/transfers/morning/"


def a_look(place: Repository, status: str) -> Preflight:
    """As the evening writes it."""
    return Preflight.objects.create(
        repository=place,
        local_date=clock.now().date(),
        by_hand=True,
        status=status,
        problem="no_space" if status == "failed" else "",
        what="900 bytes come tonight, 100 are free",
        who="whoever runs the repository" if status == "failed" else "nobody",
        starts_at=clock.now(),
    )


def codes(world: World) -> list[str]:
    return [one.code for one in place_troubles([world.lab]) if one.place == world.central.pk]


def opened(world: World, role: Role = Role.DATA_MANAGER) -> Client:
    browser = Client()
    browser.force_login(a_member(world.lab, role))
    return browser


def test_a_place_that_is_not_ready_is_to_be_seen_to_until_a_look_finds_it_well(world: World) -> None:
    assert "not_ready" not in codes(world)
    a_look(world.central, "failed")
    (need,) = [one for one in morning([world.lab]).mine if one.key.code == "not_ready"]
    assert need.title == f"{world.central.name} is not ready for the night"
    assert "900 bytes come tonight" in need.said
    home = opened(world).get("/admin/").content.decode()
    assert "repositories the night cannot use" in home
    assert 'href="/admin/transfers/health/"' in home
    a_look(world.central, "fine")
    assert "not_ready" not in codes(world)


def test_a_place_that_is_out_of_use_is_said_once(world: World) -> None:
    a_look(world.central, "failed")
    Repository.objects.filter(pk=world.central.pk).update(state="blocked")
    assert codes(world) == ["blocked"]


@pytest.mark.parametrize("end", ["central", "here"])
def test_files_whose_place_is_out_of_use_wait_for_it_and_do_not_move(end: str, world: World) -> None:
    for content in (b"one", b"three"):
        world.add_file(content)
    open_by_hand(actor=None, repositories=[world.here])
    prepare()
    (before,) = nights([world.lab])
    assert (before.moving.files + before.not_begun.files, before.waiting.files) == (2, 0)
    place = getattr(world, end)
    Repository.objects.filter(pk=place.pk).update(state="quarantined")
    (night,) = nights([world.lab])
    assert (night.expected.files, night.moving.files, night.not_begun.files) == (2, 0, 0)
    assert (night.waiting.files, night.waiting.bytes, night.waiting.sessions) == (2, 8, 1)
    assert sentence(night) == f"1 session expected, 0 verified, 1 waiting for {place.name}"
    assert place.name in opened(world).get(PAGE).content.decode().partition("What must be done")[0]


def test_what_was_ignored_stays_so_while_each_evening_finds_the_same(world: World) -> None:
    a_look(world.central, "failed")
    key = next(one.key for one in morning([world.lab]).mine if one.key.code == "not_ready")
    manager = a_member(world.lab, Role.DATA_MANAGER)
    acting.ignore(actor=manager, key=key, as_of=clock.now(), reason="new disks come on Friday")
    Decision.objects.update(created_at=clock.now() + timedelta(seconds=1))  # in a test all is one moment
    a_look(world.central, "failed")
    assert [one.key for one in morning([world.lab]).ignored] == [key]


def test_what_no_scan_could_register_is_one_click_from_its_list(world: World) -> None:
    for _ in range(2):
        mine = a_found_file(world.lab, world.here)
    a_found_file(world.lab, world.here, why=Why.CHANGING)
    a_found_file(a_lab())
    a_scan(world.here, files=7, known=4, left=2, problem="one folder could not be read")
    browser = opened(world)
    page = browser.get(PAGE).content.decode()
    assert "What the last scan could not register (3 files)" in page
    assert "7 files seen, 4 registered before, 2 left over. one folder could not be read" in page
    assert "No dataset type or format fits its name" in page
    listed = f"/admin/transfers/foundfile/?why__exact=no_type&lab__id__exact={world.lab.pk}"
    assert listed.replace("&", "&amp;") in page
    assert browser.get(listed).content.decode().count(mine.path.rsplit("/", 1)[1]) >= 2
    assert Client().get(PAGE).status_code == 302
