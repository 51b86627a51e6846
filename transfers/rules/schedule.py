"""When a repository's night begins and ends: two o'clock by its own clock, once for each local date.

Pure: zone and time of day in, UTC instants out. No Django.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

CATCH_UP = timedelta(hours=12)
"""A night that could not begin on time still does within this; later than that it is left to the next."""
LEAST_USEFUL = timedelta(hours=1)
"""A night found late with less than this left of it is given its whole length from when it was found."""


@dataclass(frozen=True, slots=True)
class Night:
    """The night of one local date, as UTC instants."""

    local_date: date
    starts_at: datetime
    ends_at: datetime


def instant(day: date, at: time, zone: tzinfo) -> datetime:
    """The UTC instant of a time of day. In the spring gap: as long after midnight as the clock would have said (2:00
    that does not exist is 3:00). Occurring twice in autumn: the first."""
    return datetime.combine(day, at.replace(fold=0), tzinfo=zone).astimezone(UTC)


def night_of(day: date, start: time, end: time, zone: tzinfo) -> Night:
    """The night of local date `day`. An `end` at or before `start` is on the next day."""
    wraps = end <= start
    starts_at = instant(day, start, zone)
    ends_at = instant(day + timedelta(days=1) if wraps else day, end, zone)
    if ends_at <= starts_at:  # both in or beside a spring gap
        ends_at = starts_at + _length(start, end)
    return Night(day, starts_at, ends_at)


def night_due(now: datetime, start: time, end: time, zone: tzinfo) -> Night | None:
    """The night that should be open at the aware instant `now`, or None.

    The latest one that has begun, if that is less than CATCH_UP ago. When most of it is over already (the server was
    down at two) it lasts its own length from now on, but never into the next one.
    """
    today = now.astimezone(zone).date()
    for day in (today, today - timedelta(days=1)):
        night = night_of(day, start, end, zone)
        if night.starts_at > now:
            continue
        if now - night.starts_at >= CATCH_UP:
            return None
        if now + LEAST_USEFUL <= night.ends_at:
            return night
        return _late(night, now, start, end, zone)
    return None


def _late(night: Night, now: datetime, start: time, end: time, zone: tzinfo) -> Night:
    following = night_of(night.local_date + timedelta(days=1), start, end, zone)
    ends_at = min(now + _length(start, end), following.starts_at)
    return Night(night.local_date, night.starts_at, max(night.ends_at, ends_at))


def _length(start: time, end: time) -> timedelta:
    minutes = (end.hour - start.hour) * 60 + end.minute - start.minute
    length = timedelta(minutes=minutes, seconds=end.second - start.second)
    return length if length > timedelta(0) else length + timedelta(days=1)
