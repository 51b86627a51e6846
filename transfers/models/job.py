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


class TransferJob(Record):
    """One POSIX batch (later: one Globus task, one S3 run). A worker holds it by a lease; each holder has a new fence.

    `submission_id` names the operation before it is sent anywhere, so that a killed sender repeats the same one.
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
        ]
        indexes = [
            models.Index(
                fields=["lease_until", "created_at"], condition=~Q(state__in=sorted(JOB_TERMINAL)), name="jobs_live"
            )
        ]

    def __str__(self) -> str:
        return f"{self.files_total} files {self.source} → {self.destination}"
