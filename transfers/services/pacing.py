"""What a job may move from and to its two places: each place's limit, divided by those who move something there, asked anew with
the heartbeat.

Who runs is known by the leases, which lapse when a worker is killed; nothing else is stored. A newcomer lets the others notice it
before it takes its share, so that together they never have more than the limit.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from datasets.models import Repository
from datasets.rules.bandwidth import Hours
from transfers.backends.base import Backend, LeaseLost, OutOfHours
from transfers.backends.pacing import Pacer
from transfers.models import ReadingTurn
from transfers.rules.lifecycle import JOB_WRITING
from transfers.rules.pacing import ASK_S, NOTICED_S, share_of
from transfers.rules.routing import APART
from transfers.services.places import backend_for

_LIMITS = """
SELECT r.id, r.bandwidth, r.timezone, alyx_now(), (
    SELECT count(*) FROM transfers_transferjob j
     WHERE r.id IN (j.source_id, j.destination_id) AND j.state = ANY (%(writing)s) AND j.lease_until > alyx_now()
       AND j.backend <> ALL (%(apart)s) AND j.id IS DISTINCT FROM %(job)s::uuid
    ) + (
    SELECT count(*) FROM transfers_readingturn t
     WHERE t.repository_id = r.id AND t.until > alyx_now() AND t.owner <> %(reader)s)
  FROM datasets_repository r WHERE r.id = ANY (%(places)s::uuid[])
"""
"""The setting of each place, and how many others move something there."""
_TURN = """
INSERT INTO transfers_readingturn (repository_id, owner, until)
VALUES (%(place)s, %(reader)s, alyx_now() + make_interval(secs => %(seconds)s))
ON CONFLICT (repository_id) DO UPDATE SET owner = excluded.owner, until = excluded.until
 WHERE transfers_readingturn.owner = excluded.owner OR transfers_readingturn.until <= alyx_now()
"""
TURN_S = 2 * NOTICED_S


def _alive() -> bool:
    return True


def make_door(name: str) -> Pacer:
    """The door of one place. Tests give it another clock."""
    return Pacer(name)


@dataclass
class Pace:
    """The doors of the places that somebody moves bytes from and to.

    `lease`: says that we live, and learns whether the work is still ours. `job`: None for whoever only reads.
    """

    lease: Callable[[], bool]
    job: uuid.UUID | None = None
    reader: str = field(default_factory=lambda: uuid.uuid4().hex)
    doors: dict[uuid.UUID, Pacer] = field(default_factory=dict)
    rate: float | None = None
    """The smallest share, in bytes a second; None: no limit."""
    asked_at: float | None = None

    def backend(self, place: Repository) -> Backend:
        """The backend of a place, behind its door. Raises BackendFailure."""
        backend = backend_for(place)
        backend.meter = self.doors.setdefault(place.pk, make_door(place.name))
        return backend

    def begin(self) -> None:
        """Ask for the first time. Raises OutOfHours where nothing may be moved now, LeaseLost."""
        if not self.lease():
            raise LeaseLost
        self._ask(is_new=True)

    def beat(self) -> bool:
        """To be asked between pieces, by the thread that has the database: what the lease says, and now and then the limits."""
        if not self.lease():
            for door in self.doors.values():
                door.stop()
            return False
        if self.asked_at is not None and time.monotonic() - self.asked_at >= ASK_S:
            self._ask(is_new=False)
        return True

    def _ask(self, *, is_new: bool) -> None:
        told: dict[str, Any] = {
            "places": list(self.doors),
            "writing": sorted(JOB_WRITING),
            "apart": list(APART),
            "job": self.job,
            "reader": self.reader,
        }
        with connection.cursor() as cursor:
            cursor.execute(_LIMITS, told)
            rows = cursor.fetchall()
        self.asked_at, shares = time.monotonic(), []
        for place, text, zone, now, others in rows:
            limit = Hours.of(text, ZoneInfo(zone)).limit_at(now) if text else None
            shares.append(share_of(limit, others + 1))
            waits = NOTICED_S if is_new and others and limit else 0.0
            self.doors[place].allow(shares[-1], after=waits)
            if limit == 0 and is_new:
                raise OutOfHours(self.doors[place].name)
        self.rate = min((share for share in shares if share is not None), default=None)


@contextmanager
def reading_at(place: Repository, go_on: Callable[[], bool] = _alive) -> Iterator[tuple[Backend, Pace]]:
    """The backend of a place, to read copies at the speed that it allows. One reader at a time has its turn at a place with a
    limit, and jobs there reckon with it. `go_on`: a lease of the caller's own.

    Raises OutOfHours where nothing may be moved now, LeaseLost where another reader has the turn, BackendFailure.
    """
    reader = uuid.uuid4().hex
    said_at = float("-inf")

    def lease() -> bool:
        nonlocal said_at
        if place.bandwidth and time.monotonic() - said_at >= ASK_S:
            said_at = time.monotonic()
            if not _has_turn(place, reader):
                return False
        return go_on()

    pace = Pace(lease, reader=reader)
    try:
        backend = pace.backend(place)
        pace.begin()
        yield backend, pace
    finally:
        if place.bandwidth:
            ReadingTurn.objects.filter(repository=place, owner=reader).delete()


def _has_turn(place: Repository, reader: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TURN, {"place": place.pk, "reader": reader, "seconds": TURN_S})
        return bool(cursor.rowcount)
