"""The dump, spilled into temporary tables of this connection, and the keys that were found so far.

They vanish with the connection: an import that was killed leaves nothing behind, and the next begins by reading again.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from django.db import connection

from datasets.imports.values import as_key

_TABLES = """
DROP TABLE IF EXISTS import_row, import_key;
CREATE TEMP TABLE import_row (
    label text COLLATE "C", grp text COLLATE "C", sort text COLLATE "C", ordinal bigint, pk text COLLATE "C",
    twin text NOT NULL DEFAULT '', fields text
);
CREATE TEMP TABLE import_key (label text COLLATE "C", theirs uuid, ours uuid, PRIMARY KEY (label, theirs));
"""
_READY = """
CREATE INDEX ON import_row (label, grp, sort, ordinal);
CREATE INDEX ON import_row (label, pk);
UPDATE import_row SET twin = CASE WHEN import_row.fields = first.fields THEN 'same' ELSE 'other' END
  FROM (SELECT label, pk, min(ordinal) AS ordinal FROM import_row WHERE pk <> '' GROUP BY label, pk HAVING count(*) > 1) AS many
  JOIN import_row AS first USING (label, pk, ordinal)
 WHERE import_row.label = many.label AND import_row.pk = many.pk AND import_row.ordinal > many.ordinal;
ANALYZE import_row;
"""
_BATCH = """
SELECT grp, sort, ordinal, pk, twin, fields FROM import_row
 WHERE label = %s AND (grp, sort, ordinal) > (%s, %s, %s)
 ORDER BY grp, sort, ordinal LIMIT %s
"""
_REST_OF_GROUP = """
SELECT grp, sort, ordinal, pk, twin, fields FROM import_row
 WHERE label = %s AND grp = %s AND (sort, ordinal) > (%s, %s) ORDER BY sort, ordinal
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An object of the dump. `twin`: its key came before, with the same fields or with others."""

    pk: str
    twin: str
    fields: dict[str, Any]
    group: str = ""

    @property
    def key(self) -> UUID | None:
        """Its key, when it is one of ours by kind."""
        return as_key(self.pk)


Order = Callable[[Mapping[str, Any]], tuple[str, str]]


class Spool:
    """The rows of the dump on the database's disk."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_TABLES)

    def fill(self, rows: Iterable[tuple[str, str, Mapping[str, Any]]], orders: Mapping[str, Order]) -> None:
        """Take in (label, key, fields); `orders` says by what a model's rows are grouped and sorted."""
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY import_row (label, grp, sort, ordinal, pk, fields) FROM STDIN") as copy,
        ):
            for ordinal, (label, pk, fields) in enumerate(rows):
                group, sort = orders[label](fields) if label in orders else ("", "")
                key = as_key(pk)
                copy.write_row(
                    (label, _safe(group), _safe(sort), ordinal, str(key) if key else _safe(pk), json.dumps(fields))
                )
        with connection.cursor() as cursor:
            cursor.execute(_READY)

    def batches(self, label: str, size: int, *, whole_groups: bool = False) -> Iterator[list[Row]]:
        """The model's rows in order. `whole_groups`: a group is never cut in two."""
        place: tuple[Any, ...] = ("", "", -1)
        while True:
            found = _rows(_BATCH, [label, *place, size])
            if not found:
                return
            if whole_groups and len(found) == size:
                group, sort, ordinal = found[-1][:3]
                found += _rows(_REST_OF_GROUP, [label, group, sort, ordinal])
            place = tuple(found[-1][:3])
            yield [_row(row) for row in found]

    def of_groups(self, label: str, groups: Sequence[str]) -> list[Row]:
        """The model's rows of these groups."""
        sql: LiteralString = (
            "SELECT grp, sort, ordinal, pk, twin, fields FROM import_row"
            " WHERE label = %s AND grp = ANY(%s) ORDER BY grp, sort, ordinal"
        )
        return [_row(row) for row in _rows(sql, [label, list(groups)])]

    def places(self, label: str, groups: Sequence[str]) -> dict[str, list[str]]:
        """By what the model's rows of these groups are sorted: names, and nothing else of them."""
        sql: LiteralString = "SELECT grp, sort FROM import_row WHERE label = %s AND grp = ANY(%s)"
        found: dict[str, list[str]] = {}
        for group, sort in _rows(sql, [label, list(groups)]):
            found.setdefault(group, []).append(sort)
        return found

    def holds(self, label: str, keys: Iterable[UUID]) -> set[UUID]:
        """Which of these keys the file itself has."""
        wanted = [str(key) for key in keys]
        if not wanted:
            return set()
        found = _rows("SELECT DISTINCT pk FROM import_row WHERE label = %s AND pk = ANY(%s)", [label, wanted])
        return {UUID(row[0]) for row in found}

    def remember(self, label: str, pairs: Mapping[UUID, UUID]) -> None:
        """From now on their keys mean these rows of ours."""
        if not pairs:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO import_key SELECT %s, * FROM unnest(%s::uuid[], %s::uuid[])"
                " ON CONFLICT (label, theirs) DO UPDATE SET ours = excluded.ours",
                [label, list(pairs), list(pairs.values())],
            )

    def known(self, label: str, keys: Iterable[UUID]) -> dict[UUID, UUID]:
        """Their keys of this model that were taken in, with ours."""
        wanted = list(keys)
        if not wanted:
            return {}
        sql: LiteralString = "SELECT theirs, ours FROM import_key WHERE label = %s AND theirs = ANY(%s)"
        return dict(_rows(sql, [label, wanted]))

    def anywhere(self, keys: Iterable[UUID]) -> dict[UUID, dict[str, UUID]]:
        """Our keys of their keys by model, whatever the model."""
        wanted = list(keys)
        sql: LiteralString = "SELECT theirs, label, ours FROM import_key WHERE theirs = ANY(%s) ORDER BY label"
        found: dict[UUID, dict[str, UUID]] = {}
        for theirs, label, ours in _rows(sql, [wanted]) if wanted else []:
            found.setdefault(theirs, {})[label] = ours
        return found

    def drop(self) -> None:
        """Forget it all."""
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS import_row, import_key")


def _rows(sql: LiteralString, values: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _row(found: Sequence[Any]) -> Row:
    group, _, _, pk, twin, fields = found
    return Row(pk, twin, json.loads(fields), group)


def _safe(text: str) -> str:
    """What a text column can hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
