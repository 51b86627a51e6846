"""The fields of a surgery as a tablet writes them: each by itself, with what it said before. Pure."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from subjects.rules.merge import merged_set, merged_text, merged_value

TEXT_AT_MOST = 100_000
WORD_AT_MOST = 255
BEYOND_BELIEF = 1e9
"""No number of a surgery is as large, whatever its unit."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)")


class Unfit(ValueError):
    """A value that the field cannot have; its text is a sentence for people."""


def number(said: Any) -> float | None:
    """A number as typed: with a point or a comma; nothing is None. Raises Unfit."""
    if said is None or (isinstance(said, str) and not said.strip()):
        return None
    if isinstance(said, str) and _NUMBER.fullmatch(said.strip()):
        said = float(said.strip().replace(",", "."))
    if isinstance(said, bool) or not isinstance(said, int | float) or (isinstance(said, float) and math.isnan(said)):
        raise Unfit(f"{str(said)[:40]!r} is not a number")
    if abs(said) > BEYOND_BELIEF:
        raise Unfit("is larger than any number of a surgery")
    return float(said)


def _not_negative(said: Any) -> float | None:
    value = number(said)
    if value is not None and value < 0:
        raise Unfit(f"{value:g} is below 0")
    return value


def text(said: Any) -> str:
    """A text. Raises Unfit."""
    if said is None:
        return ""
    if not isinstance(said, str) or "\x00" in said:
        raise Unfit("must be a text")
    if len(said) > TEXT_AT_MOST:
        raise Unfit(f"has {len(said)} characters; {TEXT_AT_MOST} at most")
    return said


def _word(said: Any) -> str:
    value = text(said)
    if len(value) > WORD_AT_MOST:
        raise Unfit(f"has {len(value)} characters; {WORD_AT_MOST} at most")
    return value


def _outcome(said: Any) -> str:
    if said not in ("", "a", "r", "n", None):
        raise Unfit(f"{said!r} is not an outcome: r (recovery), a (acute), n (non-recovery) or nothing")
    return str(said or "")


def _severity(said: Any) -> int | None:
    value = number(said)
    if value is not None and value not in {1, 2, 3, 4, 5}:
        raise Unfit(f"{value:g} is not a severity from 1 to 5")
    return None if value is None else int(value)


def key(said: Any) -> UUID:
    """The key of a record. Raises Unfit."""
    try:
        return UUID(str(said))
    except ValueError:
        raise Unfit(f"{said!r} is not the key of a record") from None


def _key_or_none(said: Any) -> UUID | None:
    return None if said in (None, "") else key(said)


def _keys(said: Any) -> frozenset[UUID]:
    if not isinstance(said, list | tuple | set | frozenset):
        raise Unfit("must be a list of keys")
    return frozenset(key(one) for one in said)


def instant(said: Any) -> datetime:
    """A moment with its offset. Raises Unfit."""
    try:
        found = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1900 <= found.year <= 2200:
        raise Unfit(f"{said!r} is not a time with its offset, as 2026-03-09T14:03:00+00:00")
    return found


def _moment(said: Any) -> datetime | None:
    return None if said in (None, "") else instant(said)


FIELDS: dict[str, Callable[[Any], Any]] = {
    "narrative": text,
    "name": _word,
    "anaesthetic": _word,
    "outcome_type": _outcome,
    "implant_weight": _not_negative,
    "weight_before": _not_negative,
    "weight_after": _not_negative,
    "anaesthesia_level": _not_negative,
    "anaesthesia_min": _not_negative,
    "severity": _severity,
    "users": _keys,
    "procedures": _keys,
    "location": _key_or_none,
    "start_time": _moment,
    "end_time": _moment,
}
"""Word of the wire → its value from what was said; raises Unfit."""


@dataclass(frozen=True)
class Merged:
    """What a field says after a change by one of two people."""

    value: Any
    agreed: bool
    """False: both changed it, to different values; `value` is then what was asked for, and nothing is written."""


def merged(field: str, base: Any, mine: Any, theirs: Any) -> Merged:
    """All three as `FIELDS` gives them: `base` is what I saw, `theirs` what it says by now."""
    if field == "narrative":
        found = merged_text(base, mine, theirs)
        return Merged(mine, agreed=False) if found is None else Merged(found, agreed=True)
    if field in {"users", "procedures"}:
        return Merged(frozenset(merged_set(base, mine, theirs)), agreed=True)
    agreed, value = merged_value(base, mine, theirs)
    return Merged(value, agreed)


def merged_columns(
    base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(columns to write, columns on which both differ with what the other says) of a part."""
    write, differ = {}, {}
    for name, value in mine.items():
        agreed, found = merged_value(base.get(name), value, theirs.get(name))
        if agreed:
            write[name] = found
        else:
            differ[name] = theirs.get(name)
    return write, differ
