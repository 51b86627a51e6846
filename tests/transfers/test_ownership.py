"""Who may write: leases, fences, races of two workers, and a frozen worker that wakes up late."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from alyx.core import clock
from datasets.models import Dataset, FileRecord
from datasets.rules.copies import CopyState
from tests.transfers.world import World, assert_converged, run
from transfers.backends.base import LeaseLost
from transfers.models import NightWindow, TransferItem, TransferJob
from transfers.rules.lifecycle import LEASE_SECONDS
from transfers.services import leases, registering, steps, turns
from transfers.services.leases import claim_job
from transfers.services.moving import drive_job
from transfers.services.packing import pack_jobs
from transfers.services.planning import plan_transfers
from transfers.services.scrubbing import verify_copies
from transfers.services.settling import end_job, settle_job
from transfers.services.windows import close_windows, open_by_hand

LAPSED = timedelta(seconds=LEASE_SECONDS + 1)


@pytest.fixture
def windows(world: World) -> list[uuid.UUID]:
    """One open window, for one packed job of three files."""
    for number in range(3):
        world.add_file(f"file {number}".encode())
    opened = open_by_hand(actor=None, repositories=[world.here])
    plan_transfers(actor=None)
    assert pack_jobs() == 1
    return [window.pk for window in opened]


def test_a_job_is_held_by_one_worker_at_a_time(world: World, windows: list[uuid.UUID]) -> None:
    first = claim_job(windows=windows)
    assert first is not None
    assert claim_job(windows=windows) is None


def test_two_connections_racing_for_jobs_get_each_job_once(
    world: World, windows: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(turns.PARAMETERS, "to_one", 100)  # nobody gives a job back here
    for number in range(20):
        world.add_file(b"x" * number)
        plan_transfers(actor=None)
        pack_jobs()
    claimed: list[uuid.UUID] = []

    def claim_all() -> None:
        while (lease := claim_job(windows=windows)) is not None:
            claimed.append(lease.job_id)
        connection.close()

    threads = [threading.Thread(target=claim_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 21


def test_two_planners_and_packers_racing_make_each_item_once(world: World) -> None:
    for number in range(30):
        world.add_file(b"x" * number)
    open_by_hand(actor=None, repositories=[world.here])
    together = threading.Barrier(3)

    def plan_and_pack() -> None:
        together.wait()
        plan_transfers(actor=None)
        pack_jobs()
        connection.close()

    threads = [threading.Thread(target=plan_and_pack) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pack_jobs()
    assert TransferItem.objects.filter(state="bound", attempts=1).count() == TransferItem.objects.count() == 30


def test_a_lapsed_lease_is_taken_over_with_a_higher_fence(world: World, windows: list[uuid.UUID]) -> None:
    first = claim_job(windows=windows)
    clock.set_offset(LAPSED)
    second = claim_job()
    assert first is not None
    assert second is not None
    assert (second.job_id, second.fence) == (first.job_id, first.fence + 1)


def test_a_heartbeat_keeps_a_job_and_its_loss_is_noticed(
    world: World, windows: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = claim_job(windows=windows)
    assert lease is not None
    clock.set_offset(timedelta(seconds=LEASE_SECONDS - 5))
    lease.beaten_at -= LEASE_SECONDS
    assert lease.beat()
    clock.set_offset(LAPSED)
    assert claim_job() is None, "the heartbeat has renewed it"
    clock.set_offset(LAPSED * 3)
    assert claim_job() is not None
    lease.beaten_at -= LEASE_SECONDS
    assert not lease.beat()


def test_no_write_back_of_a_worker_that_lost_its_lease_changes_anything(world: World, windows: list[uuid.UUID]) -> None:
    old = claim_job(windows=windows)
    assert old is not None
    clock.set_offset(LAPSED)
    assert drive_job(job=old.job_id) == old.job_id
    assert_converged(world)
    before = list(TransferItem.objects.order_by("pk").values())
    for write in (
        lambda: end_job(lease=old, failures={}),
        lambda: settle_job(lease=old),
        lambda: old.hold().__enter__(),
    ):
        with pytest.raises(LeaseLost):
            write()
    old.release()
    assert list(TransferItem.objects.order_by("pk").values()) == before
    assert TransferJob.objects.get().state == "settled"


def test_a_worker_frozen_before_it_promotes_finds_its_staging_place_gone(
    world: World, windows: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes up after another worker has taken the job to its end, and after a new version has arrived as well."""
    asleep, awake = threading.Event(), threading.Event()
    real = steps._promote
    lost: list[bool] = []

    def slow(run_: steps.Run, *rest: object) -> None:
        if threading.current_thread().name == "frozen":
            asleep.set()
            awake.wait(30)
        real(run_, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "_promote", slow)
    monkeypatch.setattr(leases.Lease, "beat", lambda self: True)

    def frozen() -> None:
        drive_job(windows=windows)
        lost.append(True)
        connection.close()

    thread = threading.Thread(target=frozen, name="frozen")
    thread.start()
    assert asleep.wait(30)
    clock.set_offset(LAPSED)
    assert drive_job() is not None
    world.revise(world.datasets[0], b"a second version")
    run()
    awake.set()
    thread.join()
    assert lost == [True]
    assert_converged(world)
    assert world.bytes_at(world.datasets[0]) == b"a second version"


