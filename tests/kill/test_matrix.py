"""A worker killed at every declared place, once and twice, restarted at once or after its lease: the same end state."""

import os
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from django.db import connection

from alyx.core import clock, failpoints
from datasets.models import FileRecord, Repository
from datasets.rules.copies import CopyState
from tests.transfers.world import World, assert_converged, make_world, write
from transfers.models import TransferJob
from transfers.services import night
from transfers.services.windows import open_windows

pytestmark = pytest.mark.kill

AFTER_THE_LEASE = timedelta(minutes=3)
ROUNDS = 12


class Case(NamedTuple):
    """One way to die."""

    place: str
    times: int
    after_lease: bool


CASES = [
    Case(place, times, after_lease)
    for place in sorted(failpoints.DECLARED)
    if not place.startswith(("mailing.", "s3.", "globus.", "remote.", "scan.", "agent."))  # have tests of their own
    for times in (1, 2)
    for after_lease in (False, True)
]


def work() -> None:
    """What beat and one worker do in a minute."""
    night.tick()
    night.night_work()


def in_child(action: Callable[[], None], place: str = "") -> bool:
    """Run it in a process of its own, to be killed at `place`; whether it was."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    child = os.fork()
    if child == 0:
        failpoints.arm(place)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def make_case(folder: Path, name: str) -> World:
    """New files, one without a digest, one announced only, one revised whose old version holds the name. It is night."""
    world = make_world(folder, name)
    now = clock.now()
    for place in (world.here, world.central):
        started: datetime = (now - timedelta(minutes=5)).astimezone(place.zone)
        ended: datetime = (now + timedelta(hours=5)).astimezone(place.zone)
        Repository.objects.filter(pk=place.pk).update(window_start=started.time(), window_end=ended.time())
    world.add_file(b"plain" * 3000)
    world.add_file(b"nobody hashed this" * 500, hashed=False)
    world.add_file(b"announced" * 300, state=CopyState.ANNOUNCED)
    revised = world.add_file(b"first version")
    hold_old_version(world, world.copy(revised), b"first version")
    world.revise(revised, b"second version, longer")
    return world


def hold_old_version(world: World, copy: FileRecord, content: bytes) -> None:
    """The central copy was proved once."""
    write(world.central, copy.stored_path, content)
    rows = FileRecord.objects.filter(pk=copy.pk)
    rows.update(state=CopyState.CLAIMED)
    rows.update(
        state=CopyState.VERIFIED,
        md5=copy.dataset.md5,
        size_bytes=len(content),
        verified_at=clock.now(),
        evidence_level=4,
    )


def pass_time(by: timedelta) -> None:
    """For every process."""
    clock.advance(by)


def run_to_the_end(world: World) -> None:
    """Nothing fails any more: the minutes pass until nothing is left to do."""
    for _ in range(ROUNDS):
        work()
        copies = FileRecord.objects.filter(dataset__in=world.datasets, repository=world.central)
        jobs = TransferJob.objects.filter(destination=world.central).exclude(state="settled")
        if not copies.exclude(state=CopyState.VERIFIED).exists() and not jobs.exists():
            return
        pass_time(AFTER_THE_LEASE)


def check(world: World) -> None:
    """The end state, whatever happened before."""
    assert_converged(world)
    trash = Path(world.central.root) / ".alyx-trash"
    kept = [path.read_bytes() for path in trash.rglob("*") if path.is_file()]
    assert kept == [b"first version"], "the old version is kept, once"


def test_a_worker_killed_anywhere_changes_nothing_but_time(transactional_db: None, tmp_path: Path) -> None:
    began = time.monotonic()
    kills = 0
    for number, case in enumerate(CASES):
        world = make_case(tmp_path / f"case{number}", f"_{number}")
        open_windows() if case.place == "tick.done" else None
        for _ in range(case.times):
            killed = in_child(work, case.place)
            kills += killed
            assert killed or _ > 0, f"{case.place} was never passed"
            if case.after_lease:
                pass_time(AFTER_THE_LEASE)
        try:
            run_to_the_end(world)
            check(world)
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}") from error
    print(f"\nkill matrix: {len(CASES)} cases at {len({case.place for case in CASES})} places, {kills} kills, ", end="")
    print(f"{time.monotonic() - began:.0f} s, one end state")
