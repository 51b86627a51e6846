"""What every row of ours has: a UUID and the database's times of its making and last change."""

import uuid

import pgtrigger
from django.db import models

from alyx.core.clock import AlyxNow


def touch_updated_at() -> pgtrigger.Trigger:
    """Keeps `updated_at` true for every way of writing, bulk updates and SQL included."""
    return pgtrigger.Trigger(
        name="touch",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition("OLD.* IS DISTINCT FROM NEW.*"),
        func="NEW.updated_at = alyx_now(); RETURN NEW;",
    )


class Record(models.Model):
    """Abstract base of our tables."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(db_default=AlyxNow(), editable=False)
    updated_at = models.DateTimeField(db_default=AlyxNow(), editable=False)

    class Meta:
        abstract = True
        triggers = [touch_updated_at()]
