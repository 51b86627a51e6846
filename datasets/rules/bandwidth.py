"""What may flow from and to a repository at which hours of its own clock. Pure: no Django.

Written by people, one stretch of the day a line: `08:00-18:00 20 MB/s`, `18:00-20:00 nothing`, `20:00-08:00 no limit`.
Hours that no line names have no limit. A stretch may cross midnight. MB are a million bytes.

A limit belongs to what the clock on the wall shows: an hour that comes twice in autumn has its limit twice, one that does not
exist in spring has none.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from itertools import combinations, groupby

DAY = 24 * 60
LINES_AT_MOST = 24
_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_NOTHING, _NO_LIMIT = "nothing", "no limit"
_LINE = re.compile(r"(\d{1,2}):(\d{2})\s*(?:-|–|to)\s*(\d{1,2}):(\d{2})\s+(.+)", re.IGNORECASE)
_RATE = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)\s*(kB|MB|GB)/s", re.IGNORECASE)
_LIKE = "08:00-18:00 20 MB/s, or 08:00-18:00 nothing, or 08:00-18:00 no limit"
_AHEAD = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of each day, in minutes since midnight of the wall clock; one that ends at or before its start crosses midnight.
    `limit` in bytes a second; 0: nothing may be moved; None: no limit."""

    start: int
    end: int
    limit: int | None

    def minutes(self) -> Iterator[int]:
        """Each minute of the day that belongs to it."""
        return (minute % DAY for minute in range(self.start, self.end if self.end > self.start else self.end + DAY))

    def covers(self, minute: int) -> bool:
        """Whether this minute of the day belongs to it."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)} {said(self.limit)}"


Stretches = tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """The limits of one place, by its own clock."""

    stretches: Stretches
    zone: tzinfo

    @classmethod
    def of(cls, text: str, zone: tzinfo) -> "Hours":
        """Of a setting that was accepted before."""
        return cls(parse(text), zone)

    def limit_at(self, now: datetime) -> int | None:
        """Bytes a second at the aware instant `now`; 0: nothing; None: no limit."""
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return next((one.limit for one in self.stretches if one.covers(minute)), None)

    def next_change(self, now: datetime) -> datetime | None:
        """The first instant after `now` at which another limit holds; None: the same for ever."""
        if not self.stretches:
            return None
        held = self.limit_at(now)
        return next((at for at in self._moments(now) if self.limit_at(at) != held), None)

    def opens_at(self, now: datetime) -> datetime | None:
        """The first instant from `now` on at which something may be moved."""
        if self.limit_at(now) != 0:
            return now
        return self.next_change(now)

    def _moments(self, now: datetime) -> list[datetime]:
        """Instants in the days after `now` at which a limit may begin or end: both of an hour that comes twice, and those at
        which the clock is put forward or back."""
        today = now.astimezone(self.zone).date()
        found = set(_clock_changes(now, self.zone))
        for minute in {edge % DAY for one in self.stretches for edge in (one.start, one.end)}:
            for day in range(-1, 4):
                found |= _instants(today + timedelta(days=day), minute, self.zone)
        return sorted(at for at in found if at > now)


def parse(text: str) -> Stretches:
    """What was written. Raises ValueError with a sentence that names the line and what to write instead."""
    lines = [(number, line.strip()) for number, line in enumerate(re.split(r"[\n;]", text), start=1) if line.strip()]
    if len(lines) > LINES_AT_MOST:
        message = f"{len(lines)} lines are too many: at most {LINES_AT_MOST} stretches make up a day"
        raise ValueError(message)
    found = [(number, _stretch(number, line)) for number, line in lines]
    for (first, one), (second, other) in combinations(found, 2):
        both = sorted(set(one.minutes()) & set(other.minutes()))
        if both:
            message = f"lines {first} and {second} both say what holds at {_clock(both[0])}: let one end where the other begins"
            raise ValueError(message)
    closed = {minute for _, one in found if one.limit == 0 for minute in one.minutes()}
    if len(closed) == DAY:
        message = "at no hour of the day anything could be moved: leave some hours out, or retire the repository"
        raise ValueError(message)
    return tuple(sorted((one for _, one in found), key=lambda one: one.start))


def written(stretches: Iterable[Stretch]) -> str:
    """The same, one spelling for one meaning: a line for each, in the order of the day."""
    return "\n".join(str(one) for one in stretches)


def said(limit: int | None) -> str:
    """A limit in words that can be written as well, and mean the same to the byte."""
    if limit is None:
        return _NO_LIMIT
    if not limit:
        return _NOTHING
    units = ((name, factor) for name, factor in (("GB", 10**9), ("MB", 10**6)) if limit >= factor)
    unit, factor = next(((name, factor) for name, factor in units if limit % (factor // 1000) == 0), ("kB", 1000))
    return f"{Decimal(limit) / factor:.3f}".rstrip("0").rstrip(".") + f" {unit}/s"


def smaller(limits: Iterable[int | None]) -> int | None:
    """The smallest of several limits."""
    return min((limit for limit in limits if limit is not None), default=None)


def all_open_at(places: Sequence[Hours], now: datetime) -> datetime | None:
    """The first instant from `now` on at which all of these places let something pass; None: they share no hour."""
    at = now
    while at - now < _AHEAD:
        later = [place.opens_at(at) for place in places]
        if None in later:
            return None
        latest = max((one for one in later if one is not None), default=at)
        if latest == at:
            return at
        at = latest
    return None


def spans(places: Sequence[Hours], start: datetime, end: datetime) -> Iterator[tuple[int | None, float]]:
    """The limits that hold one after the other between two instants where bytes pass all of these places, and for how many
    seconds."""
    at = start
    while at < end:
        changes = [change for place in places if (change := place.next_change(at)) is not None]
        until = min([end, *changes])
        yield smaller(place.limit_at(at) for place in places), (until - at).total_seconds()
        at = until


def in_one_go(place: Hours, now: datetime) -> int | None:
    """How many bytes pass at most between two hours at which nothing may, in the days after `now`. None: there is no limit, or
    no such hour."""
    found = list(spans([place], now, now + timedelta(days=3)))
    if all(limit != 0 for limit, _ in found):
        return None
    runs = [list(run) for is_open, run in groupby(found, key=lambda span: span[0] != 0) if is_open]
    each = [passes(run) for run in runs]
    return None if None in each else max((one for one in each if one is not None), default=0)


def passes(found: Iterable[tuple[int | None, float]]) -> int | None:
    """How many bytes such spans let pass: the sum of limit times seconds. None: there is no limit in one of them."""
    total = 0.0
    for limit, seconds in found:
        if limit is None:
            return None
        total += limit * seconds
    return int(total)


def _stretch(number: int, line: str) -> Stretch:
    found = _LINE.fullmatch(line)
    if found is None:
        message = f"line {number} ({line[:60]!r}) is not understood: write {_LIKE}; one stretch of the day a line"
        raise ValueError(message)
    start, end = _minute(number, found[1], found[2]), _minute(number, found[3], found[4])
    return Stretch(start % DAY, end, _limit(number, found[5].strip()))


def _minute(number: int, hour: str, minute: str) -> int:
    at = int(hour) * 60 + int(minute)
    if int(minute) > 59 or at > DAY:
        message = f"line {number}: {hour}:{minute} is no time of day: write 00:00 to 24:00"
        raise ValueError(message)
    return at


def _limit(number: int, text: str) -> int | None:
    word = " ".join(text.lower().split())
    if word in {_NO_LIMIT, "unlimited"}:
        return None
    if word in {_NOTHING, "0", "closed"}:
        return 0
    found = _RATE.fullmatch(text)
    if found is None:
        message = f"line {number}: {text[:40]!r} is no limit: write such as 20 MB/s or 500 kB/s, nothing, or no limit"
        raise ValueError(message)
    limit = int(Decimal(found[1]) * _UNITS[found[2].lower()])
    if 0 < limit < _UNITS["kb"]:
        message = f"line {number}: {text} is less than 1 kB/s: write nothing if nothing is to be moved"
        raise ValueError(message)
    return limit


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _instants(day: date, minute: int, zone: tzinfo) -> set[datetime]:
    """When the wall clock shows this: once, or twice where it is put back."""
    wall = datetime.combine(day, time(minute // 60, minute % 60))
    return {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}


def _clock_changes(now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """When the clock is put forward or back in the days after `now`, to the second."""
    at = now.astimezone(UTC).replace(microsecond=0)
    for _ in range(4 * 24):
        after = at + timedelta(hours=1)
        if at.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            yield _change_between(at, after, zone)
        at = after


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
