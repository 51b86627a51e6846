"""Values in a query as Python values. Each raises Refused, with a sentence, for what it cannot read."""

import math
import uuid
from datetime import date, datetime
from typing import Any

from alyx.core.clock import server_zone
from alyx.core.qc import QC
from alyx.core.rest.query_grammar import Scalar, guess


class Refused(ValueError):
    """A condition outside the declaration; becomes a 400."""


def qc_value(value: Scalar) -> int:
    """A QC name or number."""
    return int(QC.parse(value))


def truth(value: Any) -> bool:
    """True and False as clients write them. Raises Refused."""
    word = str(value).strip().lower()
    if word in {"true", "1"}:
        return True
    if word in {"false", "0"}:
        return False
    raise Refused(f"{str(value)[:80]!r} is neither True nor False")


def as_text(value: Scalar) -> str:
    """Its text."""
    return str(value)


def as_guessed(value: Scalar) -> Scalar:
    """The constant or number it looks like, else text."""
    return guess(value) if isinstance(value, str) else value


def as_uuid(value: Scalar) -> uuid.UUID:
    """Raises Refused."""
    try:
        return uuid.UUID(str(value).strip())
    except ValueError:
        raise Refused(f"{str(value)[:80]!r} is not a UUID") from None


def as_number(value: Scalar) -> int | float:
    """A finite number. Raises Refused."""
    if isinstance(value, str):
        value = guess(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"{str(value)[:80]!r} is not a number")
    return value


def as_date_part(value: Scalar) -> int:
    """A year, month or day as a whole number. Raises Refused."""
    number = as_number(value)
    if not isinstance(number, int) or not 1 <= number <= date.max.year:
        raise Refused(f"{str(value)[:80]!r} is no number of a year, month or day")
    return number


def _moment(value: Scalar) -> datetime:
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise Refused(f"{str(value)[:80]!r} is not a time such as 2024-03-01T10:00:00") from None


def as_wall(value: Scalar) -> datetime:
    """Naive. Raises Refused."""
    return _moment(value).replace(tzinfo=None)


def as_instant(value: Scalar) -> datetime:
    """Aware; a naive one is in the server's zone. Raises Refused."""
    moment = _moment(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=server_zone())


def as_day(value: Scalar) -> date:
    """The date at the front. Raises Refused."""
    try:
        return date.fromisoformat(str(value).strip()[:10])
    except ValueError:
        raise Refused(f"{str(value)[:80]!r} is not a date such as 2024-03-01") from None
