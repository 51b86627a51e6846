"""Directories with limits: jobs go as fast as their places allow, stop where nothing may be moved, and go on where they stopped;
nobody is asked to do anything."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from alyx.core import clock
from alyx.core.status import Status
from alyx.labs.models import Role
from datasets.models import FileRecord, Repository
from datasets.rules.bandwidth import Hours, parse
from datasets.rules.copies import CopyState
from tests.factories.people import a_member
from tests.kill.test_matrix import in_child, pass_time, work
from tests.transfers.doors import Doors
from tests.transfers.world import World, assert_converged, make_world, run
from transfers.backends.base import LeaseLost, OutOfHours
from transfers.models import Attempt, ReadingTurn, TransferItem, TransferJob
from transfers.queries import explain, status
from transfers.queries.morning import morning
from transfers.queries.places import place_troubles
from transfers.rules.pacing import NOTICED_S
from transfers.rules.preflight import Load, Seen, Tonight, judge
from transfers.rules.routing import Bounds
from transfers.services import pacing, packing, preflight
from transfers.services.leases import claim_job, claimable
from transfers.services.looking import look_at_due
from transfers.services.moving import drive_job
from transfers.services.night import prepare
from transfers.services.pacing import TURN_S, Pace, reading_at
from transfers.services.windows import open_by_hand

KB = 1000
SIZES = (700 * KB, 300 * KB, 20 * KB)


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Doors:
    """All doors are counted."""
    counted = Doors()
    monkeypatch.setattr(pacing, "make_door", counted.make)
    return counted


def limit(place: Repository, text: str) -> None:
    """What may be moved there."""
    parse(text)
    Repository.objects.filter(pk=place.pk).update(bandwidth=text)
    place.refresh_from_db()


def around_now(place: Repository, what: str, *, hours: int = 1) -> str:
    """A stretch from an hour ago until `hours` from now, by the clock of the place."""
    now = clock.now().astimezone(place.zone)
    began, ends = now - timedelta(hours=1), now + timedelta(hours=hours)
    return f"{began:%H:%M}-{ends:%H:%M} {what}"


def add_files(world: World) -> None:
    for number, size in enumerate(SIZES):
        world.add_file(bytes([number]) * size)


def begin(world: World) -> list[Any]:
    """A window opened by hand, everything planned and packed."""
    windows = [window.pk for window in open_by_hand(actor=None, repositories=[world.here])]
    prepare()
    return windows


# --- limits --------------------------------------------------------------------------------------------------------------


def test_bytes_flow_no_faster_than_either_end_allows_and_proofs_count(world: World, doors: Doors) -> None:
    add_files(world)
    limit(world.here, "00:00-24:00 200 kB/s")
    limit(world.central, "00:00-24:00 50 kB/s")
    run()
    assert_converged(world)
    assert doors.bytes_at(world.here.name) == sum(SIZES), "read once"
    assert doors.bytes_at(world.central.name) == 2 * sum(SIZES), "written, and read back"
    for place, rate in ((world.here, 200 * KB), (world.central, 50 * KB)):
        doors.assert_never_above(place.name, rate)
    assert doors.seconds_at(world.central.name) == pytest.approx(2 * sum(SIZES) / (50 * KB), rel=0.1), "nor much slower"
    assert not Attempt.objects.exclude(outcome="done").exists()


def test_a_limit_of_hours_that_are_not_now_slows_nothing(world: World, doors: Doors) -> None:
    add_files(world)
    later = clock.now().astimezone(world.here.zone) + timedelta(hours=3)
    limit(world.here, f"{later:%H}:00-{later:%H}:59 1 kB/s")
    before = doors.clock.now
    run()
    assert_converged(world)
    assert doors.clock.now == before


def test_jobs_share_the_limit_of_a_place_and_a_newcomer_waits_to_be_noticed(
    world: World, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "JOB", Bounds(1, 1 << 30))
    add_files(world)
    limit(world.central, "00:00-24:00 100 kB/s")
    windows = begin(world)
    held = claim_job(windows=windows)
    assert held is not None, "another worker moves the first"
    began = doors.clock.now
    driven = drive_job(windows=windows)
    assert driven is not None
    size = TransferJob.objects.get(pk=driven).bytes_total
    log = doors.passed[world.central.name]
    assert log[0][0] - began == pytest.approx(NOTICED_S)
    doors.assert_never_above(world.central.name, 50 * KB)
    assert sum(passed for _, passed in log) == 2 * size
    held.release()


def test_a_job_whose_worker_died_counts_until_its_lease_has_lapsed(world: World, doors: Doors) -> None:
    add_files(world)
    limit(world.central, "00:00-24:00 100 kB/s")
    windows = begin(world)
    assert claim_job(windows=windows) is not None
    pace = Pace(lambda: True)
    pace.backend(world.central)
    pace.begin()
    assert pace.rate == 50 * KB
    pass_time(timedelta(minutes=1))
    pace.begin()
    assert pace.rate == 100 * KB


def test_a_changed_setting_holds_for_a_job_that_runs(
    world: World, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "ASK_S", 0.0)
    add_files(world)
    limit(world.here, "00:00-24:00 1 kB/s")
    lifted = doors.clock.now + 30

    def sleep(seconds: float) -> None:
        doors.clock.now += seconds
        if doors.clock.now >= lifted:
            Repository.objects.filter(pk=world.here.pk).update(bandwidth="")

    monkeypatch.setattr(doors.clock, "sleep", sleep)
    run()
    assert_converged(world)
    assert doors.clock.now < lifted + 60, "at 1 kB/s it would have been a quarter of an hour"


# --- hours at which nothing may be moved ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["here", "central"])
def test_where_nothing_may_be_moved_nothing_begins_and_nobody_is_needed(world: World, doors: Doors, end: str) -> None:
    add_files(world)
    place = getattr(world, end)
    limit(place, around_now(place, "nothing"))
    opens = place.hours.opens_at(clock.now())
    run()
    assert (doors.passed, TransferJob.objects.count()) == ({}, 0)
    assert set(TransferItem.objects.values_list("state", "attempts")) == {("planned", 0)}
    found = status()
    [hold] = found.holds
    assert (hold.files, hold.until, hold.who) == (len(SIZES), opens, "nobody")
    assert f"waits until {opens.astimezone(place.zone):%H:%M} ({place.timezone})" in hold.says
    assert found.needs_a_person == 0
    told = next(copy for copy in explain(world.datasets[0]).copies if copy["repository"] == world.central.name)
    assert "waits until" in told["why"]
    assert told["next_at"] >= opens
    pass_time(timedelta(hours=2))
    run()
    assert_converged(world)


def test_a_job_that_was_packed_before_is_not_begun(world: World) -> None:
    add_files(world)
    windows = begin(world)
    limit(world.central, around_now(world.central, "nothing"))
    assert TransferJob.objects.count() == 1
    assert (claim_job(windows=windows), claimable()) == (None, 0)
    limit(world.central, "")
    assert claim_job(windows=windows) is not None


def test_a_running_job_stops_at_the_next_piece_and_goes_on_where_it_stopped(world: World, doors: Doors) -> None:
    world.add_file(b"x" * (700 * KB))
    limit(world.here, "00:00-24:00 100 kB/s")
    doors.shut_after = (world.here.name, 300 * KB)
    windows = begin(world)
    assert drive_job(windows=windows) is not None
    limit(world.here, around_now(world.here, "nothing"))
    job = TransferJob.objects.get()
    assert (job.state, job.lease_owner, job.claims) == ("submitted", "", 0)
    staged = sum(path.stat().st_size for path in world.staged())
    assert 0 < staged <= 300 * KB
    assert doors.bytes_at(world.here.name) == staged
    assert drive_job(windows=windows) is None, "not before its hours open"
    [told] = status().jobs
    assert told["waits"].startswith("waits until")
    browser = Client()
    browser.force_login(a_member(world.lab, Role.DATA_MANAGER))
    assert "waits until" in browser.get(f"/admin/transfers/transferjob/{job.pk}/change/").content.decode()
    limit(world.here, "")
    pass_time(timedelta(hours=20))  # its window has closed long ago: what was begun is ended
    assert drive_job(windows=[]) is not None
    assert_converged(world)
    assert doors.bytes_at(world.here.name) == 700 * KB, "nothing was read twice"
    assert set(TransferItem.objects.values_list("state", "attempts")) == {("done", 1)}
    assert set(Attempt.objects.values_list("outcome", flat=True)) <= {"done"}


def test_a_proof_stops_as_well_and_nothing_is_copied_again(world: World, doors: Doors) -> None:
    world.add_file(b"x" * (700 * KB))
    limit(world.central, "00:00-24:00 100 kB/s")
    doors.shut_after = (world.central.name, 800 * KB)  # in the middle of reading back
    windows = begin(world)
    assert drive_job(windows=windows) is not None
    assert set(TransferItem.objects.values_list("state", flat=True)) == {"verifying"}
    limit(world.central, "")
    assert drive_job(windows=windows) is not None
    assert_converged(world)
    assert doors.bytes_at(world.here.name) == 700 * KB


def test_a_worker_killed_in_a_paced_job_changes_nothing_but_time(world: World, tmp_path: Path) -> None:
    for number in range(3):
        world.add_file(bytes([number]) * (300 * KB))
    for place in (world.here, world.central):
        limit(place, "00:00-24:00 20 MB/s")
        now = clock.now().astimezone(place.zone)
        began, ends = (now - timedelta(minutes=5)).time(), (now + timedelta(hours=5)).time()
        Repository.objects.filter(pk=place.pk).update(window_start=began, window_end=ends)
    assert in_child(work, "posix.mid_write")
    limit(world.central, around_now(world.central, "nothing"))
    pass_time(timedelta(minutes=4))
    work()
    assert [one.code for one in place_troubles([world.lab])] == [], "it waits for the hours, not for a worker"
    limit(world.central, "00:00-24:00 20 MB/s")
    for _ in range(4):
        work()
        pass_time(timedelta(minutes=3))
    assert_converged(world)


# --- reading copies ------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_central(world: World) -> World:
    """A claim at the central store, to be read back."""
    dataset = world.add_file(b"y" * (400 * KB), at=world.central)
    FileRecord.objects.filter(dataset=dataset).update(look_due_at=clock.now())
    return world


def test_reading_copies_back_obeys_the_limit_and_the_hours(at_central: World, doors: Doors) -> None:
    central = at_central.central
    limit(central, around_now(central, "nothing"))
    looked = look_at_due(asked_only=True)
    assert looked.total == 0
    assert looked.unseen_places[central.name].startswith("waits until")
    limit(central, "00:00-24:00 100 kB/s")
    assert look_at_due(asked_only=True).total == 1
    doors.assert_never_above(central.name, 100 * KB)
    assert doors.bytes_at(central.name) == 400 * KB
    assert at_central.copy(at_central.datasets[0]).state == CopyState.VERIFIED
    assert not ReadingTurn.objects.exists()


def test_one_reader_at_a_time_and_jobs_reckon_with_it_until_it_lapses(world: World) -> None:
    limit(world.central, "00:00-24:00 100 kB/s")

    def share() -> float | None:
        pace = Pace(lambda: True)
        pace.backend(world.central)
        pace.begin()
        return pace.rate

    with reading_at(world.central) as (_, pace):
        assert (pace.rate, share()) == (100 * KB, 50 * KB)
        with pytest.raises(LeaseLost), reading_at(world.central):
            pass
        pass_time(timedelta(seconds=TURN_S + 1))
        assert share() == 100 * KB, "a killed reader is forgotten"
    limit(world.central, around_now(world.central, "nothing"))
    with pytest.raises(OutOfHours), reading_at(world.central):
        pass


# --- the evening before --------------------------------------------------------------------------------------------------


def test_the_evenings_look_says_what_cannot_fit_into_tonights_hours_and_how_it_was_reckoned() -> None:
    spans = ((20_000_000, 4 * 3600.0), (0, 2 * 3600.0))
    tonight = Tonight(Load(3, 200_000_000_000), Load(1, 1_000_000_000), spans)
    found = judge(Seen(True, free_bytes=10**13, tonight=tonight))
    assert found.status is Status.WARNING
    assert not found.needs_somebody
    for part in (
        "288000000000 bytes pass (20 MB/s x 4.0 h + nothing x 2.0 h)",
        "401000000000 have to (2 x 200000000000 to come",
    ):
        assert part in found.what
    fits = Tonight(Load(1, 1_000), Load(), spans)
    assert judge(Seen(True, free_bytes=10**13, tonight=fits)).status is Status.FINE
    huge = Tonight(Load(1, 9_000, largest=9_000), Load(), spans, in_one_go=8_000)
    assert (
        "a file of 9000 bytes comes, and between two closed hours at most 8000 pass"
        in judge(Seen(True, tonight=huge)).what
    )
    unlimited = Tonight(Load(1, 10**15), Load(), ((None, 60.0), *spans))
    assert judge(Seen(True, free_bytes=10**16, tonight=unlimited)).status is Status.FINE


def test_the_look_asks_the_hours_of_the_windows_of_those_that_send(world: World) -> None:
    world.add_file(b"z" * 500)
    Repository.objects.filter(pk=world.here.pk).update(window_start="02:00", window_end="04:00")
    limit(world.central, "00:00-24:00 1 kB/s")
    clock.set_offset(datetime(2026, 7, 1, 20, tzinfo=UTC) - (clock.now()))
    [row] = preflight.look_by_hand(actor=None, repositories=[world.central])
    assert ["hours", "fine", ""] in row.checks
    FileRecord.objects.filter(repository=world.central).update(size_bytes=None)
    world.datasets[0].size_bytes = 4_000_000
    world.datasets[0].save()
    [row] = preflight.look_by_hand(actor=None, repositories=[world.central])
    assert "7200000 bytes pass (1 kB/s x 2.0 h), and 8000000 have to" in row.what
    limit(world.central, "00:00-12:00 nothing")  # all of the window, by New York's clock: 21:00 to 23:00
    limit(world.central, "20:00-24:00 nothing")
    [row] = preflight.look_by_hand(actor=None, repositories=[world.central])
    assert f"shares no hour with {world.here.name}" in row.what


# --- what people see -----------------------------------------------------------------------------------------------------


def test_pages_and_commands_say_until_when_it_waits(world: World) -> None:
    add_files(world)
    limit(world.central, around_now(world.central, "nothing"))
    run()
    opens = world.central.hours.opens_at(clock.now())
    assert opens is not None
    waits = f"waits until {opens.astimezone(world.central.zone):%H:%M}"
    told = io.StringIO()
    call_command("transfers", "status", stdout=told)
    assert waits in told.getvalue()
    assert "bandwidth: nothing until" in told.getvalue()
    told = io.StringIO()
    call_command("transfers", "status", "--json", stdout=told)
    assert json.loads(told.getvalue())["holds"][0]["files"] == len(SIZES)
    found = morning([world.lab])
    assert found.mine == found.by_itself == []
    [night] = found.nights
    assert (night.waiting.files, night.held_by, night.needs) == (len(SIZES), [world.central.name], 0)
    told = io.StringIO()
    call_command("transfers", "morning", stdout=told)
    assert waits in told.getvalue()
    browser = Client()
    browser.force_login(a_member(world.lab, Role.DATA_MANAGER))
    page = browser.get("/admin/transfers/morning/").content.decode()
    assert waits in page
    assert "It goes on by itself." in page
    page = browser.get("/admin/transfers/health/").content.decode()
    assert "nothing until" in page
    assert f"{len(SIZES)} files wait for hours" in page
    item = browser.get("/transfers/items", headers={"accept": "application/json"}).json()["results"][0]
    assert item["next"].startswith("waits until")


def test_two_places_that_share_no_hour_need_the_data_manager(world: World) -> None:
    add_files(world)
    now = clock.now()
    began, ends = now - timedelta(hours=6), now + timedelta(hours=6)
    for place, first, second in ((world.here, began, ends), (world.central, ends, began)):
        zone = place.zone
        limit(place, f"{first.astimezone(zone):%H:%M}-{second.astimezone(zone):%H:%M} nothing")
    run()
    [hold] = status().holds
    assert (hold.until, hold.who) == (None, "the data manager")
    assert "share no hour" in hold.says


def test_the_hours_of_other_labs_are_not_in_the_way(world: World, tmp_path: Path) -> None:
    other = make_world(tmp_path / "other", "_other")
    limit(other.here, "08:00-07:59 nothing")
    add_files(world)
    run()
    assert_converged(world)
    assert (
        Hours.of(other.here.bandwidth, other.here.zone).limit_at(
            datetime.combine(date(2026, 1, 1), datetime.min.time(), UTC)
        )
        == 0
    )
