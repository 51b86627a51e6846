"""The look at each repository before the night: once an evening, by each one's own clock; stored, shown, told."""

import io
import json
import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection

from alyx.core import clock
from alyx.core.status import Status
from alyx.labs.models import Delivery, Membership, Notification, Role, User
from datasets.models import FileRecord, Repository
from tests.transfers.world import World
from transfers.models import Preflight
from transfers.rules.errors import ErrorCode
from transfers.rules.preflight import Load, Seen, Verdict, judge, next_night, preflight_due
from transfers.services import night, preflight
from transfers.services.planning import plan_transfers

FIVE = time(17)
NEW_YORK = ZoneInfo("America/New_York")


# --- rules --------------------------------------------------------------------------------------------------------------


def test_an_evening_is_due_once_its_hour_has_come_and_is_caught_up_for_half_a_day() -> None:
    due = datetime(2026, 7, 1, 17, tzinfo=NEW_YORK).astimezone(UTC)
    assert preflight_due(due - timedelta(minutes=1), FIVE, NEW_YORK) is None
    assert preflight_due(due, FIVE, NEW_YORK) == date(2026, 7, 1)
    assert preflight_due(due + timedelta(hours=11, minutes=59), FIVE, NEW_YORK) == date(2026, 7, 1)
    assert preflight_due(due + timedelta(hours=12), FIVE, NEW_YORK) is None


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_each_local_date_has_one_evening_whatever_the_clock_does(zone: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    seen: list[date] = []
    while now < datetime(2027, 1, 2, tzinfo=UTC):
        day = preflight_due(now, time(2), ZoneInfo(zone))
        if day is not None and (not seen or seen[-1] != day):
            seen.append(day)
        now += timedelta(minutes=30)
    assert len(seen) == len(set(seen))
    assert {date(2026, 1, 2) + timedelta(days=n) for n in range(364)} <= set(seen)


def test_the_night_that_is_open_is_tonight() -> None:
    at = datetime(2026, 7, 2, 3, tzinfo=NEW_YORK).astimezone(UTC)
    assert next_night(at, time(2), time(8), NEW_YORK).local_date == date(2026, 7, 2)
    assert next_night(at + timedelta(hours=6), time(2), time(8), NEW_YORK).local_date == date(2026, 7, 3)


def verdict(**seen: Any) -> Verdict:
    return judge(Seen(**{"is_filled": True, "free_bytes": 1000, **seen}))


@pytest.mark.parametrize(
    ("code", "failing", "status"),
    [
        (ErrorCode.UNREACHABLE, "answers", Status.FAILED),
        (ErrorCode.AUTH_FAILED, "credential", Status.FAILED),
        (ErrorCode.CONSENT_REQUIRED, "consent", Status.FAILED),
        (ErrorCode.PAUSED, "not paused", Status.FAILED),
        (ErrorCode.CANARY_MISSING, "right disk", Status.CRITICAL),
        (ErrorCode.CANARY_WRONG, "right disk", Status.CRITICAL),
    ],
)
def test_what_failed_is_named_and_what_it_hides_is_not_called_fine(
    code: ErrorCode, failing: str, status: Status
) -> None:
    found = verdict(problem=code, detail="as seen", free_bytes=None)
    checks = {check.name: check.status for check in found.checks}
    names = list(checks)
    assert (found.status, checks[failing], found.needs_somebody) == (status, status, True)
    assert all(checks[name] is Status.FINE for name in names[: names.index(failing)])
    assert Status.FINE not in {checks[name] for name in names[names.index(failing) + 1 : -1]}
    assert found.what.endswith("(as seen)")


def test_every_code_gives_a_verdict_that_needs_somebody() -> None:
    assert all(verdict(problem=code).needs_somebody for code in ErrorCode)


@pytest.mark.parametrize(
    ("need", "status"), [(900, Status.FINE), (901, Status.WARNING), (1000, Status.WARNING), (1001, Status.FAILED)]
)
def test_room_is_weighed_against_what_comes_tonight(need: int, status: Status) -> None:
    found = verdict(comes=Load(3, need))
    assert found.status is status
    assert (found.problem is ErrorCode.NO_SPACE) == (status is Status.FAILED)
    assert not found.stops_the_place, "what fits is still moved"
    assert judge(Seen(is_filled=False, free_bytes=0, comes=Load(3, need))).status is Status.FINE


def test_a_server_that_cannot_be_written_is_not_ready_but_a_source_is() -> None:
    assert verdict(read_only=True).problem is ErrorCode.READ_ONLY
    assert judge(Seen(is_filled=False, read_only=True)).status is Status.FINE


def test_more_than_three_that_begin_together_are_a_warning_that_wakes_nobody() -> None:
    assert verdict(together=3).status is Status.FINE
    assert verdict(together=4).status is Status.WARNING
    assert not verdict(together=4).needs_somebody


# --- in the world -------------------------------------------------------------------------------------------------------


@pytest.fixture
def evening(world: World) -> World:
    """Five o'clock in London has just passed (noon in New York), tomorrow."""
    zone = world.here.zone
    day = clock.now().astimezone(zone).date() + timedelta(days=1)
    clock.advance(datetime.combine(day, FIVE, zone).astimezone(UTC) + timedelta(minutes=1) - clock.now())
    return world


def latest(place: Repository) -> Preflight:
    found: Preflight = Preflight.objects.filter(repository=place).latest("id")
    return found


def test_each_place_is_looked_at_once_in_its_own_evening(evening: World) -> None:
    assert [row.repository for row in preflight.look_at_due()] == [evening.here]
    assert not preflight.is_due()
    assert preflight.look_at_due() == []
    clock.advance(timedelta(hours=5))
    assert [row.repository for row in preflight.look_at_due()] == [evening.central]
    clock.advance(timedelta(hours=24))
    assert len(preflight.look_at_due()) == 2
    assert Preflight.objects.filter(by_hand=False).count() == 4


def test_two_who_look_at_once_make_one_row_and_one_news(evening: World) -> None:
    Path(evening.here.root).rename(f"{evening.here.root}.unplugged")

    def look() -> None:
        preflight.look_at_due()
        connection.close()

    threads = [Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Preflight.objects.count() == 1
    assert Notification.objects.filter(kind="repository_trouble").count() == 1


def test_one_who_dies_before_the_row_leaves_the_evening_to_the_next(
    evening: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(preflight, "_tell", _die)
        Path(evening.here.root).rename(f"{evening.here.root}.unplugged")
        assert preflight.look_at_due() == []
    assert (Preflight.objects.count(), Notification.objects.count()) == (0, 0)
    assert len(preflight.look_at_due()) == 1


def _die(*_: Any) -> None:
    raise RuntimeError("killed")


def test_free_space_and_tonights_need_are_on_record_planned_or_not(evening: World) -> None:
    evening.add_file(b"x" * 1000)
    evening.add_file(b"y" * 234)
    evening.add_file(b"z", hashed=False)
    plan_transfers(actor=None)
    evening.add_file(b"late" * 25)
    rows = {row.repository_id: row for row in preflight.look_by_hand(actor=None, repositories=places())}
    there, here = rows[evening.central.pk], rows[evening.here.pk]
    assert (there.need_files, there.need_bytes, there.need_unknown) == (4, 1334, 1)
    assert (here.send_files, here.send_bytes, here.need_files) == (4, 1334, 0)
    free = os.statvfs(evening.central.root)
    assert there.free_bytes == pytest.approx(free.f_bavail * free.f_frsize, rel=0.2)
    assert {row.status for row in rows.values()} == {"fine"}
    assert here.starts_at.astimezone(evening.here.zone).time() == time(2)


def places() -> list[Repository]:
    return list(Repository.objects.prefetch_related("labs").order_by("name"))


def test_nothing_is_needed_once_the_night_is_done(evening: World) -> None:
    from tests.transfers.world import run

    evening.add_file(b"x" * 1000)
    run()
    assert preflight.tonight() == {}


def test_an_unplugged_disk_is_told_to_those_who_manage_the_lab_and_stops_the_place(evening: World) -> None:
    manager = User.objects.create(username="manager", email="manager@lab.example")
    reader = User.objects.create(username="reader", email="reader@lab.example")
    Membership.objects.create(user=manager, lab=evening.lab, role=Role.DATA_MANAGER)
    Membership.objects.create(user=reader, lab=evening.lab, role=Role.READER)
    evening.add_file(b"abc")
    (Path(evening.here.root) / ".alyx-canary").write_text("somebody else's\n")
    before = list(FileRecord.objects.order_by("pk").values_list("pk", "state"))
    preflight.look_at_due()
    assert [delivery.user for delivery in Delivery.objects.all()] == [manager]
    news = Notification.objects.get(kind="repository_trouble")
    assert "Another disk is mounted here" in news.text
    assert "To act: the lab. Its night begins at 02:00 (Europe/London). 1 files wait for it." in news.text
    evening.here.refresh_from_db()
    assert evening.here.state == "quarantined"
    assert list(FileRecord.objects.order_by("pk").values_list("pk", "state")) == before
    from alyx.labs.mailing import send_due

    send_due()
    assert [sent.to for sent in mail.outbox] == [["manager@lab.example"]]


def test_all_well_tells_nobody(evening: World) -> None:
    evening.add_file(b"abc")
    preflight.look_at_due()
    assert (Preflight.objects.count(), Notification.objects.count()) == (1, 0)


def test_a_place_mended_in_the_evening_is_taken_into_use_by_the_tick(evening: World) -> None:
    mark = Path(evening.here.root) / ".alyx-canary"
    right = mark.read_text()
    mark.unlink()
    preflight.look_at_due()
    evening.here.refresh_from_db()
    assert (evening.here.state, latest(evening.here).problem) == ("quarantined", "canary_missing")
    mark.write_text(right)
    night.tick()
    evening.here.refresh_from_db()
    assert evening.here.state == "active"


def test_a_place_nobody_of_ours_reaches_is_said_so_and_troubles_nobody(evening: World) -> None:
    Repository.objects.filter(pk=evening.here.pk).update(root="")
    row = preflight.look_at_due()[0]
    assert (row.status, row.who) == ("neutral", "nobody")
    assert not Notification.objects.exists()


def test_what_was_found_is_not_rewritten(evening: World) -> None:
    preflight.look_at_due()
    with pytest.raises(ProgrammingError, match="Cannot update or delete"):
        Preflight.objects.update(status="fine")


def test_the_command_says_it_to_people_and_machines(evening: World) -> None:
    evening.add_file(b"abc")
    Path(evening.central.root).rename(f"{evening.central.root}.gone")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("preflight", "--json", "--check", stdout=out)
    assert ended.value.code == 3
    there, here = json.loads(out.getvalue())
    assert (there["repository"], there["problem"], there["need_files"]) == ("central_server", "unreachable", 1)
    assert (here["status"], here["send_bytes"]) == ("fine", 3)
    out = io.StringIO()
    call_command("preflight", "--lab", "cortexlab", stdout=out)
    assert "■ central_server" in out.getvalue()
    assert "To act: whoever runs the repository." in out.getvalue()
    assert not Notification.objects.exists()
    assert preflight.is_due(), "the evening's own look is made all the same"
    with pytest.raises(CommandError, match="there is no repository 'x'"):
        call_command("preflight", "--repository", "x")
