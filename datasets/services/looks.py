"""Asking for copies to be looked at again."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction

from alyx.core.clock import AlyxNow
from datasets.models import Dataset, FileRecord
from datasets.permissions import authorise_dataset
from datasets.rules.copies import CopyState
from datasets.services.files import lock_copies

LOOKED_FOR = (CopyState.ANNOUNCED, CopyState.CLAIMED, CopyState.VERIFIED, CopyState.SUSPECT)
"""States in which there should be bytes to read."""


@transaction.atomic
def ask_for_looks(*, actor: Any, dataset: Dataset, copies: Collection[UUID] | None = None) -> int:
    """The copies of the dataset (or these of them) are read back by the next look, by day too; only what it finds moves them.

    Returns how many will be looked at. Raises Forbidden.
    """
    dataset, records = lock_copies(dataset.pk)
    authorise_dataset(actor, dataset, act="have copies verified")
    asked = [record.pk for record in records if record.state in LOOKED_FOR and (copies is None or record.pk in copies)]
    return int(FileRecord.objects.filter(pk__in=asked).update(look_due_at=AlyxNow()))
