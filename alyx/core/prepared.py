"""Statements of ours that run again and again: PostgreSQL parses and plans each once per connection.

For a read of many tables, planning takes as long as finding the rows. What Django composes anew for each request cannot be
prepared; a constant text with parameters can.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import psycopg
from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)
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


@cache
def _fields_of(model: type[Model]) -> list[Any]:
    return list(model._meta.concrete_fields)


def columns_of(model: type[Model], table: str) -> str:
    """SQL: the columns of this table or its alias, as `row_of` takes them."""
    return ", ".join(f"{table}.{connection.ops.quote_name(field.column)}" for field in _fields_of(model))


def row_of(model: type[M], found: Sequence[Any]) -> M | None:
    """The row that such columns are of; None when they are of none (of an outer join)."""
    if all(value is None for value in found):
        return None
    fields = _fields_of(model)
    values = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(fields, found, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], values)


def split_rows(found: Sequence[Any], *models: type[Model]) -> list[Any]:
    """The rows of several tables out of one row of a statement that has all their columns, one after the other."""
    rows, at = [], 0
    for model in models:
        upto = at + len(_fields_of(model))
        rows.append(row_of(model, found[at:upto]))
        at = upto
    return rows
