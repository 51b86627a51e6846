"""A worker killed anywhere in a Globus night, once and twice: one task for a job, every file proved, nothing lost."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from alyx.core import clock, failpoints
from tests.globus.night import LEASE_LAPSED, GlobusNight, work
from transfers.models import TransferItem, TransferJob

pytestmark = [pytest.mark.once, pytest.mark.kill, pytest.mark.django_db(transaction=True)]

SHARED = ("verifier.", "promoter.", "registrar.", "settler.", "mover.claimed", "packer.")
PLACES = sorted(place for place in failpoints.DECLARED if place.startswith(("remote.", "globus.", *SHARED)))
SHORT = (
    "remote.handle_stored",
    "remote.before_send",
    "remote.accepted",
    "remote.recorded",
    "remote.asked",
    "remote.ended",
)
ROUNDS = 40


def go_on() -> None:
    """A worker's minutes."""
    for _ in range(ROUNDS):
        work()
        clock.advance(timedelta(seconds=20))


def start(action: Callable[[], None], place: str = "") -> int:
    """A process of its own, to be killed at `place`."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    child = os.fork()
    if child == 0:
        failpoints.arm(place)
        try:
            action()
        finally:
            os._exit(0)
    return child


def killed(child: int) -> bool:
    """Whether it was, once it is over."""
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def one_task_for_each_job(made: GlobusNight) -> None:
    """By the handles that the tasks bear."""
    labels = made.labels()
    assert len(labels) == len(set(labels))
    sent = TransferJob.objects.filter(backend="globus").exclude(remote_id=None)
    assert sorted(labels) == sorted(f"alyx-{job.submission_id.hex}" for job in sent)


def test_a_worker_killed_around_its_submission_makes_no_second_task(globus_night: GlobusNight) -> None:
    kill_at(globus_night, [(place, 1) for place in SHORT])


@pytest.mark.faults
def test_a_worker_killed_anywhere_makes_no_second_task(globus_night: GlobusNight) -> None:
    kill_at(globus_night, [(place, times) for place in PLACES for times in (1, 2)])


def kill_at(globus_night: GlobusNight, cases: list[tuple[str, int]]) -> None:
    """For each case a new file and a new version of another one, whose worker is killed so often at its place."""
    revised = globus_night.add(b"version 0")
    globus_night.until(lambda: globus_night.arrived(revised, b"version 0") and globus_night.settled())
    kills = 0
    for number, (place, times) in enumerate(cases, start=1):
        content = b"version %d" % number
        plain = globus_night.add(b"plain %d" % number)
        globus_night.revise(revised, content)
        before = len(globus_night.labels())
        for turn in range(times):
            died = killed(start(go_on, place))
            assert died or turn > 0, f"{place} was never passed"
            kills += died
            clock.advance(LEASE_LAPSED)
        try:
            globus_night.until(
                lambda plain=plain, content=content, number=number: (  # type: ignore[misc]
                    globus_night.arrived(plain, b"plain %d" % number)
                    and globus_night.arrived(revised, content)
                    and globus_night.settled()
                )
            )
            assert len(globus_night.labels()) == before + 1
            one_task_for_each_job(globus_night)
        except AssertionError as error:
            raise AssertionError(f"{place} × {times}: {error}") from error
    trash = [file.read_bytes() for file in (globus_night.central.folder / "Subjects/.alyx-trash").rglob("*.v*")]
    assert sorted(trash) == sorted(b"version %d" % number for number in range(len(cases))), "each old version is kept"
    assert not TransferItem.objects.exclude(state="done").exists()
    print(f"\nGlobus nights: {len(cases)} cases, {kills} kills, {len(globus_night.labels())} tasks")


def test_two_workers_at_once_make_one_task_for_each_job(globus_night: GlobusNight) -> None:
    contents = [b"%d" % number * 10 for number in range(6)]
    copies = [globus_night.add(content) for content in contents]
    for child in [start(go_on), start(go_on)]:
        assert not killed(child)
    globus_night.until(lambda: all(map(globus_night.arrived, copies, contents)) and globus_night.settled())
    one_task_for_each_job(globus_night)
