"""Looking through a repository for files that nobody has registered, and what was found."""

from django.db import models
from django.db.models import F, Q

from alyx.core.clock import AlyxNow
from alyx.core.records import Record
from alyx.core.transitions import legal_moves_guard
from alyx.labs.models import Lab
from datasets.models import Repository
from transfers.rules.intake import Why


class ScanState(models.TextChoices):
    """OPEN until its last pass has ended, or its night."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed", "failed: the place could not be read"


class ScanKind(models.TextChoices):
    """Who looks."""

    NIGHT = "night"
    HAND = "hand", "by hand"
    AGENT = "agent", "copy agent"


class Scan(Record):
    """One night's scan of a repository (or a scan by hand, or a day of its copy agent).

    It goes through the repository in path order, pass by pass; `cursor` is how far this pass has come. The counts are of
    the pass, but `registered` and `sessions_made` of the whole scan.
    """

    repository = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="scans")
    kind = models.CharField(max_length=16, choices=ScanKind, default=ScanKind.NIGHT)
    local_date = models.DateField(help_text="of the night, where the repository is")
    state = models.CharField(max_length=16, choices=ScanState, default=ScanState.OPEN)
    due_at = models.DateTimeField(db_default=AlyxNow(), help_text="it goes on then")
    until = models.DateTimeField(null=True, blank=True, help_text="nothing new begins after this: the night's end")
    passes = models.PositiveIntegerField(default=0, help_text="how often the whole repository was looked through")
    pass_began_at = models.DateTimeField(null=True, blank=True)
    cursor = models.CharField(max_length=4096, blank=True, default="")
    lease = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    files = models.PositiveIntegerField(default=0, help_text="seen")
    known = models.PositiveIntegerField(default=0, help_text="were registered already")
    waiting = models.PositiveIntegerField(default=0, help_text="not registered, and will be by itself")
    left = models.PositiveIntegerField(default=0, help_text="not registered, and somebody has to see why")
    registered = models.PositiveIntegerField(default=0)
    sessions_made = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]
        triggers = [
            *Record.Meta.triggers,
            legal_moves_guard(name="scan_moves", moves=[("open", "done"), ("open", "failed")], initial=["open"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "local_date", "kind"],
                condition=Q(kind__in=["night", "agent"]),
                name="one_scan_per_repository_and_night",
            ),
            models.CheckConstraint(
                condition=Q(lease__isnull=True, lease_until__isnull=True)
                | Q(lease__isnull=False, lease_until__isnull=False),
                name="lease_has_an_end",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], name="scan_open_by_due", condition=Q(state="open"))]

    def __str__(self) -> str:
        return f"{self.repository} {self.local_date} ({self.kind})"


class FoundFile(Record):
    """A file that lies at a repository and is not registered: when its size and time were first seen so, and why not.

    The row goes when the file is registered or a whole pass did not see it. The digests are of a read of these very bytes,
    so that no night reads again what it has read.
    """

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="found_files")
    path = models.CharField(max_length=1000)  # longer ones are cut, with a digest at the end
    folder = models.CharField(max_length=1000, blank=True, default="")  # the session's
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.CASCADE, related_name="found_files")
    size_bytes = models.BigIntegerField(null=True)
    modified_ns = models.BigIntegerField(null=True)
    since = models.DateTimeField(help_text="first look that saw this size and time")
    seen_at = models.DateTimeField(help_text="last look")
    why = models.CharField(max_length=24, choices=[(why.value, why.value.replace("_", " ")) for why in Why])
    detail = models.TextField(blank=True, default="")
    md5 = models.CharField(max_length=32, blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")

    class Meta(Record.Meta):
        verbose_name = "file not registered"
        verbose_name_plural = "files not registered"
        ordering = ["repository__name", "path"]
        constraints = [
            models.UniqueConstraint(fields=["repository", "path"], name="one_row_per_file_found"),
            models.CheckConstraint(condition=Q(seen_at__gte=F("since")), name="seen_last_after_first"),
        ]
        indexes = [models.Index(fields=["lab", "why"], name="found_by_lab_and_reason")]

    def __str__(self) -> str:
        return self.path
