"""Jobs."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_forms import REASON
from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import ago, badge, megabytes, page_now
from alyx.labs.holding import held_by
from alyx.labs.permissions import Right
from transfers.models import TransferJob
from transfers.models.job import RemoteStates
from transfers.queries import waits_of
from transfers.rules.lifecycle import JOB_ENDED, JOB_TERMINAL, JobState
from transfers.rules.standing import JOB_STATUS, elsewhere
from transfers.services.polling import cancel_job


@admin.register(TransferJob)
class TransferJobPage(ReadOnlyPage):
    """Items sent together."""

    list_display = ["made", "source", "destination", "standing", "files_total", "size", "lease_holder", "elsewhere"]
    list_select_related = ["source", "destination"]
    list_filter = ["state", "source", "destination"]
    search_fields = ["=id", "=submission_id", "remote_id"]
    actions = ["cancel"]
    page_actions: ClassVar[dict[str, str]] = {"cancel": "Cancel at the service"}
    fields = [
        ("source", "destination", "window"),
        ("standing", "files_total", "size"),
        "elsewhere",
        ("backend", "remote_id", "submission_id"),
        ("made", "last_progress_at", "due_at"),
        ("lease_holder", "fence", "claims"),
        "waits",
    ]
    readonly_fields = ["standing", "size", "elsewhere", "made", "lease_holder", "waits"]

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who manages the data of one of the destination's labs, as the service asks."""
        held = held_by(request)
        if obj is None or request.user.is_superuser:
            return bool(held.somewhere(Right.MANAGE))
        return any(held.verdict(lab, Right.MANAGE) for lab in obj.destination.labs.all())

    def buttons(self, request: HttpRequest, obj: Any) -> Any:
        """Only while it runs at a service."""
        runs = obj.remote_state == RemoteStates.ACTIVE and obj.state == JobState.SUBMITTED
        return super().buttons(request, obj) if runs else {}

    @admin.action(
        description="Cancel at the service: what has arrived stays, the rest goes next night", permissions=["act"]
    )
    def cancel(self, request: HttpRequest, jobs: QuerySet[Any]) -> None:
        """Have the service end them, saying why."""
        reason = request.POST.get(REASON, "").strip()
        if not reason:
            text = "Nothing was cancelled: say why in the box beside the button."
            self.message_user(request, text, messages.ERROR)
            return
        done = "cancelled: it has ended when the service says so"
        self.each(request, jobs, lambda job: cancel_job(actor=request.user, job=job, reason=reason), done)

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
    def lease_holder(self, job: TransferJob) -> str:
        """The worker that holds its lease."""
        return job.lease_owner or "–"

    @admin.display(description="waits for")
    def waits(self, job: TransferJob) -> str:
        """Until when, where the hours of its places let nothing be moved now."""
        return "–" if job.state in JOB_ENDED | JOB_TERMINAL else waits_of(job, page_now()) or "–"

    @admin.display(description="at the service")
    def elsewhere(self, job: TransferJob) -> str:
        """How far it is where it runs, what holds it in the service's own words, and who cancelled it."""
        return elsewhere(job.remote_state, job.remote_problem, job.remote_status) or "–"
