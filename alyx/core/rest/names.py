"""Finding rows by the names clients use, and saying which name they may have meant."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from alyx.core.errors import Invalid, NotFound

M = TypeVar("M", bound=Model)


def nearest(word: str, names: Iterable[str]) -> str:
    """`nearest: a, b`, or an empty text when nothing is near."""
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(word.lower(), by_lower, n=3, cutoff=0.5)
    return f"; nearest: {', '.join(by_lower[name] for name in near)}" if near else ""


def unknown(rows: QuerySet[Any], column: str, word: str, *, what: str) -> str:
    """The sentence that says that a name is unknown."""
    return (
        f"there is no {what} named {word[:100]!r}{nearest(word, rows.order_by().values_list(column, flat=True)[:5000])}"
    )


def by_name(rows: QuerySet[M], word: str, *, field: str, what: str, column: str = "name") -> M:
    """The row of this name. Raises Invalid (400) naming the field and the nearest names."""
    found = rows.filter(**{column: word}).first()
    if found is None:
        raise Invalid.of(field, unknown(rows, column, word, what=what))
    return found


def in_path(rows: QuerySet[M], word: str, *, what: str, column: str = "name") -> M:
    """The row whose name is in the path. Raises NotFound (404)."""
    found = rows.filter(**{column: word}).first() if "\x00" not in word else None
    if found is None:
        raise NotFound(unknown(rows, column, word, what=what))
    return found


def all_by_name(rows: QuerySet[M], words: Sequence[str], *, field: str, what: str, column: str = "name") -> list[M]:
    """The rows of these names, in order. Raises Invalid (400)."""
    found, missing = split_by_name(rows, words, column=column)
    if missing:
        raise Invalid.of(field, unknown(rows, column, missing[0], what=what))
    return found


def split_by_name(rows: QuerySet[M], words: Sequence[str], *, column: str = "name") -> tuple[list[M], list[str]]:
    """The rows of these names, and the names that nothing has; one query."""
    wanted = list(dict.fromkeys(words))
    if not wanted:
        return [], []
    by_key = {getattr(row, column): row for row in rows.filter(**{f"{column}__in": wanted})}
    return [by_key[word] for word in wanted if word in by_key], [word for word in wanted if word not in by_key]
