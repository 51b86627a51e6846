"""What a time in a body or a form means."""

from datetime import datetime
from zoneinfo import ZoneInfo


def as_wall(moment: datetime, zone: str) -> datetime:
    """The lab's wall clock: a naive time as sent, one with an offset shown in `zone`."""
    return moment if moment.tzinfo is None else moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
