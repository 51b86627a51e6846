"""What the data manager sees in the morning after a night with planted faults, and what the buttons do."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker

from alyx.core import clock
from alyx.core.errors import Forbidden, Invalid
from alyx.labs.models import Notification, NotificationKind, Role
from datasets.models import Repository
from tests.factories.people import a_lab, a_member, a_superuser
from tests.transfers.faults import Planted, faulty_night
from tests.transfers.world import World, make_world
from transfers.models import Decision, TransferItem
from transfers.queries.morning import Morning, morning, sentence
from transfers.queries.needs import Need
from transfers.rules.errors import ErrorCode
from transfers.rules.needs import ACTS, Who
from transfers.services import acting

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def faulty(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Planted]]:
    """One night for all of these tests, committed; what each of them changes is rolled back."""
    folder = tmp_path_factory.mktemp("night")
    with django_db_blocker.unblock():
        assert connection.settings_dict["NAME"].startswith("test_"), "this fixture empties the database"
        try:
            clock.set_offset(timedelta(0))
            world = make_world(folder)
            yield world, faulty_night(world, folder)
        finally:
            call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def world(faulty: tuple[World, Planted]) -> World:
    return faulty[0]


@pytest.fixture
def planted(faulty: tuple[World, Planted]) -> Planted:
    return faulty[1]


def need(found: Morning, code: str) -> Need:
    """The largest group of this code."""
    return next(need for need in found.needs if need.key.code == code)


def set_state(place: Repository, state: str) -> None:
    Repository.objects.filter(pk=place.pk).update(state=state)


def test_every_code_has_something_to_do() -> None:
    assert set(ACTS) == set(ErrorCode)
    assert all(act.do and act.title and isinstance(act.who, Who) for act in ACTS.values())


def test_each_planted_fault_is_named_with_its_next_action(world: World, planted: Planted) -> None:
    found = morning([world.lab])
    (night,) = found.nights
    gone, changed, closed = (need(found, code) for code in ("source_vanished", "source_changed", "permission_denied"))
    assert [one.count for one in (gone, changed, closed)] == [1, 1, 1]
    assert all(one.needs_a_person and one.do and one.since for one in (gone, changed, closed))
    assert gone.title == f"file gone from {world.here.name}"
    assert "gone.times.npy"[:10] in gone.examples[0].path
    away = [one for one in found.needs if planted.mirror.name in one.title]
    assert {one.who for one in away} == {Who.KEEPER}, [one.title for one in found.needs]
    assert any(str(planted.mirror.root) in one.said for one in away)
    assert night.taken_over == 1
    assert night.replaced.files in {1, 2}  # at one server or at both
    failed = sum(one.count for one in found.needs if one.can_retry)
    assert (night.verified.files, night.failed.files) == (5, failed)
    apart = (night.verified, night.failed, night.moving, night.not_begun, night.waiting)
    assert night.expected.files == sum(part.files for part in apart)
    assert sentence(night).startswith("1 session expected, 0 verified")
    assert night.unprotected_since is not None


def test_the_page_says_it_in_few_statements_whatever_the_number_of_labs_and_files(
    world: World, planted: Planted, django_assert_max_num_queries: Any
) -> None:
    admin = Client()
    admin.force_login(a_superuser("admin"))
    admin.get("/admin/transfers/morning/")
    with django_assert_max_num_queries(28) as one_lab:
        admin.get("/admin/transfers/morning/")
    for _ in range(3):
        a_lab()
    with django_assert_max_num_queries(len(one_lab)):
        page = admin.get("/admin/transfers/morning/").content.decode()
    item = world.item(planted.vanished)
    assert f"/admin/transfers/transferitem/{item.pk}/change/" in page
    log = admin.get(f"/admin/transfers/transferitem/{item.pk}/change/").content.decode()
    assert "source_vanished" in log


def test_retry_tries_exactly_what_was_shown_once(world: World, planted: Planted) -> None:
    manager = a_member(world.lab, Role.DATA_MANAGER)
    found = morning([world.lab])
    late = world.item(planted.changed)
    TransferItem.objects.filter(pk=late.pk).update(last_error="failed again after the page was made")
    done = acting.retry_failed(actor=manager, lab=world.lab.pk, as_of=found.at)
    assert done.count == sum(one.count for one in found.needs if one.can_retry) - 1
    assert world.item(planted.vanished).state == world.item(planted.denied).state == "planned"
    assert world.item(planted.changed).state == "needs_human"
    assert acting.retry_failed(actor=manager, lab=world.lab.pk, as_of=found.at).count == 0


def test_retry_now_opens_the_source(world: World, planted: Planted) -> None:
    key = need(morning([world.lab]), "permission_denied").key
    world.path_of(planted.denied, world.here).chmod(0o644)
    done = acting.retry_failed(actor=a_superuser(), lab=world.lab.pk, key=key, now=True)
    assert (done.count, done.opened) == (1, 1)


def test_ignored_with_a_reason_it_stands_apart_until_it_is_tried_again(world: World, planted: Planted) -> None:
    manager = a_member(world.lab, Role.DATA_MANAGER)
    found = morning([world.lab])
    key = need(found, "source_vanished").key
    with pytest.raises(Invalid, match="why"):
        acting.ignore(actor=manager, key=key, as_of=found.at, reason=" ")
    assert acting.ignore(actor=manager, key=key, as_of=clock.now(), reason="pilot, never needed").count == 1
    assert acting.ignore(actor=manager, key=key, as_of=clock.now(), reason="again").count == 0
    after = morning([world.lab])
    assert [one.key.code for one in after.ignored] == ["source_vanished"]
    assert "pilot, never needed" in after.ignored[0].note
    assert after.nights[0].needs == found.nights[0].needs - 1
    acting.retry_items(actor=manager, items=[world.item(planted.vanished).pk])
    assert not Decision.objects.filter(ended_at=None).exists()


def test_a_place_is_ignored_only_for_this_episode(world: World, planted: Planted) -> None:
    manager = a_member(world.lab, Role.DATA_MANAGER)
    set_state(planted.mirror, "quarantined")
    key = need(morning([world.lab]), "quarantined").key
    acting.ignore(actor=manager, key=key, as_of=clock.now(), reason="at the repair shop")
    assert need(morning([world.lab]), "quarantined").is_ignored
    set_state(planted.mirror, "active")
    set_state(planted.mirror, "quarantined")
    Decision.objects.update(created_at=clock.now() - timedelta(days=1))  # in a test all is one moment
    assert not need(morning([world.lab]), "quarantined").is_ignored


def test_escalating_tells_the_heads_once(world: World, planted: Planted) -> None:
    head, manager = a_member(world.lab, Role.HEAD), a_member(world.lab, Role.DATA_MANAGER)
    key = need(morning([world.lab]), "source_changed").key
    for _ in range(2):
        acting.escalate(actor=manager, key=key, as_of=clock.now(), reason="who edited this?")
    news = Notification.objects.get(kind=NotificationKind.NIGHT_ESCALATED)
    assert "who edited this?" in news.text
    assert "changed.times" in news.text
    assert news.deliveries.filter(user=head).exists()
    assert need(morning([world.lab]), "source_changed").escalated_at is not None


@pytest.mark.parametrize("role", [Role.READER, Role.EXPERIMENTER])
def test_only_those_who_manage_the_lab_act(role: Role, world: World, planted: Planted) -> None:
    key = need(morning([world.lab]), "source_vanished").key
    for actor in (a_member(world.lab, role), a_member(a_lab(), Role.HEAD)):
        for act in (
            lambda: acting.retry_failed(actor=actor, lab=world.lab.pk),  # noqa: B023
            lambda: acting.ignore(actor=actor, key=key, as_of=clock.now(), reason="x"),  # noqa: B023
            lambda: acting.escalate(actor=actor, key=key, as_of=clock.now(), reason="x"),  # noqa: B023
            lambda: acting.retry_items(actor=actor, items=[world.item(planted.vanished).pk]),  # noqa: B023
        ):
            with pytest.raises(Forbidden):
                act()
    assert world.item(planted.vanished).state != "planned"


def test_the_buttons_of_the_page(world: World, planted: Planted) -> None:
    browser = Client()
    browser.force_login(a_member(world.lab, Role.DATA_MANAGER))
    found = morning([world.lab])
    sent = {"need": str(need(found, "source_vanished").key), "as_of": found.at.isoformat(), "do": "retry"}
    answer = browser.post("/admin/transfers/morning/", sent, follow=True)
    assert "Tried again: 1 file" in answer.content.decode()
    assert "Nothing was left" in browser.post("/admin/transfers/morning/", sent, follow=True).content.decode()
    refused = browser.post("/admin/transfers/morning/", {**sent, "do": "ignore", "need": "x"}, follow=True)
    assert "names no group" in refused.content.decode()
    stranger = Client()
    stranger.force_login(a_member(a_lab(), Role.HEAD))
    assert world.lab.name not in stranger.get("/admin/transfers/morning/").content.decode()
    assert "may not" in stranger.post("/admin/transfers/morning/", sent, follow=True).content.decode()
