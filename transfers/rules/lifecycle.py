"""The states of a transfer item (one copy of one file) and of a transfer job (items sent together).

Pure: no Django. The database guards are generated from these tables.
"""

from datetime import timedelta
from enum import StrEnum


class ItemState(StrEnum):
    """Where one file is on its way to one destination."""

    PLANNED = "planned"
    BOUND = "bound"
    """Belongs to a job that may be writing. Left only when that job is terminal."""
    MOVED = "moved"
    """The bytes lie in the staging place of this attempt."""
    VERIFYING = "verifying"
    PROMOTED = "promoted"
    """The proved bytes have their final name; the registry does not know yet."""
    DONE = "done"
    RETRY_WAIT = "retry_wait"
    STALE = "stale"
    """Another version of the dataset is meant by now."""
    NEEDS_HUMAN = "needs_human"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """One Globus task, one S3 run or one POSIX batch."""

    PREPARED = "prepared"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SETTLED = "settled"
    """Every item of the job has been given its outcome."""


I = ItemState  # noqa: E741  (the table below is read as a table)
J = JobState

IN_FLIGHT = frozenset({I.BOUND, I.MOVED, I.VERIFYING, I.PROMOTED})
LIVE = IN_FLIGHT | {I.PLANNED, I.RETRY_WAIT, I.NEEDS_HUMAN}
"""States of which a (dataset, destination) may have one item only."""
ITEM_TERMINAL = frozenset({I.DONE, I.STALE, I.CANCELLED})

ITEM_MOVES: frozenset[tuple[ItemState, ItemState]] = frozenset(
    {
        (I.PLANNED, I.BOUND),
        (I.BOUND, I.MOVED),
        (I.MOVED, I.VERIFYING),
        (I.VERIFYING, I.PROMOTED),
        (I.PROMOTED, I.DONE),
        (I.PLANNED, I.DONE),  # a claim at the destination was verified in place
        (I.RETRY_WAIT, I.PLANNED),
        (I.NEEDS_HUMAN, I.PLANNED),
    }
    | {(state, I.RETRY_WAIT) for state in IN_FLIGHT}
    | {(state, I.NEEDS_HUMAN) for state in IN_FLIGHT | {I.PLANNED, I.RETRY_WAIT}}
    | {(state, I.STALE) for state in LIVE}
    | {(state, I.CANCELLED) for state in LIVE}
)
"""Leaving IN_FLIGHT needs a terminal job as well: see `JOB_WRITING`."""

JOB_WRITING = frozenset({J.SUBMITTING, J.SUBMITTED, J.CANCELLING})
"""While a job is in one of these, a writer may live: its items stay in flight."""
JOB_ENDED = frozenset({J.SUCCEEDED, J.FAILED, J.EXPIRED, J.CANCELLED})
JOB_TERMINAL = frozenset({J.SETTLED})

JOB_MOVES: frozenset[tuple[JobState, JobState]] = frozenset(
    {
        (J.PREPARED, J.SUBMITTING),
        (J.PREPARED, J.CANCELLED),
        (J.SUBMITTING, J.SUBMITTED),
        (J.SUBMITTED, J.CANCELLING),
        (J.CANCELLING, J.CANCELLED),
    }
    | {(state, end) for state in JOB_WRITING for end in JOB_ENDED}
    | {(end, J.SETTLED) for end in JOB_ENDED}
)

LEASE_SECONDS = 45
HEARTBEAT_SECONDS = 15
"""A worker that has not been heard for LEASE_SECONDS has lost what it held."""

POLLED_FIRST = timedelta(seconds=1)
POLLED_AT_LEAST = timedelta(minutes=5)
STALLED_AFTER = timedelta(hours=6)
"""A remote job that has not got on for so long, with an error of its own, is cancelled; a pause stops this clock."""


def poll_pause(age: timedelta) -> timedelta:
    """How long until a remote job that began `age` ago is asked about again: soon at first, then every five minutes."""
    return min(POLLED_AT_LEAST, max(POLLED_FIRST, age / 2))
