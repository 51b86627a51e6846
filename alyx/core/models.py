"""Notes and review flags: they attach to any record and import none."""

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited, no_truncate
from alyx.core.journal.models import JournalEntry
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.core.wall_clock import WallClockField

__all__ = ["AnsweredCall", "JournalEntry", "Note", "Record", "ReviewFlag"]


class AboutAnyRecord(Record):
    """Abstract: a row about another row of any table."""

    content_type = models.ForeignKey(ContentType, on_delete=models.PROTECT)
    object_id = models.UUIDField()
    about = GenericForeignKey("content_type", "object_id")

    class Meta(Record.Meta):
        abstract = True
        indexes = [models.Index(fields=["content_type", "object_id"])]


@audited()
class Note(AboutAnyRecord):
    """Text or a picture about a record, with the lab's wall clock as sent and the instant derived from it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notes")
    at_wall = WallClockField(help_text="wall clock as sent")
    zone = models.CharField(max_length=64)
    at = models.DateTimeField(help_text="the instant")
    text = models.TextField(blank=True)
    image = models.FileField(upload_to="notes/%Y/%m/", blank=True)
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(AboutAnyRecord.Meta):
        ordering = ["-at", "id"]

    def __str__(self) -> str:
        return self.text[:60] or "picture"


class FlagState(models.TextChoices):
    """Whether somebody has to look."""

    OPEN = "open"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


@audited()
class ReviewFlag(AboutAnyRecord):
    """Data that was kept although a rule doubts it: which rule, the facts, a proposed fix. The inbox shows open ones."""

    rule = models.SlugField(max_length=64)
    message = models.TextField()
    facts = models.JSONField(default=dict, blank=True)
    proposed_fix = models.TextField(blank=True)
    fingerprint = models.CharField(
        max_length=32, editable=False, help_text="digest of the facts: the same finding is one flag"
    )
    lab_id = models.UUIDField(
        null=True, blank=True, db_index=True, help_text="the lab whose people see it; null: everybody"
    )
    state = models.CharField(max_length=16, choices=FlagState, default=FlagState.OPEN)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.TextField(blank=True)

    class Meta(AboutAnyRecord.Meta):
        ordering = ["-created_at", "id"]
        indexes = [
            *AboutAnyRecord.Meta.indexes,
            models.Index(fields=["-created_at", "id"], condition=Q(state="open"), name="open_flags"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "content_type", "object_id", "fingerprint"],
                condition=Q(state="open"),
                name="one_open_flag_per_finding",
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="flag_decided_iff_not_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"[:120]


class AnsweredCall(Record):
    """The stored answer to a POST that carried an `Idempotency-Key`: sent again with the same body, it is answered the same.

    No history: rows are kept for some days and swept.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    path = models.CharField(max_length=1000)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="empty: being answered")
    answer = models.BinaryField(null=True, blank=True)
    content_type_sent = models.CharField(max_length=255, blank=True, default="")

    class Meta(Record.Meta):
        ordering = ["-created_at"]
        triggers = [*Record.Meta.triggers, no_truncate()]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_key")]

    def __str__(self) -> str:
        return self.key
