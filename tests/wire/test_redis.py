"""A Celery worker whose broker, a real Redis, is behind a bad wire: messages are lost, the rows are not."""

import os
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from alyx.celery import app
from alyx.core import clock
from datasets.rules.copies import CopyState
from tests.kill.test_processes import Worker, own_night
from tests.servers import redis_server
from tests.transfers.world import World, assert_converged, make_world
from tests.wire.driver import Wire, wire
from transfers.models import TransferJob

pytestmark = [
    pytest.mark.once,
    pytest.mark.faults,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on this machine"),
]
MINUTES_OF_WEATHER, MINUTES_AT_MOST = 8, 60


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    process, url = redis_server(tmp_path_factory.mktemp("redis"))
    at = urlsplit(url)
    try:
        with wire(str(at.hostname), int(at.port or 0)) as found:
            yield found
    finally:
        process.terminate()
        process.wait()


def all_proved(world: World) -> bool:
    copies = [world.copy(dataset) for dataset in world.datasets]
    return (
        all(copy.state == CopyState.VERIFIED for copy in copies)
        and not TransferJob.objects.exclude(state="settled").exists()
    )


def tick(url: str) -> bool:
    """The timetable's message, over the wire; whether it left."""
    with app.connection_for_write(url) as broker:
        try:
            app.send_task("transfers.tasks.tick", connection=broker, queue="control", retry=False)
        except (OSError, OperationalError, RedisError, AttributeError):  # kombu's own, when a channel is half made
            return False
    return True


@pytest.mark.parametrize("kinds", [["drop"], ["cut", "half_close", "truncate"], ["delay"]])
def test_a_night_with_a_bad_broker_ends_as_any_other(
    kinds: list[str], link: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{link.port}/0")
    clock.set_offset(timedelta(0))
    world = make_world(tmp_path)
    for number in range(4):
        world.add_file(f"file {number} ".encode() * 2000)
    own_night(world)
    before = sum(link.heal().values())
    link.weather(1, 0.2, kinds, farthest=300, seconds=0.3)
    worker, died, lost, struck = Worker(tmp_path), 0, 0, 0
    try:
        for minute in range(MINUTES_AT_MOST):
            if minute == MINUTES_OF_WEATHER:
                struck = sum(link.heal().values()) - before
            if worker.process.poll() is not None:  # as the supervisor does; it may die while it is starting
                worker, died = Worker(tmp_path), died + 1
            lost += not tick(os.environ["REDIS_URL"])
            if minute > MINUTES_OF_WEATHER and all_proved(world):
                break
            time.sleep(1)
            clock.advance(timedelta(minutes=1))
    finally:
        worker.stop()
    assert all_proved(world), worker.log.read_text()[-2000:]
    assert_converged(world)
    assert struck > 0
    print(f"\nRedis wire: {' '.join(kinds)}: {struck} faults, {lost} ticks lost, {died} workers ended")
