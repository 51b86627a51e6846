"""Abstract tables of what happened to an animal: the lab's wall clock as sent, its zone, and the derived instant."""

from typing import Any

from django.conf import settings
from django.db import models

from alyx.core.clock import AlyxNow
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.core.wall_clock import WallClockField
from alyx.labs.models import Lab, Location
from subjects.models.subject import Subject
from subjects.models.vocabulary import ProcedureType


class KeptQuerySet(models.QuerySet[Any]):
    """Rows that can be withdrawn."""

    def shown(self) -> "KeptQuerySet":
        """Those not withdrawn."""
        return self.filter(withdrawn_at__isnull=True)


class LastingQuerySet(KeptQuerySet):
    """Rows with a beginning and perhaps an end."""

    def in_force(self) -> "LastingQuerySet":
        """Begun, and not over; what has a planned end holds until then. Whoever asks who is restricted now asks this."""
        begun = self.filter(withdrawn_at__isnull=True, started_at__lte=AlyxNow())
        return begun.filter(models.Q(ended_at__isnull=True) | models.Q(ended_at__gt=AlyxNow()))


class Moment(Record):
    """Something at one moment of an animal's life, said by somebody."""

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    at_wall = WallClockField(help_text="wall clock as sent")
    zone = models.CharField(max_length=64, editable=False)
    at = models.DateTimeField(help_text="the instant", editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: Any = KeptQuerySet.as_manager()

    class Meta(Record.Meta):
        abstract = True
        ordering = ["-at_wall", "id"]


class Action(Record):
    """Something done to an animal, with a beginning and perhaps an end. Both may be missing in old records."""

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, help_text="where it was done")
    location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT)
    name = models.CharField(max_length=255, blank=True, default="")
    zone = models.CharField(max_length=64, editable=False)
    started_wall = WallClockField(null=True, blank=True, help_text="wall clock as sent")
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_wall = WallClockField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True)
    procedures = models.ManyToManyField(ProcedureType, blank=True)
    narrative = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: Any = LastingQuerySet.as_manager()

    class Meta(Record.Meta):
        abstract = True
        ordering = ["-started_wall", "id"]
