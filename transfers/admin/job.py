"""Jobs."""

from typing import Any

from django.contrib import admin

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import ago, badge, megabytes
from transfers.models import TransferJob
from transfers.rules.lifecycle import JobState
from transfers.rules.standing import JOB_STATUS, elsewhere


@admin.register(TransferJob)
class TransferJobPage(ReadOnlyPage):
    """Items sent together."""

    list_display = ["made", "source", "destination", "standing", "files_total", "size", "held_by", "elsewhere"]
    list_select_related = ["source", "destination"]
    list_filter = ["state", "source", "destination"]
    search_fields = ["=id", "=submission_id", "remote_id"]

    @admin.display(description="made", ordering="-created_at")
    def made(self, job: TransferJob) -> Any:
        """When."""
        return ago(job.created_at)

    @admin.display(description="state", ordering="state")
    def standing(self, job: TransferJob) -> Any:
        """Its state."""
        return badge(JOB_STATUS[JobState(job.state)], job.state)

    @admin.display(description="size", ordering="bytes_total")
    def size(self, job: TransferJob) -> str:
        """Of all its files."""
        return megabytes(job.bytes_total)

    @admin.display(description="held by", ordering="lease_owner")
    def held_by(self, job: TransferJob) -> str:
        """The worker that holds its lease."""
        return job.lease_owner or "–"

    @admin.display(description="at the service")
    def elsewhere(self, job: TransferJob) -> str:
        """How far it is where it runs, and what holds it."""
        return elsewhere(job.remote_state, job.remote_problem, job.remote_status) or "–"
