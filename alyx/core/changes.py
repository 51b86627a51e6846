"""Changing one row so that nobody else's change of it is lost."""

import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from alyx.core.errors import NotFound

M = TypeVar("M", bound=Model)


def locked(rows: QuerySet[M], key: uuid.UUID) -> M:
    """The row, locked for the rest of the transaction; rows that refer to it may still be written. Raises NotFound."""
    found = rows.select_for_update(of=("self",), no_key=True).filter(pk=key).first()
    if found is None:
        raise NotFound(f"there is no {rows.model._meta.verbose_name} {key} (any more)")
    return found


def store(row: Model, changes: Mapping[str, Any]) -> None:
    """Write these columns and no others."""
    if not changes:
        return
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))
