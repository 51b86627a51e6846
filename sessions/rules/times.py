"""What a time in a session's body means."""

from datetime import datetime, time
from zoneinfo import ZoneInfo


def as_wall(moment: datetime, zone: str) -> datetime:
    """The lab's wall clock: a naive time as sent, one with an offset shown in `zone`."""
    return moment if moment.tzinfo is None else moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def is_date_only(moment: datetime) -> bool:
    """Whether it only says a date: midnight without an offset."""
    return moment.tzinfo is None and moment.time() == time(0)
