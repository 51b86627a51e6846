"""Pages of what pipelines do with a session, and of where its probes are known to be. To read."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import badge, counted, link
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from sessions.models import Channel, Task, TrajectoryEstimate
from sessions.models.task import TaskStatus

STANDING = {
    TaskStatus.COMPLETE: Status.FINE,
    TaskStatus.HELD: Status.WARNING,
    TaskStatus.INCOMPLETE: Status.WARNING,
    TaskStatus.ABANDONED: Status.WARNING,
    TaskStatus.ERRORED: Status.FAILED,
}
"""How a task stands; the others wait or run."""


@admin.register(Task)
class TaskPage(LabPage, ReadOnlyPage):
    """Tasks of pipelines. The servers that run them write them; what one said stands in its log."""

    lab_path = "session.lab"
    list_display = ["name", "standing", "recorded", "executable", "version", "time_elapsed_secs", "updated_at"]
    list_display_links = ["name"]
    list_select_related = ["session__subject", "session__lab"]
    list_filter = ["status", "session__lab", "graph"]
    ordering = ["-updated_at", "id"]
    search_fields = ["session__subject__nickname", "name", "executable", "=id", "=session__id"]
    search_help_text = "animal, name, executable, id of the task or of its session"
    fieldsets = [
        (None, {"fields": [("name", "standing", "recorded"), ("executable", "version", "graph"), "waits_for"]}),
        ("Its run", {"fields": [("time_elapsed_secs", "time_out_secs"), "arguments", "log"]}),
        (
            "What it needs",
            {"fields": [("priority", "level"), ("cpu", "gpu", "ram", "io_charge")], "classes": ["collapse"]},
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn, of sessions not withdrawn."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(withdrawn_at__isnull=True, session__withdrawn_at__isnull=True)

    @admin.display(description="status", ordering="status")
    def standing(self, task: Task) -> Any:
        """The word and its colour."""
        return badge(STANDING.get(TaskStatus(task.status), Status.NEUTRAL), task.get_status_display())

    @admin.display(description="session", ordering="-session__started_wall")
    def recorded(self, task: Task) -> Any:
        """To the session."""
        return link(task.session) if task.session else "–"

    @admin.display(description="waits for")
    def waits_for(self, task: Task) -> str:
        """The tasks before it."""
        return ", ".join(str(parent) for parent in task.parents.order_by("level", "name", "pk")) or "–"


@admin.register(TrajectoryEstimate)
class TrajectoryPage(LabPage, ReadOnlyPage):
    """Where a probe was, by each source. Micrometres from bregma, and degrees."""

    lab_path = "probe_insertion.session.lab"
    list_display = ["provenance", "of", "recorded", "x", "y", "z", "depth", "theta", "phi", "roll", "channels_known"]
    list_display_links = ["provenance"]
    list_select_related = ["probe_insertion__session__subject", "chronic_insertion__subject", "coordinate_system"]
    list_filter = ["provenance", "probe_insertion__session__lab"]
    search_fields = ["probe_insertion__session__subject__nickname", "=id", "=probe_insertion__id"]
    search_help_text = "animal, id of the trajectory or of its insertion"
    fields = [("provenance", "of", "recorded"), ("x", "y", "z"), ("depth", "theta", "phi", "roll"),
              "coordinate_system", "channels_known", "json"]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of their channels."""
        channels = counted(Channel.objects.all(), "trajectory")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(n_channels=channels)
        return rows

    @admin.display(description="probe")
    def of(self, row: TrajectoryEstimate) -> Any:
        """The insertion."""
        return link(row.probe_insertion) if row.probe_insertion else str(row.chronic_insertion)

    @admin.display(description="session")
    def recorded(self, row: TrajectoryEstimate) -> Any:
        """To the session."""
        return link(row.probe_insertion.session) if row.probe_insertion else "–"

    @admin.display(description="channels", ordering="n_channels")
    def channels_known(self, row: Any) -> int:
        """How many sites have a place on it."""
        return int(row.n_channels)
