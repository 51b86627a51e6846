"""A read is bounded in time: each of its statements ends after ALYX_QUERY_SECONDS, and the caller is told how to ask for less.

Writes and jobs are not bounded: they find their rows by keys, and what they began they end.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from django.conf import settings
from django.db import OperationalError, connection
from psycopg.errors import QueryCanceled
from psycopg.pq import TransactionStatus

from alyx.core.errors import DomainError

NARROWS = (
    "id",
    "session",
    "subject",
    "nickname",
    "dataset",
    "probe_insertion",
    "date_range",
    "date",
    "lab",
    "project",
    "tag",
)
"""Filters that an index serves, or that leave few rows, the sharpest first."""
PAGING = {"limit", "offset"}


class TooSlow(DomainError):
    """A question that cannot be answered in time. Not a 503: clients repeat those, up to eight times."""

    code = "too_slow"


class Unfiltered(TooSlow):
    """Nothing was asked for that could be narrowed: it is the server that is slow."""

    status = 503


@contextmanager
def bounded() -> Iterator[None]:
    """Each statement in this block is cancelled after ALYX_QUERY_SECONDS (0: never).

    Raises OperationalError, of which `is_too_slow` knows.
    """
    raw = _connection_with_bound() if settings.ALYX_QUERY_SECONDS else None
    try:
        yield
    finally:
        if raw and not raw.closed and raw.info.transaction_status != TransactionStatus.INERROR:
            with suppress(psycopg.OperationalError):  # cut meanwhile: there is nothing to take back
                raw.execute("RESET statement_timeout")


def _connection_with_bound() -> Any:
    """Psycopg's connection (by Django's cursor it would be a query of the caller's); None without a database, which the call
    itself finds out and says."""
    try:
        connection.ensure_connection()
        raw: Any = connection.connection
        raw.execute(f"SET statement_timeout = {round(settings.ALYX_QUERY_SECONDS * 1000)}")
    except (OperationalError, psycopg.OperationalError):
        return None
    return raw


def is_too_slow(error: BaseException) -> bool:
    """Whether PostgreSQL cancelled a statement for its time."""
    return isinstance(error, OperationalError) and isinstance(error.__cause__, QueryCanceled)


def too_slow(request: Any, view: Any) -> TooSlow:
    """What the caller is told: which filters it was, and which others would help."""
    filters = getattr(view, "filters", {})
    offered = {*filters, *({"django"} if getattr(view, "query_fields", None) is not None else ())}
    asked = [name for name in request.query_params if name in offered and request.query_params[name].strip()]
    better = [name for name in NARROWS if name in filters and name not in asked]
    helps = f"narrow it by {', '.join(better)}" if better else "ask for fewer rows"
    if "offset" in request.query_params:
        helps += ", or ask for a smaller offset"
    took = f"took more than {settings.ALYX_QUERY_SECONDS:g} s"
    if not asked:
        return Unfiltered(f"the list {took}; {helps}", extra={"narrow_by": better})
    sentence = f"a search by {' and '.join(asked)} {took} and was given up: no index serves it; {helps}"
    return TooSlow(sentence, fields=dict.fromkeys(asked, f"this search {took}; {helps}"), extra={"narrow_by": better})
