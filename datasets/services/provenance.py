"""What made a dataset's bytes out of which others: compression before the first registration."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from alyx.core.changes import locked, store
from datasets.models import Dataset
from datasets.permissions import authorise_dataset


@transaction.atomic
def record_making(*, actor: Any, dataset_id: UUID, software: str, version: str, facts: Mapping[str, Any]) -> None:
    """Note the software that made the bytes (its version is the dataset's) and, in the dataset's JSON under `made_from`,
    what they were made from and how that was proved. Raises NotFound, Forbidden."""
    dataset = locked(Dataset.objects.shown().select_related("session__lab"), dataset_id)
    authorise_dataset(actor, dataset, act="say what made a dataset")
    json = {**(dataset.json if isinstance(dataset.json, dict) else {}), "made_from": dict(facts)}
    store(dataset, {"generating_software": software[:255], "software_version": version[:255], "json": json})
