"""A dataset's copy at a place."""

from datetime import datetime
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.core.status import Status
from alyx.core.transitions import legal_moves_guard
from datasets.models.dataset import Dataset
from datasets.models.repository import Repository
from datasets.rules.copies import EXISTS, HIDDEN, INITIAL, LEGAL, CopyState
from datasets.rules.standing import COPY_STATUS


class CopyStates(models.TextChoices):
    """The states of `datasets.rules.copies`, for forms and pages."""

    EXPECTED = CopyState.EXPECTED.value
    ANNOUNCED = CopyState.ANNOUNCED.value
    CLAIMED = CopyState.CLAIMED.value
    INCOMING = CopyState.INCOMING.value
    VERIFIED = CopyState.VERIFIED.value
    SUSPECT = CopyState.SUSPECT.value
    SUPERSEDED = CopyState.SUPERSEDED.value
    MISSING = CopyState.MISSING.value
    CORRUPT = CopyState.CORRUPT.value
    WITHDRAWN = CopyState.WITHDRAWN.value
    TRASHED = CopyState.TRASHED.value
    DELETED = CopyState.DELETED.value


_KEEP_PROOF = """
IF TG_OP = 'UPDATE' THEN
    IF OLD.state = 'verified' AND NEW.state = 'verified' AND OLD.content_version = NEW.content_version
       AND (OLD.md5 <> '' AND NEW.md5 <> OLD.md5 OR OLD.sha256 <> '' AND NEW.sha256 <> OLD.sha256) THEN
        RAISE EXCEPTION 'the digest of a verified copy does not change' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'verified' AND NEW.state = 'trashed' THEN
        UPDATE datasets_dataset SET updated_at = updated_at WHERE id = OLD.dataset_id;
        IF NOT EXISTS (SELECT 1 FROM datasets_filerecord WHERE dataset_id = OLD.dataset_id AND id <> OLD.id
                       AND state = 'verified' AND content_version = OLD.content_version) THEN
            RAISE EXCEPTION 'the last verified copy is never removed' USING ERRCODE = 'check_violation';
        END IF;
    END IF;
END IF;
"""

_SHOWN = ~Q(state__in=sorted(HIDDEN))


class FileRecordQuerySet(models.QuerySet["FileRecord"]):
    """Copies, as callers ask for them."""

    def shown(self) -> "FileRecordQuerySet":
        """Those that clients see: not withdrawn, trashed or deleted, nor of a withdrawn dataset."""
        return self.filter(_SHOWN, dataset__withdrawn_at__isnull=True)

    def existing(self) -> "FileRecordQuerySet":
        """Those that read `exists: true`."""
        return self.filter(state__in=sorted(EXISTS), content_version=models.F("dataset__content_version"))


@audited(in_bulk=True)
class FileRecord(Record):
    """What we know about one copy, and of which version of the dataset.

    `relative_path` is below the subjects' folder without UUID; `stored_path` is the name at this repository (with UUID
    where names carry it); `path_key` is the stored path normalised for comparison. `evidence_level` 0–4 as in the
    transfer engine's design: 3 and more is a proof.
    """

    # by dataset it is found by `one_record_per_copy`, by repository by `copies_by_place_and_state`
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="file_records", db_index=False)
    repository = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="file_records", db_index=False)
    relative_path = models.CharField(max_length=1000)
    stored_path = models.CharField(max_length=1000)
    path_key = models.CharField(max_length=1000)
    content_version = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=CopyStates, default=CopyStates.EXPECTED)
    size_bytes = models.BigIntegerField(null=True, blank=True, help_text="as last seen at this place")
    md5 = models.CharField(max_length=32, blank=True, default="", help_text="as last read at this place")
    sha256 = models.CharField(max_length=64, blank=True, default="", help_text="as last read at this place")
    evidence_level = models.PositiveSmallIntegerField(default=0)
    evidence = models.JSONField(default=dict, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    look_due_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when it is looked at again; announced copies have none: the night looks for them",
    )
    first_miss_at = models.DateTimeField(
        null=True, blank=True, help_text="when a look first found it absent or different"
    )
    reason = models.TextField(blank=True, default="", help_text="why it is in this state, in a sentence")
    json = JSONColumn(null=True, blank=True)

    objects: Any = FileRecordQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["dataset", "repository"]
        triggers = [
            *Record.Meta.triggers,
            legal_moves_guard(name="copy_moves", moves=LEGAL, initial=INITIAL, also=_KEEP_PROOF),
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
        ]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "repository"], name="one_record_per_copy"),
            models.UniqueConstraint(fields=["repository", "path_key"], condition=_SHOWN, name="one_copy_per_path"),
            models.CheckConstraint(
                condition=~Q(state="verified")
                | (
                    Q(verified_at__isnull=False, size_bytes__isnull=False, evidence_level__gte=3)
                    & (~Q(md5="") | ~Q(sha256=""))
                ),
                name="hash_present_when_verified",
            ),
            models.CheckConstraint(condition=Q(state__in=sorted(CopyState)), name="copy_state_known"),
        ]
        indexes = [
            models.Index(fields=["repository", "state"], name="copies_by_place_and_state"),
            models.Index(fields=["look_due_at"], condition=Q(look_due_at__isnull=False), name="looks_due"),
        ]

    def __str__(self) -> str:
        return f"{self.relative_path} at {self.repository.name}"

    @property
    def exists(self) -> bool:
        """What the wire says."""
        return self.state in EXISTS and self.content_version == self.dataset.content_version

    @property
    def proved_at(self) -> datetime | None:
        """When what it holds now was proved; None when it is not."""
        return self.verified_at if self.state == CopyState.VERIFIED else None

    @property
    def is_shown(self) -> bool:
        """Whether clients and pages list it."""
        return self.state not in HIDDEN

    @property
    def standing(self) -> Status:
        """How it stands, for pages."""
        return COPY_STATUS[CopyState(self.state)]
