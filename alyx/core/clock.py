"""Time. There is one clock, the database's, read through `alyx_now()`.

Tests and soaks set its offset (`set_offset`), so that a month of nights passes in seconds for every process at once.
What happened in a lab keeps its wall clock as sent, with the zone and the derived instant (`wall_to_utc`).
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import DateTimeField, Func


class AlyxNow(Func):
    """`alyx_now()` in a query or as a column's default."""

    function = "alyx_now"
    output_field = DateTimeField()


def now() -> datetime:
    """The database's time, as an aware UTC datetime."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT alyx_now()")
        value: datetime = cursor.fetchone()[0]
    return value.astimezone(UTC)


def set_offset(offset: timedelta) -> None:
    """Move the clock of every process that uses this database. For tests, soaks and drills."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE alyx_clock SET shift = make_interval(secs => %s)", [offset.total_seconds()])


def advance(by: timedelta) -> None:
    """Move that clock on from where it is."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE alyx_clock SET shift = shift + make_interval(secs => %s)", [by.total_seconds()])


def server_zone() -> ZoneInfo:
    """The zone of records without a lab, and of server-made times on the wire."""
    return ZoneInfo(settings.TIME_ZONE)


def wall_to_utc(wall: datetime, zone: str) -> datetime:
    """The instant of a wall clock in a zone.

    A wall clock that occurs twice is its first occurrence; one inside the spring gap is read with the offset before
    the gap and is kept as sent by whoever stores it.
    """
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def utc_to_wall(at: datetime, zone: str) -> datetime:
    """The naive wall clock of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
