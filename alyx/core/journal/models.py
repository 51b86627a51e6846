"""Entries of journals, as they arrived, with their answers."""

from typing import Any

from django.conf import settings
from django.db import models

from alyx.core.audit import audited
from alyx.core.records import Record


class EntryState(models.TextChoices):
    """What became of an entry."""

    DONE = "done"
    ASKED = "asked", "asked back"
    KEPT = "kept", "kept: could not be applied"
    UNDONE = "undone"
    DISCARDED = "discarded"


@audited()
class JournalEntry(Record):
    """One thing that somebody typed or tapped on a tablet. The row, its effect and its answer are one transaction."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="journal_entries")
    key = models.UUIDField(help_text="made by the tablet: the same key is the same entry")
    device = models.CharField(max_length=64)
    seq = models.BigIntegerField(help_text="its place in that tablet's journal")
    kind = models.CharField(max_length=64)
    about = models.UUIDField(null=True, blank=True)
    body = models.JSONField(default=dict)
    made_at = models.DateTimeField(help_text="by the tablet's clock")
    skew_s = models.FloatField(help_text="seconds that the server's clock was ahead of the tablet's when it was sent")
    at = models.DateTimeField(help_text="the instant: by the tablet's clock, corrected; never after it was received")
    confirmed = models.BooleanField(default=False, help_text="the person has said that what is doubted is right")
    lab_id = models.UUIDField(null=True, blank=True, help_text="whose data managers see it too")
    state = models.CharField(max_length=16, choices=EntryState)
    result = models.JSONField(default=dict, blank=True)
    message = models.TextField(blank=True)
    fields = models.JSONField(default=dict, blank=True, help_text="sentences by field")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.TextField(blank=True)

    class Meta(Record.Meta):
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_entry_per_key")]
        indexes = [
            models.Index(
                fields=["user", "created_at"],
                condition=models.Q(state__in=["asked", "kept"]),
                name="entries_to_decide",
            ),
            models.Index(
                fields=["lab_id"], condition=models.Q(state__in=["asked", "kept"]), name="entries_to_decide_of_lab"
            ),
        ]
        verbose_name_plural = "journal entries"

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


DECISIONS = ("journal.confirm", "journal.again", "journal.discard")
"""Kinds that decide about another entry: when they fail it is that one that waits, with the new reason."""


def waiting(user: Any) -> "models.QuerySet[JournalEntry]":
    """Entries of this person that wait for a decision."""
    rows = JournalEntry.objects.filter(user=user.pk, state__in=[EntryState.ASKED, EntryState.KEPT])
    return rows.exclude(kind__in=DECISIONS)


def waiting_for(user: Any) -> int:
    """How many."""
    return waiting(user).count()
