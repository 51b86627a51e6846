"""Many rows in one statement: what a set-based service writes with.

Rows travel to PostgreSQL as one JSON text, so the cost in Python hardly grows with their number. Keys of a row are
attribute names (`dataset_id`). Triggers, and with them the audit, see every row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.db import connection, models

Row = Mapping[str, Any]


@cache
def _columns(model: type[models.Model]) -> dict[str, tuple[str, str]]:
    """Attribute name → (quoted column, SQL type)."""
    quote = connection.ops.quote_name
    return {
        field.attname: (quote(str(field.column)), str(field.db_type(connection)))
        for field in model._meta.concrete_fields
    }


def _defaults(model: type[models.Model]) -> dict[str, Any]:
    fields = (field for field in model._meta.concrete_fields if not field.primary_key and not field.has_db_default())
    return {field.attname: None if field.null else field.get_default() for field in fields}


def _source(model: type[models.Model], names: Sequence[str]) -> str:
    columns = _columns(model)
    typed = ", ".join(f"{columns[name][0]} {columns[name][1]}" for name in names)
    return f"jsonb_to_recordset(%s::jsonb) AS r({typed})"


@dataclass(frozen=True)
class Insert:
    """New rows; what they leave out gets the model's default. `or_else`: an ON CONFLICT clause after the words."""

    model: type[models.Model]
    rows: Sequence[Row]
    or_else: str = ""

    def sql(self) -> str:
        """The statement, with one parameter."""
        names = self._names()
        columns = ", ".join(_columns(self.model)[name][0] for name in names)
        chosen = ", ".join(f"r.{_columns(self.model)[name][0]}" for name in names)
        conflict = f" ON CONFLICT {self.or_else}" if self.or_else else ""
        table = self.model._meta.db_table
        return f'INSERT INTO "{table}" ({columns}) SELECT {chosen} FROM {_source(self.model, names)}{conflict}'  # noqa: S608

    def parameter(self) -> str:
        """The rows as JSON."""
        defaults = _defaults(self.model)
        return _encode({**defaults, **row} for row in self.rows)

    def _names(self) -> list[str]:
        return list({**_defaults(self.model), **self.rows[0]})


@dataclass(frozen=True)
class Update:
    """New values for rows found by `id`; every row names the same columns."""

    model: type[models.Model]
    rows: Sequence[Row]

    def sql(self) -> str:
        """The statement, with one parameter."""
        columns = _columns(self.model)
        names = list(self.rows[0])
        changed = ", ".join(f"{columns[name][0]} = r.{columns[name][0]}" for name in names if name != "id")
        return f'UPDATE "{self.model._meta.db_table}" AS t SET {changed} FROM {_source(self.model, names)} WHERE t.id = r.id'  # noqa: S608

    def parameter(self) -> str:
        """The rows as JSON."""
        return _encode(self.rows)


def insert_rows(model: type[models.Model], rows: Iterable[Row], *, or_else: str = "") -> list[Insert]:
    """Inserts of rows, one for each set of columns."""
    return [Insert(model, same, or_else) for same in _alike(rows)]


def update_rows(model: type[models.Model], rows: Iterable[Row]) -> list[Update]:
    """Updates of rows, one for each set of columns."""
    return [Update(model, same) for same in _alike(rows)]


def _alike(rows: Iterable[Row]) -> list[list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return list(groups.values())


def _encode(rows: Iterable[Row]) -> str:
    return orjson.dumps([dict(row) for row in rows]).decode()


def write_together(*statements: Insert | Update) -> None:
    """Execute the statements as one. No two of them may touch the same row, and none may need another's effect on a unique
    index."""
    if not statements:
        return
    parts = ", ".join(f"s{number} AS ({statement.sql()} RETURNING 1)" for number, statement in enumerate(statements))
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {parts} SELECT 1", [statement.parameter() for statement in statements])
