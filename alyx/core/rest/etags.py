"""`ETag` and `If-Match`: a change that is refused when somebody else has changed the record since it was read.

The tag is a digest of the fields of the record that a client may write. It does not take `updated_at`: a list of names (users,
projects) is rows of another table, and changing it leaves the row as it was.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from django.db import models

from alyx.core.errors import DomainError
from alyx.core.rest.rendering import encode_json


class ChangedSince(DomainError):
    """The record is no longer what the caller read."""

    status = 412
    code = "changed_since"


@cache
def _written(serializer: Callable[[], Any]) -> frozenset[str]:
    return frozenset(name for name, field in serializer().fields.items() if not field.read_only)


def etag_of(record: Mapping[str, Any], serializer: Callable[[], Any] | None) -> str:
    """The strong tag of a record, in quotes; without a serializer all of it counts."""
    names = _written(serializer) if serializer is not None else record.keys()
    part = {name: record[name] for name in sorted(record) if name in names}
    return f'"{hashlib.sha256(encode_json(part)).hexdigest()[:32]}"'


def is_asked_for(header: str, tag: str) -> bool:
    """Whether `If-Match` names this tag. A proxy that packs answers makes a strong tag weak; it is the same to us."""
    asked = {word.strip().removeprefix("W/") for word in header.split(",")}
    return "*" in asked or tag in asked


def lock(row: Any) -> None:
    """Hold the row until the transaction ends, as services do."""
    if isinstance(row, models.Model):
        list(type(row)._base_manager.select_for_update(no_key=True).filter(pk=row.pk).values_list("pk"))
