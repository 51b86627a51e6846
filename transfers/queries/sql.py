"""Bits of SQL that several reads share."""

from typing import Any

LAB_OF = """coalesce(s.lab_id, (SELECT rl.lab_id FROM datasets_repository_labs rl
                               WHERE rl.repository_id = i.destination_id ORDER BY rl.lab_id LIMIT 1))"""
"""The lab of an item `i` whose dataset's session is `s`: an aggregate of no session is its destination's."""


def rows_of(cursor: Any) -> list[dict[str, Any]]:
    """The rows by column name."""
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
