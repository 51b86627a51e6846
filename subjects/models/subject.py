"""An animal."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.labs.models import Lab, Project


class Sex(models.TextChoices):
    """As on the wire."""

    MALE = "M", "male"
    FEMALE = "F", "female"
    UNKNOWN = "U", "unknown"


class Severity(models.IntegerChoices):
    """What an animal went through, in the terms of European licences. As on the wire of the peer."""

    SUB_THRESHOLD = 1, "sub-threshold"
    MILD = 2, "mild"
    MODERATE = 3, "moderate"
    SEVERE = 4, "severe"
    NON_RECOVERY = 5, "non-recovery"


@audited()
class Licence(Record):
    """A licence under which animals are used: its number, holder and validity."""

    number = models.CharField(max_length=255)
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="licences")
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="licences"
    )
    title = models.CharField(max_length=255, blank=True, default="")
    ethics_review_id = models.CharField(max_length=255, blank=True, default="")
    from_on = models.DateField(null=True, blank=True)
    to_on = models.DateField(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["number", "id"]
        constraints = [
            models.UniqueConstraint(fields=["lab", "number"], nulls_distinct=False, name="licence_unique_in_lab")
        ]

    def __str__(self) -> str:
        return self.number


class SubjectQuerySet(models.QuerySet["Subject"]):
    """Subjects, as callers ask for them."""

    def shown(self) -> "SubjectQuerySet":
        """Those not withdrawn."""
        return self.filter(withdrawn_at__isnull=True)

    def alive(self) -> "SubjectQuerySet":
        """Those without a death date."""
        return self.filter(died_on__isnull=True)

    def stock(self) -> "SubjectQuerySet":
        """Those kept by a stock manager."""
        return self.filter(responsible_user__is_stock_manager=True)

    def named(self, nickname: str) -> "SubjectQuerySet":
        """Those of this nickname, ignoring case."""
        return self.alias(lower_nickname=Lower("nickname")).filter(lower_nickname=nickname.lower())


def _to(model: str) -> Any:
    return models.ForeignKey(
        f"subjects.{model}", null=True, blank=True, on_delete=models.PROTECT, related_name="subjects"
    )


@audited()
class Subject(Record):
    """An animal of a lab. Its nickname is unique in the lab, ignoring case, among those not withdrawn."""

    nickname = models.CharField(max_length=255)
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="subjects")
    responsible_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="subjects_responsible"
    )
    sex = models.CharField(max_length=1, choices=Sex, default=Sex.UNKNOWN)
    born_on = models.DateField(null=True, blank=True)
    died_on = models.DateField(null=True, blank=True)
    projects = models.ManyToManyField(Project, blank=True, related_name="subjects")
    species = _to("Species")
    strain = _to("Strain")
    source = _to("Source")
    line = _to("Line")
    litter = _to("Litter")
    request = _to("SubjectRequest")
    name = models.CharField(max_length=255, blank=True, default="")
    ear_mark = models.CharField(max_length=32, blank=True, default="")
    cage_name = models.CharField(
        max_length=64, blank=True, default="", help_text="where it lives now; housing keeps the history"
    )
    genotyped_on = models.DateField(null=True, blank=True)
    weaned_on = models.DateField(null=True, blank=True)
    reduced_on = models.DateField(null=True, blank=True)
    to_be_genotyped = models.BooleanField(default=False)
    to_be_culled = models.BooleanField(default=False)
    actual_severity = models.PositiveSmallIntegerField(choices=Severity, null=True, blank=True)
    adverse_effects = models.TextField(blank=True, default="")
    protocol_number = models.CharField(max_length=64, blank=True)
    licence = _to("Licence")
    export_id = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="its name in releases: no underscore; unique; empty: not yet given",
    )
    description = models.TextField(blank=True)
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: Any = SubjectQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["nickname", "id"]
        constraints = [
            models.UniqueConstraint(
                "lab",
                Lower("nickname"),
                condition=Q(withdrawn_at__isnull=True),
                name="subject_unique_in_lab_ignoring_case",
            ),
            models.UniqueConstraint("export_id", condition=~Q(export_id=""), name="subject_export_id_unique"),
        ]
        indexes = [
            models.Index(Lower("nickname"), name="subject_by_nickname"),
            models.Index(fields=["nickname", "id"], name="subject_in_order"),
        ]

    def __str__(self) -> str:
        return self.nickname


@audited_links
class SubjectProjects(Subject.projects.through):  # type: ignore[name-defined, misc]
    """Which animal is in which project, recorded."""

    class Meta:
        proxy = True
