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
    protocol_number = models.CharField(max_length=64, blank=True)
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
            )
        ]
        indexes = [models.Index(Lower("nickname"), name="subject_by_nickname")]

    def __str__(self) -> str:
        return self.nickname


@audited_links
class SubjectProjects(Subject.projects.through):  # type: ignore[name-defined, misc]
    """Which animal is in which project, recorded."""

    class Meta:
        proxy = True
