"""The door through which states change, and the guard behind it.

`legal_moves_guard` makes the database refuse a move that is not in the table, whatever wrote it. `transition` is one
UPDATE that moves only the rows that still are where the caller saw them.
"""

from collections.abc import Iterable
from typing import Any

import pgtrigger
from django.db import models

Moves = Iterable[tuple[str, str]]


def legal_moves_guard(*, name: str, moves: Moves, initial: Iterable[str], also: str = "") -> pgtrigger.Trigger:
    """A trigger for a `state` column: born in an `initial` state, moved by `moves` only.

    `also` is more PL/pgSQL for the same trigger (conditions on OLD and NEW).
    """
    pairs = ", ".join(f"('{old}','{new}')" for old, new in sorted({(str(old), str(new)) for old, new in moves}))
    born = ", ".join(f"'{state}'" for state in sorted(str(state) for state in initial))
    return pgtrigger.Trigger(
        name=name,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update,
        func=f"""
            IF TG_OP = 'INSERT' THEN
                IF NEW.state NOT IN ({born}) THEN
                    RAISE EXCEPTION '% cannot begin as %', TG_TABLE_NAME, NEW.state USING ERRCODE = 'check_violation';
                END IF;
            ELSIF NEW.state IS DISTINCT FROM OLD.state AND (OLD.state, NEW.state) NOT IN ({pairs}) THEN
                RAISE EXCEPTION '% cannot move from % to %', TG_TABLE_NAME, OLD.state, NEW.state
                    USING ERRCODE = 'check_violation';
            END IF;
            {also}
            RETURN NEW;
        """,
    )


def transition(rows: models.QuerySet[Any], *, sources: Iterable[str], to: str, **changes: Any) -> int:
    """Move the rows that are in one of `sources` to `to`, with further column changes, in one UPDATE.

    Further conditions (fence, content version) are filters of `rows`. Returns how many moved: fewer than expected means
    that somebody else was there first, which is a normal outcome.
    """
    return rows.filter(state__in=[str(state) for state in sources]).update(state=str(to), **changes)
