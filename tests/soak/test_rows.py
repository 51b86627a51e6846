"""Rows of the acceptance table that need many processes, many nights or much data: `docs/acceptance.md` names each."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from alyx.core import clock
from alyx.runtime.instance import ROOT
from datasets.models import FileRecord, Repository
from datasets.rules.copies import CopyState
from tests.backends.rig import bytes_of
from tests.kill.test_matrix import AFTER_THE_LEASE, in_child, pass_time, work
from tests.kill.test_processes import environment, own_night
from tests.s3.buckets import make_bucket
from tests.s3.servers import Servers
from tests.soak.labs import register
from tests.transfers.world import World, assert_converged, digest_of, make_world, run
from tests.wire.driver import wire
from transfers.backends.s3.objects import PART_BYTES
from transfers.backends.s3.place import WORKERS
from transfers.models import Attempt, NightWindow, TransferItem, TransferJob
from transfers.rules.routing import LARGE_FROM_BYTES
from transfers.services import night

pytestmark = [pytest.mark.once, pytest.mark.faults, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    """The clock as it was."""
    clock.set_offset(timedelta(0))
    yield
    clock.set_offset(timedelta(0))


def at_once(actions: list[Callable[[], object]]) -> None:
    """Each in a process of its own, all at once, to their ends."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    children = []
    for action in actions:
        child = os.fork()
        if child == 0:
            try:
                action()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * len(children)


def again(action: Callable[[], object], times: int) -> None:
    """So many times."""
    for _ in range(times):
        action()


def test_row_3_two_timetables_three_workers_and_a_run_by_hand_at_once(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    for number in range(60):
        world.add_file(f"file {number} ".encode() * 200)
    own_night(world)
    by_hand = subprocess.Popen(
        [sys.executable, "manage.py", "transfers", "run", "--now"],
        cwd=ROOT,
        env=environment(tmp_path, {}),
        stdout=subprocess.DEVNULL,
    )
    at_once([*[partial(again, night.tick, 40)] * 2, *[partial(again, night.night_work, 10)] * 3])
    assert by_hand.wait(120) == 0
    run()
    assert_converged(world)
    nights = NightWindow.objects.filter(kind="night")
    assert nights.count() == nights.values("repository", "local_date").distinct().count() == 2
    assert TransferItem.objects.count() == Attempt.objects.filter(outcome="done").count() == 60
    jobs = TransferJob.objects.filter(items__isnull=False).distinct().count()
    print(f"\nrow 3: 60 files, {nights.count()} nights, {jobs} jobs, each file sent once")


def test_row_6_one_vanished_one_corrupt_and_one_cut_short_of_twenty_thousand(tmp_path: Path) -> None:
    files, world = 20_000, make_world(tmp_path)
    datasets = register(world, "obj", [b"%d" % number for number in range(files)], [CopyState.CLAIMED] * files)
    vanished, corrupt, cut = datasets[7], datasets[7_000], datasets[17_000]
    world.path_of(vanished, world.here).unlink()
    world.path_of(corrupt, world.here).write_bytes(b"7O00")
    world.path_of(cut, world.here).write_bytes(b"170")
    began = time.monotonic()
    run()
    took = time.monotonic() - began
    proved = FileRecord.objects.filter(repository=world.central, state=CopyState.VERIFIED).count()
    named = {item.dataset_id: item.last_error_code for item in TransferItem.objects.exclude(state="done")}
    assert proved == files - 3
    assert named == {vanished.pk: "source_vanished", corrupt.pk: "source_changed", cut.pk: "source_truncated"}
    print(f"\nrow 6: {proved} of {files} proved in {took:.0f} s; named: {sorted(named.values())}")


def test_row_7_one_byte_edited_with_the_same_size_and_time_is_never_accepted(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    dataset = world.add_file(b"registered so")
    path = world.path_of(dataset, world.here)
    seen = path.stat()
    path.write_bytes(b"registered sO")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    run()
    dataset.refresh_from_db()
    assert path.stat().st_mtime_ns == seen.st_mtime_ns
    assert world.item(dataset).last_error_code == "source_changed"
    assert world.bytes_at(dataset) is None
    assert dataset.md5 == digest_of(b"registered so")


def test_row_15_an_upload_killed_three_times_sends_little_twice(s3: Servers, tmp_path: Path) -> None:
    parts = 30
    world = make_world(tmp_path)
    at = urlsplit(s3.swift.endpoint)
    bucket = make_bucket(world.lab, s3.swift, "bucket")
    Repository.objects.filter(pk=world.central.pk).update(state="retiring")
    own_night(world)
    content = bytes_of(parts * PART_BYTES - 5)
    dataset = world.add_file(content, central=False)
    with wire(str(at.hostname), int(at.port or 0)) as link:
        Repository.objects.filter(pk=bucket.repository.pk).update(endpoint=link.url)
        link.plant("delay", r"(?s)^PUT [^ ]*partNumber=(?!.*x-amz-copy-source)", times=None)  # counts them
        for _ in range(3):
            assert in_child(work, f"s3.part_sent:{parts // 5}")
            pass_time(AFTER_THE_LEASE)
        for _ in range(4):
            work()
        sent = link.heal()["delay"]
        copy = bucket.copy(dataset)
        assert copy.state == CopyState.VERIFIED, copy.reason
    assert bucket.get(copy.stored_path) == content
    again = sent - parts
    assert again <= 3 * WORKERS
    print(f"\nrow 15: {len(content) >> 20} MiB in {parts} parts, killed 3 times: {again} parts sent again")


def test_row_16_the_backlog_of_a_lab_that_was_away_for_thirty_nights(tmp_path: Path) -> None:
    away, other = make_world(tmp_path / "away", "_away"), make_world(tmp_path / "other", "_other")
    zones = {"timezone": "Europe/London"}
    Repository.objects.update(**zones)
    root = Path(away.here.root)
    big = away.add_file(b"\0" * LARGE_FROM_BYTES)
    for number in range(30):
        for world in (away, other):
            for file in range(10):
                world.add_file(f"{number} {file}".encode() * 50)
        if number == 0:
            root.rename(root.with_name("away"))
        a_night()
        (root.rename(root.with_name(f"made{number}")) if root.exists() else None)
        assert arrived(other) == 10 * (number + 1), "the other lab's files arrive in their own night"
        assert arrived(away) == 0
    bring_back(root)
    other.add_file(b"of the last night")
    a_night()
    assert arrived(other) == 301
    assert arrived(away) == 301
    small = FileRecord.objects.filter(repository=away.central).exclude(dataset=big).latest("verified_at").verified_at
    large = away.copy(big).verified_at
    assert small is not None
    assert large is not None
    assert small <= large, "small files first"
    print("\nrow 16: 300 small files and a large one of 30 nights arrive in one; the other lab's wait in none")


def bring_back(root: Path) -> None:
    """The disk, and onto it what was recorded beside it meanwhile."""
    root.with_name("away").rename(root)
    for folder in root.parent.glob("made*"):
        for file in filter(Path.is_file, folder.rglob("*")):
            into = root / file.relative_to(folder)
            into.parent.mkdir(parents=True, exist_ok=True)
            file.rename(into)


def arrived(world: World) -> int:
    """How many of its files are proved centrally."""
    return FileRecord.objects.filter(repository=world.central, state=CopyState.VERIFIED).count()


def a_night() -> None:
    """From this day's evening to the next morning."""
    for _ in range(8):
        work()
        clock.advance(timedelta(hours=3))
