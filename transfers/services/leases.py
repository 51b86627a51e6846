"""Who holds a job. Held by a lease that lapses, and a fence that only rises: an old holder's writes change nothing."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from alyx.core.clock import AlyxNow
from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import LeaseLost
from transfers.models import TransferJob
from transfers.rules.lifecycle import HEARTBEAT_SECONDS, LEASE_SECONDS
from transfers.services.hours import WAITS, closed_places, waiting_jobs
from transfers.services.turns import HAS_ROOM, PARAMETERS, SHARES, TURN

CLAIMED = declare("mover.claimed")

COURTESY_SECONDS = 60
"""How long a job of a window opened by hand is left to whoever opened it, before any worker takes it."""

_CLAIM = f"""
WITH {SHARES}, next AS (
    SELECT j.id FROM transfers_transferjob j LEFT JOIN transfers_nightwindow w ON w.id = j.window_id
     WHERE j.state <> 'settled' AND (j.lease_until IS NULL OR j.lease_until <= alyx_now())
       AND j.remote_state <> 'active' AND (j.due_at IS NULL OR j.due_at <= alyx_now())
       AND (%(job)s::uuid IS NULL OR j.id = %(job)s::uuid)
       AND NOT {WAITS}
       AND (j.state <> 'prepared' OR {HAS_ROOM})
       AND (j.state <> 'prepared' OR w.state = 'open' AND w.ends_at > alyx_now() AND (
            j.window_id = ANY (%(windows)s::uuid[]) OR %(windows)s::uuid[] IS NULL AND (
                w.kind = 'night' OR j.created_at < alyx_now() - make_interval(secs => %(courtesy)s))))
     ORDER BY j.state = 'prepared', CASE WHEN j.state = 'prepared' THEN {TURN} END, j.created_at, j.id
     LIMIT 1 FOR UPDATE OF j SKIP LOCKED
)
UPDATE transfers_transferjob j
   SET lease_owner = %(owner)s, lease_until = alyx_now() + make_interval(secs => %(seconds)s), fence = j.fence + 1,
       claims = j.claims + 1, due_at = NULL, last_progress_at = alyx_now(),
       state = CASE WHEN j.state = 'prepared' THEN 'submitting' ELSE j.state END
  FROM next WHERE j.id = next.id
RETURNING j.id, j.fence, j.claims
"""  # noqa: S608  (put together from constants)
_BEAT = """
UPDATE transfers_transferjob
   SET lease_until = alyx_now() + make_interval(secs => %(seconds)s), last_progress_at = alyx_now()
 WHERE id = %(job)s AND fence = %(fence)s AND lease_owner = %(owner)s
"""
_RELEASE = """
UPDATE transfers_transferjob SET lease_owner = '', lease_until = NULL
 WHERE id = %(job)s AND fence = %(fence)s AND lease_owner = %(owner)s
"""
_PUT_DOWN = """
UPDATE transfers_transferjob
   SET lease_owner = '', lease_until = NULL, claims = CASE WHEN %(well)s THEN 0 ELSE claims END,
       due_at = alyx_now() + make_interval(secs => %(wait)s)
 WHERE id = %(job)s AND fence = %(fence)s AND lease_owner = %(owner)s
"""


def owner_name() -> str:
    """This process and thread, by a name that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}:{uuid.uuid4().hex[:8]}"[-128:]


@dataclass
class Lease:
    """A job in our hands. Every write-back happens inside `hold`; side effects on storage ask `beat` before."""

    job_id: uuid.UUID
    fence: int
    owner: str
    beaten_at: float
    claims: int = 1
    """How often the job was taken up since a step of it last ended well, this time included."""

    @contextmanager
    def hold(self) -> Iterator[TransferJob]:
        """A transaction in which the job is locked and still ours. Raises LeaseLost when it is not."""
        with transaction.atomic():
            job = TransferJob.objects.select_for_update().get(pk=self.job_id)
            if (job.fence, job.lease_owner) != (self.fence, self.owner):
                raise LeaseLost(f"job {self.job_id} is held under fence {job.fence}, not {self.fence}")
            yield job

    def beat(self) -> bool:
        """Say that we live, and learn whether the job is still ours. Most calls pass by the clock."""
        now = _clock()
        if now - self.beaten_at < HEARTBEAT_SECONDS / 3:
            return True
        if not self._change(_BEAT):
            return False
        self.beaten_at = now
        return True

    def release(self) -> None:
        """Let the job go. A lease that was lost already stays lost."""
        self._change(_RELEASE)

    def put_down(self, wait: timedelta, *, well: bool) -> None:
        """Let the job go until later. `well`: the step ended as it should, earlier deaths of workers are forgotten."""
        self._change(_PUT_DOWN, wait=wait.total_seconds(), well=well)

    def _change(self, statement: str, **more: Any) -> bool:
        parameters: dict[str, Any] = {
            "job": self.job_id,
            "fence": self.fence,
            "owner": self.owner,
            "seconds": LEASE_SECONDS,
        }
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters | more)
            return bool(cursor.rowcount)


def _clock() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def claim_job(*, job: uuid.UUID | None = None, windows: list[uuid.UUID] | None = None) -> Lease | None:
    """Take a job that nobody holds: interrupted ones first, then by turns (`services.turns`). None when there is none (others
    may hold all, the places have enough to do, or let nothing be moved at this hour).

    A job that is not begun yet is taken only while its window is open, and one of a window opened by hand is left for a
    minute to those who name it. `windows`: no other jobs are begun.
    """
    owner = owner_name()
    at = _clock()
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = PARAMETERS | {
            "owner": owner,
            "seconds": LEASE_SECONDS,
            "courtesy": COURTESY_SECONDS,
        }
        cursor.execute(_CLAIM, parameters | {"job": job, "windows": windows, "closed": closed_places()})
        row = cursor.fetchone()
    if row is None:
        return None
    failpoint(CLAIMED)
    return Lease(row[0], row[1], owner, at, row[2])


def claimable() -> int:
    """How many jobs nobody holds, but for those that wait for a later time or for the hours of a place."""
    free = TransferJob.objects.exclude(state="settled").exclude(due_at__gt=AlyxNow())
    if closed := closed_places():
        free = free.exclude(pk__in=waiting_jobs(closed))
    return int((free.filter(lease_until__isnull=True) | free.filter(lease_until__lte=AlyxNow())).count())
