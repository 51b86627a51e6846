"""When a file is finished: nobody has changed its size or its time between two looks that lie far enough apart.

Pure: no Django. A copy that keeps the time of its original looks old while it still grows, so one look is never enough.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

QUIET_MINUTES = 15
"""Between the two looks, unless the lab says otherwise."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look saw of a file: size in bytes, time of the last change in nanoseconds since 1970."""

    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """Since when each look saw exactly this."""

    sight: Sight
    since: datetime


def seen_again(before: Sighting | None, sight: Sight, at: datetime) -> Sighting:
    """What is known after a look at `at` (aware). Another size or time than before begins anew; so does a clock that was
    set back."""
    if before is not None and before.sight == sight and before.since <= at:
        return before
    return Sighting(sight, at)


def is_quiet(known: Sighting, at: datetime, quiet_minutes: int) -> bool:
    """Whether the look at `at` and the first that saw the same lie `quiet_minutes` or more apart."""
    return at - known.since >= timedelta(minutes=quiet_minutes)
