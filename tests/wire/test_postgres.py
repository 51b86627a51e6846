"""Nights of a worker whose connection to PostgreSQL fails, answers to commits included: the same end state."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connection, connections

from datasets.models import FileRecord
from datasets.rules.copies import CopyState
from tests.kill.test_matrix import AFTER_THE_LEASE, check, make_case, pass_time, run_to_the_end, work
from tests.transfers.world import World, digest_of
from tests.wire.driver import Wire, wire

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

MINUTES = 4
Plant = tuple[str, str, dict[str, Any]]

SHORT: list[Plant] = [
    ("drop", "COMMIT", {"after": 0, "skip": 3, "times": 2}),  # it is committed, and nobody hears of it
    ("cut", "COMMIT", {"after": 0, "skip": 5, "times": 2}),  # it is not
    ("truncate", "SELECT", {"after": 10, "skip": 9, "times": 3}),
]
MORE: list[Plant] = [
    *(("drop", "COMMIT", {"after": 0, "skip": skip}) for skip in range(24)),
    *(("cut", "COMMIT", {"after": 0, "skip": skip}) for skip in range(0, 24, 2)),
    *(("half_close", "UPDATE", {"after": 30, "skip": skip}) for skip in range(0, 16, 4)),
    *(("drop", "UPDATE", {"after": 0, "skip": skip}) for skip in range(0, 16, 2)),
    *(("truncate", "INSERT", {"after": 5, "skip": skip}) for skip in range(0, 12, 3)),
    ("delay", "", {"seconds": 0.02, "times": None}),
]


@pytest.fixture(scope="module")
def link() -> Iterator[Wire]:
    known = connections["default"].settings_dict
    with wire(known["HOST"] or "127.0.0.1", int(known["PORT"] or 5432)) as found:
        yield found


def minutes_over(link: Wire) -> int:
    """Some minutes of a worker on that wire; how many of them broke off. Nothing but database errors may leave it."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    known = connections["default"].settings_dict
    known |= {"HOST": "127.0.0.1", "PORT": str(link.port)}
    known["OPTIONS"] = {**known["OPTIONS"], "sslmode": "disable"}
    broken = 0
    try:
        for _ in range(MINUTES):
            broken += _broke_off(work)
        os._exit(broken)
    except BaseException:  # noqa: BLE001  (a forked child says it and ends)
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(99)


def _broke_off(minute: Callable[[], None]) -> bool:
    try:
        minute()
    except (DatabaseError, InterfaceError):
        connection.close()
        return True
    return False


def no_false_claim(world: World) -> None:
    for copy in FileRecord.objects.filter(repository=world.central, state=CopyState.VERIFIED):
        stored = Path(world.central.root) / copy.stored_path
        assert digest_of(stored.read_bytes()) == copy.md5


def nights(link: Wire, cases: list[Plant], folder: Path) -> None:
    struck = broken = 0
    for number, (kind, match, facts) in enumerate(cases):
        world = make_case(folder / str(number), f"_{number}")
        before = sum(link.heal().values())
        link.plant(kind, match, **facts)
        broke = minutes_over(link)
        assert broke <= MINUTES, "the worker died of something else"
        struck += sum(link.heal().values()) - before
        broken += broke
        no_false_claim(world)
        pass_time(AFTER_THE_LEASE)
        run_to_the_end(world)
        try:
            check(world)
        except AssertionError as error:
            raise AssertionError(f"{kind} {match} {facts}: {error}") from error
    assert struck >= len(cases) // 2, "faults that do not strike show nothing"
    print(f"\nPostgreSQL wire: {len(cases)} nights, {struck} faults, {broken} minutes broke off, one end state")


def test_a_night_whose_connection_fails_ends_as_any_other(link: Wire, tmp_path: Path) -> None:
    nights(link, SHORT, tmp_path)


@pytest.mark.faults
def test_a_connection_that_fails_at_every_place(link: Wire, tmp_path: Path) -> None:
    nights(link, MORE, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(8))
def test_bad_weather(seed: int, link: Wire, tmp_path: Path) -> None:
    world = make_case(tmp_path, "_weather")
    before = sum(link.heal().values())
    link.weather(seed, 0.03, ["drop", "truncate", "cut", "half_close", "delay"], farthest=400)
    for _ in range(3):
        assert minutes_over(link) <= MINUTES
        no_false_claim(world)
        pass_time(AFTER_THE_LEASE)
    struck = sum(link.heal().values()) - before
    run_to_the_end(world)
    check(world)
    print(f"\nPostgreSQL wire: weather {seed}: {struck} faults")
