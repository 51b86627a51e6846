"""Cages, what is in them, and who lived there when. A change closes the old row and opens a new one."""

from django.db import models

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.core.wall_clock import WallClockField
from alyx.labs.models import Lab
from subjects.models.subject import Subject


class OptionKind(models.TextChoices):
    """What a housing option is."""

    CAGE_TYPE = "cage_type", "cage type"
    ENRICHMENT = "enrichment", "enrichment"
    FOOD = "food", "food"


class LightCycle(models.TextChoices):
    """When it is light."""

    NORMAL = "normal", "normal (light by day)"
    INVERTED = "inverted", "inverted (dark by day)"


@audited()
class HousingOption(Record):
    """A cage type, an enrichment or a food."""

    kind = models.CharField(max_length=16, choices=OptionKind)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["kind", "name", "id"]
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="housing_option_unique_by_kind")]

    def __str__(self) -> str:
        return self.name


def _option(kind: OptionKind) -> "models.ForeignKey[HousingOption | None, HousingOption | None]":
    return models.ForeignKey(
        HousingOption,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"kind": kind.value},
    )


class Conditions(Record):
    """Abstract: how animals live."""

    cage_type = _option(OptionKind.CAGE_TYPE)
    enrichment = _option(OptionKind.ENRICHMENT)
    food = _option(OptionKind.FOOD)
    light_cycle = models.CharField(max_length=8, choices=LightCycle, blank=True, default="")
    cleaned_every_days = models.PositiveIntegerField(null=True, blank=True)

    class Meta(Record.Meta):
        abstract = True


@audited()
class LabConditions(Conditions):
    """How animals live in a lab when nothing else is said: the defaults of a new cage."""

    lab = models.OneToOneField(Lab, on_delete=models.CASCADE, related_name="conditions")

    class Meta(Conditions.Meta):
        verbose_name_plural = "conditions of labs"

    def __str__(self) -> str:
        return f"conditions in {self.lab}"


@audited()
class Housing(Conditions):
    """A cage under unchanged conditions. Open while `ended_at` is null; a lab has one open row per cage name."""

    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="housings")
    cage_name = models.CharField(max_length=64)
    zone = models.CharField(max_length=64, editable=False)
    started_wall = WallClockField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_wall = WallClockField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    json = JSONColumn(null=True, blank=True)

    class Meta(Conditions.Meta):
        verbose_name = "cage"
        ordering = ["cage_name", "-started_at", "id"]
        indexes = [models.Index(fields=["lab", "cage_name"], name="housing_by_cage")]

    def __str__(self) -> str:
        return f"cage {self.cage_name}"


@audited()
class Stay(Record):
    """An animal in a cage. Cage mates are the stays of the same housing that overlap."""

    housing = models.ForeignKey(Housing, on_delete=models.PROTECT, related_name="stays")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="stays")
    zone = models.CharField(max_length=64, editable=False)
    started_wall = WallClockField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_wall = WallClockField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(Record.Meta):
        ordering = ["subject", "-started_at", "id"]

    def __str__(self) -> str:
        return f"{self.subject} in {self.housing}"
