"""Two o'clock local, once for each local date, in every zone there is."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.rules.schedule import CATCH_UP, instant, night_due, night_of

TWO, EIGHT = time(2), time(8)
ZONES = sorted(available_timezones() - {"localtime"})
DAYS = [date(2024, 1, 1) + timedelta(days=3 * step) for step in range(1096)]
"""A date in three from 2024 to 2032; the days around each change of any zone's offset are added below."""


def changes(zone: ZoneInfo) -> list[date]:
    """Local dates on which the offset is not the one of the day before."""
    found, before = [], None
    for step in range(9 * 366):
        day = date(2024, 1, 1) + timedelta(days=step)
        offset = datetime(day.year, day.month, day.day, 12, tzinfo=zone).utcoffset()
        if before is not None and offset != before:
            found += [day - timedelta(days=1), day, day + timedelta(days=1)]
        before = offset
    return found


def test_every_local_date_of_every_zone_has_one_night_that_begins_at_two_or_when_two_does_not_exist_at_three() -> None:
    for name in ZONES:
        zone = ZoneInfo(name)
        for day in {*DAYS[::8], *changes(zone)}:
            night, following = night_of(day, TWO, EIGHT, zone), night_of(day + timedelta(days=1), TWO, EIGHT, zone)
            wall = night.starts_at.astimezone(zone)
            assert wall.date() == day, (name, day)
            assert wall.time() == TWO or _in_gap(day, zone), (name, day, wall)
            assert wall.fold == 0, (name, day)
            assert night.starts_at < night.ends_at < following.starts_at, (name, day)


def _in_gap(day: date, zone: ZoneInfo) -> bool:
    wall = datetime.combine(day, TWO, tzinfo=zone)
    return wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("America/New_York", date(2026, 3, 8), "2026-03-08T07:00:00+00:00"),  # 2:00 is skipped: 3:00 EDT
        ("Europe/Paris", date(2026, 3, 29), "2026-03-29T01:00:00+00:00"),  # 2:00 is skipped: 3:00 CEST
        ("Europe/Paris", date(2026, 10, 25), "2026-10-25T00:00:00+00:00"),  # 2:00 comes twice: the first
        ("Europe/London", date(2026, 3, 29), "2026-03-29T01:00:00+00:00"),  # the gap is 1:00–2:00
        ("Asia/Kathmandu", date(2026, 6, 1), "2026-05-31T20:15:00+00:00"),
    ],
)
def test_two_o_clock_on_days_when_clocks_change(zone: str, day: date, expected: str) -> None:
    assert instant(day, TWO, ZoneInfo(zone)).isoformat() == expected


def test_minute_by_minute_over_a_change_of_clocks_each_date_is_due_once_and_in_order() -> None:
    for name, start in (("America/New_York", date(2026, 3, 7)), ("Europe/Paris", date(2026, 10, 24))):
        zone, opened = ZoneInfo(name), list[date]()
        now = instant(start, time(0), zone)
        for _ in range(3 * 24 * 60):
            night = night_due(now, TWO, EIGHT, zone)
            if night is not None and night.local_date not in opened:
                assert now == night.starts_at
                opened.append(night.local_date)
            now += timedelta(minutes=1)
        assert opened == [start, start + timedelta(days=1), start + timedelta(days=2)]


@given(
    now=st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES),
    start=st.times(),
    end=st.times(),
)
def test_a_night_that_is_due_has_begun_less_than_twelve_hours_ago_and_is_not_over(
    now: datetime, zone: str, start: time, end: time
) -> None:
    night = night_due(now, start.replace(microsecond=0), end.replace(microsecond=0), ZoneInfo(zone))
    if night is not None:
        assert night.starts_at <= now < night.starts_at + CATCH_UP
        assert now < night.ends_at <= now + timedelta(hours=25)


def test_a_server_that_was_down_at_two_catches_up_until_two_in_the_afternoon() -> None:
    zone = ZoneInfo("Europe/London")
    early, late = (datetime(2026, 6, 1, hour, 59, tzinfo=zone) for hour in (13, 14))
    night = night_due(early, TWO, EIGHT, zone)
    assert night is not None
    assert night.ends_at == early.astimezone(UTC) + timedelta(hours=6)
    assert night_due(late, TWO, EIGHT, zone) is None


def test_a_night_across_midnight_is_the_one_of_the_evening() -> None:
    zone = ZoneInfo("Europe/London")
    night = night_due(datetime(2026, 6, 2, 1, 0, tzinfo=zone), time(22), time(6), zone)
    assert night is not None
    assert (night.local_date, night.ends_at.astimezone(zone).time()) == (date(2026, 6, 1), time(6))
