"""A recording session of one animal."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.qc import QC
from alyx.core.records import Record
from alyx.core.wall_clock import WallClockField
from alyx.labs.models import Lab, Location, Project
from subjects.models import ProcedureType, Subject


class SessionQuerySet(models.QuerySet["Session"]):
    """Sessions, as callers ask for them."""

    def shown(self) -> "SessionQuerySet":
        """Those not withdrawn."""
        return self.filter(withdrawn_at__isnull=True)


@audited()
class Session(Record):
    """One recording: subject, path date and number name its folder.

    `started_wall` is the lab's wall clock as sent (naive), `zone` the lab's zone,
    `started_at` the instant. `path_date` is fixed at registration: the folder on disk does not move.
    """

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="sessions")
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="sessions")
    path_date = models.DateField()
    number = models.PositiveIntegerField(default=1)
    zone = models.CharField(max_length=64)
    started_wall = WallClockField(help_text="wall clock as sent")
    started_at = models.DateTimeField(help_text="the instant")
    ended_wall = WallClockField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    type = models.CharField(max_length=255, blank=True, default="")
    task_protocol = models.CharField(max_length=1023, blank=True, default="")
    narrative = models.TextField(blank=True, default="")
    location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT, related_name="sessions")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="recording_sessions")
    projects = models.ManyToManyField(Project, blank=True, related_name="sessions")
    procedures = models.ManyToManyField(ProcedureType, blank=True, related_name="sessions")
    n_trials = models.PositiveIntegerField(null=True, blank=True)
    n_correct_trials = models.PositiveIntegerField(null=True, blank=True)
    qc = models.SmallIntegerField(choices=QC, default=QC.NOT_SET)
    extended_qc = JSONColumn(null=True, blank=True)
    json = JSONColumn(null=True, blank=True)
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: Any = SessionQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["-started_wall", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "path_date", "number"],
                condition=Q(withdrawn_at__isnull=True),
                name="session_unique_by_subject_date_number",
            )
        ]
        indexes = [
            models.Index(fields=["-started_wall", "id"], name="session_newest_first"),
            models.Index(fields=["lab", "-started_wall", "id"], name="session_of_lab_newest_first"),
            models.Index(fields=["path_date"], name="session_by_path_date"),
        ]

    def __str__(self) -> str:
        return f"{self.subject.nickname}/{self.path_date}/{self.number:03d}"


@audited_links
class SessionUsers(Session.users.through):  # type: ignore[name-defined, misc]
    """Who recorded, recorded."""

    class Meta:
        proxy = True


@audited_links
class SessionProjects(Session.projects.through):  # type: ignore[name-defined, misc]
    """Which session is in which project, recorded."""

    class Meta:
        proxy = True


@audited_links
class SessionProcedures(Session.procedures.through):  # type: ignore[name-defined, misc]
    """What was done in a session, recorded."""

    class Meta:
        proxy = True
