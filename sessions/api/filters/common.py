"""Query parameters that several tables share."""

from datetime import datetime
from math import isfinite
from typing import Any

from django.db.models import QuerySet

from alyx.core.clock import server_zone
from alyx.core.rest.filters import (
    NUMBER,
    Filter,
)

Rows = QuerySet[Any]


def wall(path: str) -> Filter:
    """Exactly this wall clock."""
    return Filter(
        lambda rows, value: rows.filter(**{path: datetime.fromisoformat(value).replace(tzinfo=None)}), "exact time"
    )


def changed(rows: Rows, value: str) -> Rows:
    """Last changed at this instant, in the server's zone unless it names one."""
    moment = datetime.fromisoformat(value)
    return rows.filter(updated_at=moment if moment.tzinfo else moment.replace(tzinfo=server_zone()))


def is_measure(path: str) -> Filter:
    """This number."""

    def apply(rows: Rows, value: str) -> Rows:
        number = float(value)
        if not isfinite(number):
            raise ValueError(f"{value[:80]!r} is not a finite number")
        return rows.filter(**{path: number})

    return Filter(apply, "exactly this number", NUMBER)
