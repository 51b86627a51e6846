"""A repository's night."""

from django.db import models

from alyx.core.records import Record
from alyx.core.transitions import legal_moves_guard
from datasets.models import Repository
from transfers.models.event import recorded_states


class WindowState(models.TextChoices):
    """A window is opened once and closed once."""

    OPEN = "open"
    CLOSED = "closed"


class WindowKind(models.TextChoices):
    """Why it was opened."""

    NIGHT = "night"
    MANUAL = "manual", "by hand"


class NightWindow(Record):
    """The night of a source repository: once per local date."""

    repository = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="windows")
    local_date = models.DateField()
    kind = models.CharField(max_length=16, choices=WindowKind, default=WindowKind.NIGHT)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=WindowState, default=WindowState.OPEN)
    tzdata_version = models.CharField(max_length=16, blank=True)

    class Meta(Record.Meta):
        ordering = ["-starts_at", "id"]
        triggers = [
            *Record.Meta.triggers,
            legal_moves_guard(name="window_moves", moves=[("open", "closed")], initial=["open"]),
            *recorded_states("window"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "local_date"], condition=models.Q(kind="night"), name="one_night_per_local_date"
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="night_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.repository} {self.local_date}"
