"""Words of controlled vocabularies about animals: procedures, waters, drugs, probes, reasons and methods of death."""

from django.db import models

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.labs.models import Lab


class Word(Record):
    """Abstract: a name that stands once, and what it means."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited()
class ProcedureType(Word):
    """A kind of procedure, from the controlled vocabulary."""

    class Meta(Word.Meta):
        pass


@audited()
class WaterType(Word):
    """What is drunk: water, water with sucrose or citric acid, hydrogel."""

    class Meta(Word.Meta):
        pass


@audited()
class CullReason(Word):
    """Why an animal was killed."""

    class Meta(Word.Meta):
        pass


@audited()
class CullMethod(Word):
    """How an animal was killed."""

    class Meta(Word.Meta):
        pass


@audited()
class ProbeModel(Word):
    """A model of probe or fibre."""

    manufacturer = models.CharField(max_length=255, blank=True, default="")
    part_number = models.CharField(max_length=255, blank=True, default="", help_text="the `model` of the wire")

    class Meta(Word.Meta):
        pass


class DrugUse(models.TextChoices):
    """What a drug is for."""

    ANAESTHETIC = "anaesthetic"
    ANALGESIC = "analgesic"
    ANTI_INFLAMMATORY = "anti-inflammatory"
    ANTIBIOTIC = "antibiotic"
    FLUID = "fluid"
    OTHER = "other"


class Route(models.TextChoices):
    """How a drug gets into an animal."""

    SC = "SC", "subcutaneous"
    IP = "IP", "intraperitoneal"
    IM = "IM", "intramuscular"
    IV = "IV", "intravenous"
    PO = "PO", "oral"
    TOPICAL = "topical", "topical"
    INHALED = "inhaled", "inhaled"
    OTHER = "other", "other"


@audited()
class Drug(Record):
    """A drug as a lab keeps it: one concentration, a usual dose and route. No lab: for everybody."""

    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="drugs")
    name = models.CharField(max_length=255)
    use = models.CharField(max_length=20, choices=DrugUse, default=DrugUse.OTHER)
    route = models.CharField(max_length=8, choices=Route, default=Route.SC)
    concentration_mg_per_ml = models.FloatField(null=True, blank=True, help_text="as injected, after dilution")
    dose_mg_per_kg = models.FloatField(null=True, blank=True, help_text="the usual dose")
    dose_percent = models.FloatField(null=True, blank=True, help_text="of inhaled ones: the usual concentration")
    max_dose_mg_per_kg = models.FloatField(null=True, blank=True, help_text="above it the form asks")
    description = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)

    class Meta(Record.Meta):
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["lab", "name", "concentration_mg_per_ml"],
                nulls_distinct=False,
                name="drug_unique_in_lab_by_concentration",
            ),
            models.CheckConstraint(
                condition=models.Q(concentration_mg_per_ml__gt=0) | models.Q(concentration_mg_per_ml__isnull=True),
                name="drug_concentration_positive",
            ),
        ]

    def __str__(self) -> str:
        strength = f" {self.concentration_mg_per_ml:g} mg/mL" if self.concentration_mg_per_ml else ""
        return f"{self.name}{strength}"
