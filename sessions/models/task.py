"""Pipeline tasks of a session, as local servers of ibllib make, poll and finish them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from sessions.models.session import Session


class TaskStatus(models.IntegerChoices):
    """By name on the wire."""

    WAITING = 20, "Waiting"
    HELD = 25, "Held"
    STARTED = 30, "Started"
    ERRORED = 40, "Errored"
    ABANDONED = 45, "Abandoned"
    EMPTY = 50, "Empty"
    INCOMPLETE = 55, "Incomplete"
    COMPLETE = 60, "Complete"


@audited()
class Task(Record):
    """One step of a pipeline.

    `repository_id` is the key of the repository whose server runs it (a foreign key in the database that the app of the
    repositories adds: they stand above).
    """

    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.PROTECT, related_name="tasks")
    name = models.CharField(max_length=64, blank=True, default="")
    repository_id = models.UUIDField(null=True, blank=True, db_index=True)
    status = models.SmallIntegerField(choices=TaskStatus, default=TaskStatus.WAITING)
    priority = models.SmallIntegerField(null=True, blank=True)
    level = models.SmallIntegerField(null=True, blank=True)
    gpu = models.SmallIntegerField(null=True, blank=True)
    cpu = models.SmallIntegerField(null=True, blank=True)
    ram = models.SmallIntegerField(null=True, blank=True)
    io_charge = models.SmallIntegerField(null=True, blank=True)
    time_out_secs = models.SmallIntegerField(null=True, blank=True)
    time_elapsed_secs = models.FloatField(null=True, blank=True)
    executable = models.CharField(max_length=128, blank=True, default="")
    graph = models.CharField(max_length=64, blank=True, default="")
    arguments = JSONColumn(null=True, blank=True)
    log = models.TextField(blank=True, default="")
    version = models.CharField(max_length=64, blank=True, default="")
    parents = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="children")
    code_url = models.URLField(blank=True, default="", help_text="of the code that ran, for exports")
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(Record.Meta):
        ordering = ["level", "-priority", "-session__started_wall", "id"]
        indexes = [models.Index(fields=["status", "repository_id"], name="task_to_run")]
        constraints = [
            models.UniqueConstraint(
                "name",
                "session",
                MD5("arguments"),
                condition=Q(withdrawn_at__isnull=True),
                nulls_distinct=False,
                name="task_unique_by_name_session_arguments",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.get_status_display()}"


@audited_links
class TaskParents(Task.parents.through):  # type: ignore[name-defined, misc]
    """What a task waits for, recorded."""

    class Meta:
        proxy = True
