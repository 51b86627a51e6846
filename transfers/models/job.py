"""Items sent together."""

import uuid

from django.db import models
from django.db.models import Q

from alyx.core.records import Record
from alyx.core.transitions import legal_moves_guard
from datasets.models import Repository, RepositoryKind
from transfers.models.event import recorded_states
from transfers.models.window import NightWindow
from transfers.rules.lifecycle import JOB_MOVES, JOB_TERMINAL, JobState


class JobStates(models.TextChoices):
    """The states of `transfers.rules.lifecycle`, for forms and pages."""

    PREPARED = JobState.PREPARED.value
    SUBMITTING = JobState.SUBMITTING.value
    SUBMITTED = JobState.SUBMITTED.value
    CANCELLING = JobState.CANCELLING.value
    SUCCEEDED = JobState.SUCCEEDED.value
    FAILED = JobState.FAILED.value
    EXPIRED = JobState.EXPIRED.value
    CANCELLED = JobState.CANCELLED.value
    SETTLED = JobState.SETTLED.value


class RemoteStates(models.TextChoices):
    """How a job that runs elsewhere was when it was last asked about. Only an active one may still write."""

    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class TransferJob(Record):
    """One batch of files to a directory or bucket, or one task of Globus. A worker holds it by a lease; each holder has a new
    fence.

    `submission_id` names the operation before it is sent anywhere, so that a killed sender repeats the same one. A job that
    runs elsewhere is held only while it is sent and while its end is settled; between them nobody holds it, and what was
    last seen of it is in the `remote_` columns.
    """

    backend = models.CharField(max_length=16, choices=RepositoryKind)
    source = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="jobs_from")
    destination = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="jobs_to")
    window = models.ForeignKey(NightWindow, null=True, blank=True, on_delete=models.PROTECT, related_name="jobs")
    submission_id = models.UUIDField(unique=True, default=uuid.uuid4)
    remote_id = models.CharField(max_length=64, unique=True, null=True, blank=True)
    state = models.CharField(max_length=16, choices=JobStates, default=JobStates.PREPARED)
    files_total = models.PositiveIntegerField(default=0)
    bytes_total = models.PositiveBigIntegerField(default=0)
    lease_owner = models.CharField(max_length=128, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)
    last_progress_at = models.DateTimeField(null=True, blank=True)
    claims = models.PositiveSmallIntegerField(
        default=0, help_text="how often it was taken up since a step last ended well"
    )
    due_at = models.DateTimeField(null=True, blank=True, help_text="not taken up, nor asked about, before")
    handle_at = models.DateTimeField(
        null=True, blank=True, help_text="since when submission_id is the one that the service gave out"
    )
    remote_state = models.CharField(max_length=16, choices=RemoteStates, blank=True, default="")
    remote_problem = models.CharField(
        max_length=32, blank=True, default="", help_text="why it stands still, or ended badly: a code of errors"
    )
    remote_status = models.JSONField(
        default=dict, blank=True, help_text="progress, said (of the problem), and who cancelled it and why"
    )

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]
        triggers = [
            *Record.Meta.triggers,
            legal_moves_guard(name="job_moves", moves=JOB_MOVES, initial=[JobState.PREPARED]),
            *recorded_states("job", "jsonb_build_object('fence', n.fence, 'owner', n.lease_owner)"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(lease_owner="", lease_until__isnull=True)
                | (~Q(lease_owner="") & Q(lease_until__isnull=False)),
                name="lease_iff_owned",
            ),
            models.CheckConstraint(condition=~Q(state="settled") | Q(lease_owner=""), name="no_lease_on_a_settled_job"),
            models.CheckConstraint(
                condition=Q(remote_state="") | Q(remote_id__isnull=False), name="remote_state_of_something_remote"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until", "created_at"], condition=~Q(state__in=sorted(JOB_TERMINAL)), name="jobs_live"
            ),
            models.Index(fields=["due_at"], condition=Q(remote_state="active"), name="jobs_running_elsewhere"),
        ]

    def __str__(self) -> str:
        return f"{self.files_total} files {self.source} → {self.destination}"
