"""Three labs, one with the backlog of a month: the others do not notice, small files go first, and places get no more than they
can take."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from alyx.core import clock
from datasets.models import Dataset, FileRecord, Repository
from datasets.rules.copies import CopyState
from tests.transfers.world import World, make_world
from transfers.models import TransferItem, TransferJob
from transfers.rules.routing import JOBS_TO_ONE, LARGE_JOBS_TO_ONE, Bounds
from transfers.services import packing, turns
from transfers.services.leases import claim_job
from transfers.services.moving import drive_job
from transfers.services.night import prepare
from transfers.services.windows import open_by_hand

LARGE = 50_000


@pytest.fixture
def labs(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[World]:
    """Three labs that send to one central store, in jobs of two files."""
    monkeypatch.setattr(packing, "JOB", Bounds(2, 1 << 30))
    monkeypatch.setitem(turns.PARAMETERS, "large", LARGE)
    monkeypatch.setitem(turns.PARAMETERS, "per_file", 100)
    others = [make_world(tmp_path / name, f"_{name}") for name in ("second", "third")]
    for other in others:
        world.central.labs.add(other.lab)
        Repository.objects.filter(pk=other.central.pk).update(state="retired")
        other.central = world.central
    return [world, *others]


def begin() -> list[uuid.UUID]:
    """Everything planned and packed; the windows, opened by hand."""
    windows = open_by_hand(actor=None, repositories=Repository.objects.filter(role="lab"))
    prepare()
    return [window.pk for window in windows]


def large(lab: World, name: str) -> Dataset:
    """A file that travels alone."""
    return lab.add_file(b"x" * (LARGE + 1), name=name)


def proved(files: list[Dataset]) -> bool:
    """Whether all have arrived."""
    copies = FileRecord.objects.filter(dataset__in=files, repository__role="central")
    return not copies.exclude(state=CopyState.VERIFIED).exists()


def test_a_backlog_of_a_month_does_not_delay_the_other_labs(labs: list[World]) -> None:
    backlog, second, third = labs
    for number in range(40):
        backlog.add_file(b"old %03d" % number)
    tonight = [lab.add_file(b"new %d" % number) for lab in (second, third) for number in range(4)]
    windows = begin()
    assert TransferJob.objects.count() == 24
    for _ in range(6):  # each lab's two jobs, in turn
        assert drive_job(windows=windows) is not None
    assert proved(tonight)
    while drive_job(windows=windows) is not None:
        pass
    assert proved(backlog.datasets)


def test_small_files_go_before_large_ones_and_a_bad_one_delays_nobody(labs: list[World]) -> None:
    first, second, _ = labs
    videos = [large(first, f"video{number}.times.npy") for number in range(3)]
    bad = first.add_file(b"vanished")
    first.path_of(bad, first.here).unlink()
    small = [first.add_file(b"small %d" % number) for number in range(6)] + [second.add_file(b"small")]
    TransferItem.objects.update(size_class="small")
    windows = begin()
    TransferItem.objects.filter(dataset__in=videos).update(size_class="large")
    order: list[bool] = []
    while (driven := drive_job(windows=windows)) is not None:
        job = TransferJob.objects.get(pk=driven)
        order.append(job.bytes_total >= job.files_total * LARGE)
    assert order == sorted(order), "no large one before a small one of the same lab"
    assert proved(small)
    assert proved(videos)


def test_a_place_gets_no_more_at_once_than_it_can_take_and_small_files_find_room(labs: list[World]) -> None:
    first, second, _ = labs
    for number in range(6):
        large(first, f"video{number}.times.npy")
    for number in range(4):
        second.add_file(b"small %d" % number)
    windows = begin()
    assert claim_all(windows) == 2 + LARGE_JOBS_TO_ONE
    for number in range(2 * JOBS_TO_ONE):
        second.add_file(b"more %d" % number)
    prepare()
    assert claim_all(windows) == JOBS_TO_ONE - 2 - LARGE_JOBS_TO_ONE
    jobs = TransferJob.objects.filter(state="submitting")
    assert sum(job.bytes_total >= job.files_total * LARGE for job in jobs) == LARGE_JOBS_TO_ONE


def test_jobs_that_wait_for_the_hours_of_their_source_take_no_room(labs: list[World]) -> None:
    first, second, _ = labs
    for number in range(2 * JOBS_TO_ONE):
        first.add_file(b"waits %02d" % number)
    windows = begin()
    assert claim_all(windows) == JOBS_TO_ONE
    TransferJob.objects.update(lease_owner="", lease_until=None)  # put down where the place closed
    now = clock.now().astimezone(first.here.zone)
    closed = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M} nothing"
    Repository.objects.filter(pk=first.here.pk).update(bandwidth=closed)
    tonight = [second.add_file(b"new %d" % number) for number in range(4)]
    prepare()
    while drive_job(windows=windows) is not None:
        pass
    assert proved(tonight)
    assert not proved(first.datasets)


def claim_all(windows: list[uuid.UUID]) -> int:
    """How many jobs as many workers get as there might be."""
    held = 0
    while claim_job(windows=windows) is not None:
        held += 1
    return held