def test_a_version_registered_while_the_file_was_under_way_makes_the_item_stale_and_is_copied_next(
    world: World, windows: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = steps._promote

    def register_first(*rest: object) -> None:
        monkeypatch.setattr(steps, "_promote", real)
        world.revise(world.datasets[0], b"changed on the way")
        real(*rest)  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "_promote", register_first)
    drive_job(windows=windows)
    states = TransferItem.objects.filter(dataset=world.datasets[0]).values_list("content_version", "state")
    assert list(states) == [(1, "stale")]
    assert world.copy(world.datasets[0]).state == CopyState.EXPECTED
    run()
    assert_converged(world, kept=1)


def test_a_version_registered_after_the_bytes_got_their_name_is_never_proved_by_the_old_ones(
    world: World, windows: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registering.register_proved

    def register_first(**rest: object) -> int:
        monkeypatch.setattr(steps, "register_proved", real)
        world.revise(world.datasets[0], b"changed after its arrival")
        return real(**rest)  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "register_proved", register_first)
    drive_job(windows=windows)
    assert world.copy(world.datasets[0]).state == CopyState.EXPECTED
    run()
    assert_converged(world)


def test_jobs_of_a_window_that_closed_before_they_began_give_their_files_back(
    world: World, windows: list[uuid.UUID]
) -> None:
    NightWindow.objects.update(ends_at=clock.now() + timedelta(seconds=30))
    clock.set_offset(timedelta(minutes=2))
    assert claim_job(windows=windows) is None, "nothing new begins in a window that has ended"
    close_windows()
    run()
    assert TransferJob.objects.filter(state="settled").count() == 2
    assert set(TransferItem.objects.values_list("state", "attempts")) == {("done", 1)}
    assert_converged(world)


def test_what_runs_when_its_window_closes_goes_on_to_its_end(world: World, windows: list[uuid.UUID]) -> None:
    lease = claim_job(windows=windows)
    assert lease is not None
    NightWindow.objects.update(ends_at=clock.now() + timedelta(seconds=30))
    clock.set_offset(LAPSED)
    close_windows()
    assert drive_job() == lease.job_id
    assert_converged(world)


def test_a_job_whose_former_owner_cannot_be_barred_does_not_end(world: World, windows: list[uuid.UUID]) -> None:
    from pathlib import Path

    claim_job(windows=windows)
    clock.set_offset(LAPSED)
    mark = Path(world.central.root) / ".alyx-canary"
    mark.rename(mark.with_name("hidden"))
    drive_job()
    assert TransferJob.objects.get().state in {"submitting", "submitted"}
    assert set(TransferItem.objects.values_list("state", flat=True)) == {"bound"}
    mark.with_name("hidden").rename(mark)
    clock.set_offset(LAPSED * 2)
    drive_job()
    assert_converged(world)


def test_a_job_that_kills_its_worker_again_and_again_is_taken_apart(world: World, windows: list[uuid.UUID]) -> None:
    for turn in range(1, 7):
        assert claim_job(windows=windows if turn == 1 else None) is not None
        clock.set_offset(LAPSED * turn)
    drive_job()
    assert set(TransferItem.objects.values_list("state", "last_error_code")) == {("retry_wait", "worker_died")}
    run()
    assert_converged(world)
    assert TransferJob.objects.filter(files_total=1).count() == 3


def test_registrations_looks_and_nights_at_once_never_wait_in_a_circle(world: World) -> None:
    """Many datasets, locked by everybody in one order: nobody is sacrificed by the database."""
    datasets = [world.add_file(f"{number}".encode()) for number in range(40)]
    stop, failed = threading.Event(), list[BaseException]()

    def repeat(act: Callable[[], object]) -> Callable[[], None]:
        def loop() -> None:
            try:
                while not stop.is_set():
                    act()
            except BaseException as error:  # noqa: BLE001  (whatever it is, the test fails with it)
                failed.append(error)
            finally:
                connection.close()

        return loop

    def register() -> None:
        with transaction.atomic():
            chosen = random.sample([dataset.pk for dataset in datasets], 20)
            locked = Dataset.objects.select_for_update(no_key=True).filter(pk__in=chosen).order_by("pk")
            keys = [dataset.pk for dataset in locked]
            for key in random.sample(keys, len(keys)):
                FileRecord.objects.filter(dataset=key, repository=world.here).update(reason=uuid.uuid4().hex)

    acts = (register, register, lambda: verify_copies(actor=None, repository=world.here), run)
    threads = [threading.Thread(target=repeat(act)) for act in acts]
    for thread in threads:
        thread.start()
    time.sleep(4)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    run()
    assert_converged(world)
