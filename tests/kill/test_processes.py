"""Real processes killed: the command line on its own, and a Celery worker with its broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from alyx.celery import app
from alyx.core import clock
from alyx.runtime.instance import ROOT
from datasets.rules.copies import CopyState
from tests.transfers.world import World, assert_converged, make_world
from transfers.models import TransferJob

pytestmark = pytest.mark.kill

LEASE_LAPSED = timedelta(minutes=2)
PATIENCE_S = 60.0


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> World:
    """Four files at the lab."""
    clock.set_offset(timedelta(0))
    made = make_world(tmp_path)
    for number in range(4):
        made.add_file(f"file {number} ".encode() * 2000)
    return made


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """For a process on the test's database, with a broker of its own."""
    known = connection.settings_dict
    user = known["USER"] + (f":{known['PASSWORD']}" if known["PASSWORD"] else "")
    host = known["HOST"].replace("/", "%2F")
    url = f"postgres://{user}@{host}:{known['PORT']}/{known['NAME']}"
    return {**os.environ, "DATABASE_URL": url, "ALYX_VAR": str(folder / "var"), "PYTHONPATH": str(ROOT), **more}


def command(folder: Path, *arguments: str, **more: str) -> int:
    """`manage.py transfers …`; its exit code, negative for the signal that ended it."""
    done = subprocess.run(
        [sys.executable, "manage.py", "transfers", *arguments],
        cwd=ROOT,
        env=environment(folder, more),
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, (done.stdout + done.stderr).decode()[-2000:]
    return done.returncode


@pytest.mark.parametrize(
    "place", ["packer.committed", "posix.mid_write", "promoter.promoted", "registrar.before_commit"]
)
def test_a_night_by_hand_killed_and_started_again_ends_as_if_nothing_happened(
    world: World, tmp_path: Path, place: str
) -> None:
    assert command(tmp_path, "run", "--now", "--inline", ALYX_FAILPOINTS=place) == -signal.SIGKILL
    assert not all(world.copy(dataset).state == CopyState.VERIFIED for dataset in world.datasets)
    clock.set_offset(LEASE_LAPSED)
    assert command(tmp_path, "run", "--now", "--inline") == 0
    assert_converged(world)


class Worker:
    """A Celery worker of one process."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.log = folder / "worker.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "alyx.celery", "worker", "--pool", "solo", "-l", "warning"],
                cwd=ROOT,
                env=environment(folder, more),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_killed(self) -> None:
        """Until it has died by SIGKILL."""
        assert self.process.wait(PATIENCE_S) == -signal.SIGKILL, self.log.read_text()[-2000:]

    def stop(self) -> None:
        """Warm."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def send(folder: Path, task: str) -> None:
    """A message to the broker of the worker."""
    script = f"import alyx.celery, django; django.setup(); from transfers import tasks; tasks.{task}.delay()"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment(folder, {}), check=True)


def wait_for(condition: Any) -> None:
    """Until it holds."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came to pass"
        time.sleep(0.1)


@pytest.mark.parametrize(("place", "flushed"), [("verifier.proved", False), ("posix.after_rename", True)])
def test_a_celery_worker_killed_in_its_night_and_started_again_ends_the_night(
    world: World, tmp_path: Path, place: str, flushed: bool
) -> None:
    """`flushed`: its messages are lost as well; the tick finds the rows."""
    own_night(world)
    worker = Worker(tmp_path, ALYX_FAILPOINTS=place)
    send(tmp_path, "tick")
    worker.wait_until_killed()
    clock.set_offset(LEASE_LAPSED)
    if flushed:
        flush(tmp_path)
    worker = Worker(tmp_path)
    try:
        send(tmp_path, "tick")
        wait_for(lambda: all(world.copy(dataset).state == CopyState.VERIFIED for dataset in world.datasets))
        wait_for(lambda: not TransferJob.objects.exclude(state="settled").exists())
    finally:
        worker.stop()
    assert_converged(world)


def own_night(world: World) -> None:
    """It is night at both repositories."""
    now = clock.now()
    for place in (world.here, world.central):
        place.window_start = (now - timedelta(minutes=5)).astimezone(place.zone).time()
        place.window_end = (now + timedelta(hours=5)).astimezone(place.zone).time()
        place.save()


def flush(folder: Path) -> None:
    """Lose every message."""
    if url := os.environ.get("REDIS_URL"):
        import redis

        redis.Redis.from_url(url).flushdb()
        return
    for file in (folder / "var" / "broker").rglob("*"):
        if file.is_file():
            file.unlink()


@pytest.fixture(autouse=True)
def _no_old_messages(tmp_path: Path) -> None:
    """A shared Redis may hold messages of earlier tests."""
    assert app is not None
    assert settings.configured
    if os.environ.get("REDIS_URL"):
        flush(tmp_path)
