"""What the fields of a dumped object mean: each is taken once, as our type; what cannot be stored is a doubt, never a crash."""

import math
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alyx.core import clock
from alyx.core.flags import Doubt
from alyx.core.json_column import MAX_DEPTH, check_json
from subjects.rules.times import as_wall

UNKNOWN = datetime(1970, 1, 1)  # noqa: DTZ001
"""The wall clock of what must have a time and has none. It is flagged, and enters no number."""
LONGEST_SHOWN = 1000
LARGEST_INTEGER = 2**31 - 1
Found = Mapping[str, Mapping[UUID, UUID]]


class Refused(Exception):
    """An object that cannot be taken in; the sentence says why, without its key."""


def as_key(value: Any) -> UUID | None:
    """A key of theirs."""
    if not isinstance(value, str):
        return None
    try:
        return UUID(value)
    except ValueError:
        return None


NUMBERED = frozenset({"experiments.brainregion"})
"""Models whose keys are whole numbers. On their way through an import they are packed into UUIDs."""


def key_in(label: str, value: Any) -> UUID | None:
    """A key of theirs, of this model."""
    if label not in NUMBERED:
        return as_key(value)
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    return UUID(int=number % 2**128) if number is not None and -(2**63) <= number < 2**63 else None


def stored_key(label: str, key: UUID) -> Any:
    """The key as the column has it."""
    if label not in NUMBERED:
        return key
    return key.int if key.int < 2**63 else key.int - 2**128


class Take:
    """The fields of one object. `found` are their keys that stand for rows of ours, per model."""

    def __init__(self, fields: Mapping[str, Any], found: Found) -> None:
        self.fields, self.found = fields, found
        self.doubts: list[Doubt] = []
        self._used: set[str] = set()

    def raw(self, name: str) -> Any:
        """As it stands in the file."""
        self._used.add(name)
        return self.fields.get(name)

    def left_out(self) -> list[str]:
        """Fields that say something and that nobody asked for."""
        return [
            name
            for name, value in self.fields.items()
            if name not in self._used and value not in (None, "", [], {}, False)
        ]

    def odd(self, name: str, value: Any, why: str) -> None:
        """It is not kept as it was: a flag shows what it was."""
        shown = repr(value)[:LONGEST_SHOWN]
        self.doubts.append(
            Doubt(
                "value-not-kept", f"{name} {shown[:80]}: {why}", {"field": name, "value": shown}, "enter what is right"
            )
        )

    def text(self, name: str, most: int | None = 255) -> str:
        """Text; null is empty."""
        value = self.raw(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            if isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
            self.odd(name, value, "is no text")
            return ""
        kept = value.replace("\x00", "").encode("utf-8", "replace").decode()
        kept = kept if most is None else kept[:most]
        if kept != value:
            self.odd(name, value, "cannot be stored as it is")
        return kept

    def number(self, name: str) -> float | None:
        """A finite number."""
        value = self.raw(name)
        if value is None or value == "":
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
        self.odd(name, value, "is no number")
        return None

    def whole(self, name: str, least: int = 0, most: int = LARGEST_INTEGER) -> int | None:
        """A whole number that fits."""
        value = self.raw(name)
        number = value if isinstance(value, int) and not isinstance(value, bool) else self.number(name)
        if number is None:
            return None
        if number == int(number) and least <= number <= most:
            return int(number)
        self.odd(name, value, f"is no whole number from {least} to {most}")
        return None

    def yes(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            self.odd(name, value, "is neither true nor false")
        return value if isinstance(value, bool) else default

    def choice(self, name: str, allowed: Collection[Any], default: Any) -> Any:
        """One of the values that there are."""
        value = self.raw(name)
        if value is None or value == "":
            return default
        if not isinstance(value, bool) and isinstance(value, str | int) and value in allowed:
            return value
        self.odd(name, value, "is none of the values there are")
        return default

    def json(self, name: str = "json") -> Any:
        """JSON, verbatim where it can be stored."""
        value = self.raw(name)
        try:
            check_json(value)
        except ValueError as error:
            self.odd(name, value, str(error))
            return _storable(value)
        return value

    def day(self, name: str) -> date | None:
        """A date; of a date with a time, the date."""
        value = self.raw(name)
        if value is None or value == "":
            return None
        try:
            return date.fromisoformat(value[:10])
        except (TypeError, ValueError):
            self.odd(name, value, "is no date")
            return None

    def wall(self, name: str, zone: str) -> datetime | None:
        """When it happened: naive is the lab's wall clock, with an offset it is shown in the lab's zone."""
        return self._moment(name, lambda moment: as_wall(moment, zone))

    def instant(self, name: str, server: ZoneInfo) -> datetime | None:
        """When the old server noted it: naive is that server's zone."""
        return self._moment(
            name, lambda moment: (moment.replace(tzinfo=server) if moment.tzinfo is None else moment).astimezone(UTC)
        )

    def _moment(self, name: str, meant: Callable[[datetime], datetime]) -> datetime | None:
        value = self.raw(name)
        if value is None or value == "":
            return None
        try:
            moment = datetime.fromisoformat(value)
            if not 2 <= moment.year <= 9998:  # at the ends of the calendar another zone's year does not exist
                raise ValueError
            return meant(moment)
        except (TypeError, ValueError, OverflowError):
            self.odd(name, value, "is no time")
            return None

    def link(self, name: str, label: str, *, needed: bool = False) -> Any:
        """A row of ours that the field names. One that is not needed is left out and flagged when nothing has its key.

        Raises Refused for a needed one.
        """
        value = self.raw(name)
        if value is None or value == "":
            if needed:
                raise Refused(f"it names no {name}")
            return None
        key = key_in(label, value)
        ours = self.found.get(label, {}).get(key) if key else None
        if ours is None:
            if needed:
                raise Refused(f"its {name} is neither in the file nor here")
            self.missing(name, value)
            return None
        return stored_key(label, ours)

    def links(self, name: str, label: str) -> list[Any]:
        """The rows of ours that the field lists."""
        values = self.raw(name)
        if not isinstance(values, list):
            if values not in (None, ""):
                self.odd(name, values, "is no list")
            return []
        keys: list[Any] = []
        for value in values:
            key = key_in(label, value)
            ours = self.found.get(label, {}).get(key) if key else None
            if ours is None:
                self.missing(name, value)
            else:
                keys.append(stored_key(label, ours))
        return list(dict.fromkeys(keys))

    def missing(self, name: str, value: Any) -> None:
        """A reference to nothing, left out."""
        self.doubts.append(broken(name, value))


def broken(name: str, value: Any) -> Doubt:
    """A reference to nothing."""
    shown = str(value)[:LONGEST_SHOWN]
    words = f"{name} names {shown[:80]}, which is neither in the file nor here"
    return Doubt("broken-reference", words, {"field": name, "value": shown}, "choose the right one")


def spanned(start: datetime | None, end: datetime | None, zone: str) -> dict[str, Any]:
    """The columns of what has a beginning and an end."""
    return {
        "zone": zone,
        "started_wall": start,
        "started_at": clock.wall_to_utc(start, zone) if start else None,
        "ended_wall": end,
        "ended_at": clock.wall_to_utc(end, zone) if end else None,
    }


def _storable(value: Any, depth: int = 0) -> Any:
    """The nearest JSON that PostgreSQL can hold."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_storable(str(key)): _storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    return value
