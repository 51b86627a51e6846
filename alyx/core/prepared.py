"""Statements of ours that run again and again: PostgreSQL parses and plans each once per connection.

For a read of many tables, planning takes as long as finding the rows. What Django composes anew for each request cannot be
prepared; a constant text with parameters can.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection

_NEVER_BY_ITSELF = 2**31


class _Prepared(psycopg.Cursor[Any]):
    """Binds parameters in the server, as Django's own cursor does not."""

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Any:
        """Prepare where that has not been done."""
        return super().execute(query, params, prepare=True, binary=binary)

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        """Remembered where Django looks for it, to list what was asked."""
        self._query = super()._convert_query(query, params)
        return self._query


def rows_of(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a constant statement that only reads. Parameters are typed where they stand (`%(ids)s::uuid[]`)."""
    database: Any = connection
    database.ensure_connection()
    raw = database.connection
    if raw.prepare_threshold is None:  # Django's default, under which nothing is prepared
        raw.prepare_threshold = _NEVER_BY_ITSELF
    with database._prepare_cursor(_Prepared(raw)) as cursor:  # noqa: SLF001  (counted and wrapped as every cursor)
        cursor.execute(sql, dict(parameters))
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
