"""One copy of one file on its way, and each attempt at it."""

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q

from alyx.core.audit import no_truncate
from alyx.core.clock import AlyxNow
from alyx.core.records import Record
from alyx.core.transitions import legal_moves_guard
from datasets.models import Dataset, FileRecord, Repository
from transfers.models.event import recorded_states
from transfers.models.job import TransferJob
from transfers.rules.lifecycle import IN_FLIGHT, ITEM_MOVES, JOB_WRITING, LIVE, ItemState


class ItemStates(models.TextChoices):
    """The states of `transfers.rules.lifecycle`, for forms and pages."""

    PLANNED = ItemState.PLANNED.value
    BOUND = ItemState.BOUND.value
    MOVED = ItemState.MOVED.value
    VERIFYING = ItemState.VERIFYING.value
    PROMOTED = ItemState.PROMOTED.value
    DONE = ItemState.DONE.value
    RETRY_WAIT = ItemState.RETRY_WAIT.value
    STALE = ItemState.STALE.value
    NEEDS_HUMAN = ItemState.NEEDS_HUMAN.value
    CANCELLED = ItemState.CANCELLED.value


class SizeClass(models.TextChoices):
    """Small files travel many to a job, large ones alone, so that neither waits for the other."""

    SMALL = "small"
    LARGE = "large"


def _listed(states: Any) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_WRITER_MAY_LIVE = f"""
IF TG_OP = 'UPDATE' AND OLD.state IN ({_listed(IN_FLIGHT)}) AND NEW.state NOT IN ({_listed(IN_FLIGHT | {ItemState.DONE})})
   AND EXISTS (SELECT 1 FROM transfers_transferjob j WHERE j.id = OLD.job_id AND j.state IN ({_listed(JOB_WRITING)})) THEN
    RAISE EXCEPTION 'an item in flight is left alone while its job may be writing' USING ERRCODE = 'check_violation';
END IF;
"""  # noqa: S608  (built from our own tables of states)


class TransferItem(Record):
    """Making one copy of one version of one dataset at one destination."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="transfer_items")
    content_version = models.PositiveIntegerField()
    source = models.ForeignKey(FileRecord, on_delete=models.PROTECT, related_name="items_from", db_index=False)
    copy = models.ForeignKey(
        FileRecord, on_delete=models.PROTECT, related_name="items_to", help_text="the record being filled"
    )
    destination = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="items_to", db_index=False)
    dest_path_key = models.CharField(max_length=1000)
    size_class = models.CharField(max_length=8, choices=SizeClass, default=SizeClass.SMALL)
    size_bytes = models.BigIntegerField(null=True)
    state = models.CharField(max_length=16, choices=ItemStates, default=ItemStates.PLANNED)
    job = models.ForeignKey(TransferJob, null=True, blank=True, on_delete=models.PROTECT, related_name="items")
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="counted when bound, so that a poison file cannot crash for ever"
    )
    company = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="goes in a job of at most so many files: an earlier one failed as a whole"
    )
    not_before = models.DateTimeField(db_default=AlyxNow())
    last_error_code = models.CharField(max_length=32, blank=True, default="")
    last_error = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        ordering = ["not_before", "id"]
        triggers = [
            *Record.Meta.triggers,
            legal_moves_guard(name="item_moves", moves=ITEM_MOVES, initial=[ItemState.PLANNED], also=_WRITER_MAY_LIVE),
            *recorded_states(
                "item", "jsonb_build_object('job', n.job_id, 'attempt', n.attempts, 'error', n.last_error_code)"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "destination"],
                condition=Q(state__in=sorted(LIVE)),
                name="one_live_item_per_destination",
            ),
            models.UniqueConstraint(
                fields=["destination", "dest_path_key"],
                condition=Q(state__in=sorted(LIVE)),
                name="one_live_item_per_path",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=sorted(IN_FLIGHT)) | Q(job__isnull=False), name="job_present_when_in_flight"
            ),
        ]
        indexes = [
            models.Index(
                fields=["destination", "not_before", "id"], condition=Q(state="planned"), name="items_to_pack"
            ),
            models.Index(fields=["state", "not_before"], condition=Q(state__in=sorted(LIVE)), name="items_live"),
        ]

    def __str__(self) -> str:
        return f"{self.dest_path_key} → {self.destination}"


class Attempt(models.Model):
    """One try at an item: what happened and the evidence. Written once, when it ended."""

    id = models.BigAutoField(primary_key=True)
    item = models.ForeignKey(TransferItem, on_delete=models.PROTECT, related_name="attempts_made")
    job = models.ForeignKey(TransferJob, null=True, on_delete=models.PROTECT, related_name="attempts_made")
    number = models.PositiveSmallIntegerField()
    ended_at = models.DateTimeField(db_default=AlyxNow())
    outcome = models.CharField(max_length=16, help_text="the state the item left with")
    error_code = models.CharField(max_length=32, blank=True, default="")
    evidence = models.JSONField(default=dict)

    class Meta:
        ordering = ["item", "id"]
        indexes = [models.Index(fields=["error_code"], condition=~Q(error_code=""), name="attempts_failed")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"
