"""Scans of the night: once for each local date, resumed where a killed one stopped, tried again while a place is away."""

from datetime import timedelta

import pytest

from alyx.core import clock
from datasets.models import Dataset, Repository
from tests.agent.place import Found
from transfers import tasks
from transfers.models import NightWindow, Scan
from transfers.models.window import WindowState
from transfers.rules.intake import Why
from transfers.services import scanning, scans, windows


def open_night(found: Found) -> None:
    """It is night at the lab's server, for some hours."""
    now = clock.now().astimezone(found.world.here.zone)
    begin = now - timedelta(minutes=1)
    Repository.objects.filter(pk=found.world.here.pk).update(
        window_start=begin.time(), window_end=(now + timedelta(hours=5)).time()
    )
    windows.open_windows()


def work() -> int:
    """What the tick asks for."""
    scans.begin_scans()
    return scanning.work_on_scans(budget_seconds=60)


def test_a_night_looks_twice_and_registers_what_is_finished(found: Found) -> None:
    found.put("alf/spikes.times.npy")
    open_night(found)
    assert work() == 1
    assert found.reasons() == {"alf/spikes.times.npy": Why.CHANGING}
    assert work() == 0, "the second look is not due"
    clock.advance(timedelta(minutes=16))
    assert work() == 1
    assert found.names() == {"alf/spikes.times.npy"}
    scan = Scan.objects.get()
    assert (scan.state, scan.passes, scan.registered, scan.problem) == ("done", 2, 1, "")


def test_a_night_is_scanned_once_whatever_ticks(found: Found) -> None:
    open_night(found)
    assert [work(), work(), work()] == [1, 0, 0]
    assert Scan.objects.count() == 1
    NightWindow.objects.update(state=WindowState.CLOSED)
    clock.advance(timedelta(days=1))
    open_night(found)
    assert work() == 1
    assert Scan.objects.values("local_date").distinct().count() == 2


def test_the_tick_begins_the_scan_and_the_job_does_it(found: Found) -> None:
    found.put("alf/unheard.of.npy")
    open_night(found)
    tasks.tick.apply(throw=True)
    assert Scan.objects.get().passes == 0
    tasks.scan.apply(throw=True)
    assert (Scan.objects.get().passes, found.reasons()) == (1, {"alf/unheard.of.npy": Why.NO_TYPE})


def test_only_repositories_of_labs_that_want_it_are_scanned(found: Found) -> None:
    found.allow(nightly=False)
    open_night(found)
    assert (scans.begin_scans(), work()) == (0, 0)


def test_two_workers_share_no_scan_and_a_lapsed_one_goes_on_at_its_page(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "PAGE", 2)
    for number in range(5):
        found.put(f"alf/p{number}/spikes.times.npy", bytes([number]))
    found.allow(quiet_minutes=0)
    open_night(found)
    scans.begin_scans()
    killed = scans.claim_scan()
    assert killed is not None
    scanning.one_pass(killed, go_on=lambda: False)
    assert len(found.names()) == 2
    assert work() == 0, "its lease still holds"
    clock.advance(scans.LEASE + timedelta(seconds=1))
    assert work() == 1
    assert len(found.names()) == 5
    assert (Scan.objects.get().passes, Scan.objects.get().registered) == (1, 5)
    with pytest.raises(scans.ScanLost):
        scanning.one_pass(killed)


def test_a_page_cut_short_is_begun_again_and_counted_once(found: Found) -> None:
    found.allow(quiet_minutes=0, create_sessions=True)
    for number in (1, 2, 3):
        found.put(f"/KS014/2026-03-09/00{number}/alf/spikes.times.npy", bytes([number]))
    open_night(found)
    scans.begin_scans()
    scan = scans.claim_scan()
    assert scan is not None
    assert not scanning.one_pass(scan, go_on=lambda: False).whole
    assert Dataset.objects.count() == 1
    assert scanning.one_pass(scan).whole
    scan.refresh_from_db()
    assert (scan.files, scan.known, scan.registered, scan.sessions_made, scan.passes) == (3, 1, 3, 2, 1)


def test_a_place_that_is_away_is_tried_again_until_its_night_ends(found: Found) -> None:
    found.put("alf/spikes.times.npy")
    found.allow(quiet_minutes=0)
    away = found.root.with_name("elsewhere")
    open_night(found)
    found.root.rename(away)
    work()
    scan = Scan.objects.get()
    assert (scan.state, Dataset.objects.count()) == ("open", 0)
    assert "Nothing was registered" in scan.problem
    away.rename(found.root)
    clock.advance(scans.TRY_AGAIN_AFTER + timedelta(minutes=1))
    work()
    assert (Scan.objects.get().state, Dataset.objects.count()) == ("done", 1)


def test_a_scan_whose_night_is_over_ends_and_says_what_it_could_not_see(found: Found) -> None:
    open_night(found)
    scans.begin_scans()
    clock.advance(timedelta(hours=6))
    assert work() == 1
    scan = Scan.objects.get()
    assert (scan.state, scan.problem) == ("done", "the night ended before everything was seen")
