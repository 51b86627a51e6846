"""What is asked of everything that happened to an animal at a moment."""

import math
from datetime import datetime, time
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from alyx.core.errors import NotFound
from alyx.core.rest.filters import (
    NUMBER,
    Filter,
    as_day,
    asked,
    equals,
    iequals,
    is_key,
    json_is,
    matches_nothing,
    split,
)
from subjects.models import Subject

Rows = QuerySet[Any]


def _of_subject(rows: Rows, value: str) -> Rows:
    return rows.filter(subject__in=Subject.objects.named(value).values("pk"))


def time_is(path: str) -> Filter:
    """Exactly this wall clock."""
    return Filter(
        lambda rows, value: rows.filter(**{path: datetime.fromisoformat(value).replace(tzinfo=None)}), "exact time"
    )


def within_days(path: str) -> Filter:
    """A wall clock from one day to another."""

    def apply(rows: Rows, value: str) -> Rows:
        parts = split(value)
        if len(parts) != 2:
            raise ValueError(f"{value[:80]!r} is not from,to such as 2024-03-01,2024-03-31")
        first, last = (as_day(part) for part in parts)
        return rows.filter(
            **{f"{path}__gte": datetime.combine(first, time.min), f"{path}__lte": datetime.combine(last, time.max)}
        )

    return Filter(apply, "from,to as dates, both inclusive")


def amount(path: str, unit: str) -> Filter:
    """Exactly so much."""

    def apply(rows: Rows, value: str) -> Rows:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{value[:80]!r} is no amount")
        return rows.filter(**{path: number})

    return Filter(apply, f"exact, in {unit}", NUMBER)


OF_SUBJECT = {
    "id": is_key("id"),
    "subject": asked(_of_subject, "the nickname, ignoring case"),
    "nickname": asked(_of_subject, "the nickname, ignoring case"),
    "json": json_is("json", "json"),
}


MOMENT = {
    **OF_SUBJECT,
    "date_range": within_days("at_wall"),
    "date_time": time_is("at_wall"),
    "lab": iequals("subject__lab__name"),
    "user": equals("user__username"),
    "users": equals("user__username"),
    "location": matches_nothing("nobody records where it was; nothing matches"),
    "name": matches_nothing("it has no name here; nothing matches"),
}


def found_in(rows: Rows, key: UUID, what: str) -> Any:
    """The row with this key. Raises NotFound."""
    row = rows.filter(pk=key).first()
    if row is None:
        raise NotFound(f"there is no {what} {key}")
    return row
