"""Revisions come into being when a path names them."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from django.db import connection

_ADD = """
INSERT INTO datasets_revision (id, name, description) SELECT w.id, w.name, '' FROM unnest(%s::uuid[], %s::text[]) AS w(id, name)
ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING name, id
"""


def add_revisions(names: Iterable[str]) -> dict[str, UUID]:
    """The revisions of these names, made where they are missing; a row that somebody else made meanwhile is that one."""
    wanted = sorted(names)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [[uuid4() for _ in wanted], wanted])
        return dict(cursor.fetchall())
