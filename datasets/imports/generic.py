"""What a row is about when it may be anything: a note's, an aggregate's object."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from datasets.imports.importer import LAB, Here
from datasets.imports.spool import Row
from datasets.imports.values import NUMBERED, as_key

LAB_BY = {
    "lab": "lab_id",
    "subject": "subject__lab_id",
    "session": "session__lab_id",
    "dataset": "dataset__session__lab_id",
}


class Things:
    """Finds what the rows of a batch name by `content_type` and `object_id`, in a few queries."""

    def __init__(self, models: Mapping[str, type[Model]]) -> None:
        self._models = models
        self._found: dict[tuple[str, UUID], tuple[str, UUID]] = {}
        self._labs: dict[UUID, UUID | None] = {}

    def look_for(self, rows: Sequence[Row], here: Here) -> None:
        """Look for what these rows name.

        The content type is a natural key, or a number that the file itself may explain. Keys are unique in all the world, so
        a key alone is enough when it stands for one thing.
        """
        asked = {
            (_said(row.fields.get("content_type"), here), key)
            for row in rows
            if (key := as_key(row.fields.get("object_id")))
        }
        taken = here.spool.anywhere({key for _, key in asked})
        self._found, self._labs = {}, {}
        stored: dict[str, set[UUID]] = {}
        for label, key in asked:
            meant = taken.get(key, {})
            if label in meant:
                self._found[label, key] = label, meant[label]
            elif len(meant) == 1:
                self._found[label, key] = next(iter(meant.items()))
            elif label in self._models and label not in NUMBERED:
                stored.setdefault(label, set()).add(key)
        for label, keys in stored.items():
            there = self._models[label]._default_manager.filter(pk__in=keys).values_list("pk", flat=True)
            self._found.update({(label, key): (label, key) for key in there})
        self._look_for_labs()

    def of(self, content_type: Any, object_id: Any, here: Here) -> tuple[int, UUID, UUID | None] | None:
        """Content type of ours, key, lab; None when it was not taken in."""
        key = as_key(object_id)
        found = self._found.get((_said(content_type, here), key)) if key else None
        if found is None:
            return None
        label, ours = found
        return ContentType.objects.get_for_model(self._models[label]).pk, ours, self._labs.get(ours)

    def _look_for_labs(self) -> None:
        by_label: dict[str, set[UUID]] = {}
        for label, ours in self._found.values():
            by_label.setdefault(label, set()).add(ours)
        for label, wanted in by_label.items():
            model = self._models[label]
            names = {column.name for column in model._meta.concrete_fields}
            path = next((path for name, path in LAB_BY.items() if name in names), "pk" if label == LAB else "")
            if path:
                self._labs.update(model._default_manager.filter(pk__in=wanted).values_list("pk", path))


def _said(value: Any, here: Here) -> str:
    """The model a content type names; empty when nobody knows."""
    if isinstance(value, list) and len(value) == 2:
        return ".".join(map(str, value)).lower()
    return here.content_types.get(value, "") if isinstance(value, int) else ""
