"""Places where copies lie."""

from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.labs.models import Lab, validate_time_zone
from datasets.rules.bandwidth import Hours


class RepositoryKind(models.TextChoices):
    """How its bytes are reached."""

    POSIX = "posix", "a directory"
    S3 = "s3", "an S3 bucket"
    GLOBUS = "globus", "a Globus collection"


class RepositoryRole(models.TextChoices):
    """What it is for. A lab's own is "personal" in the clients' words; the others are servers."""

    LAB = "lab", "a lab's own server"
    CENTRAL = "central", "central store"
    MIRROR = "mirror", "mirror"
    ARCHIVE = "archive", "archive"


SERVER_ROLES = (RepositoryRole.CENTRAL, RepositoryRole.MIRROR, RepositoryRole.ARCHIVE)


class RepositoryState(models.TextChoices):
    """Whether the night may use it. Nothing here ever changes the state of a copy."""

    ACTIVE = "active"
    BLOCKED = "blocked", "blocked: cannot be reached or logged in to"
    FULL = "full"
    QUARANTINED = "quarantined", "quarantined: not the disk we know (canary)"
    RETIRING = "retiring", "retiring: read from, never filled"
    RETIRED = "retired"


class RepositoryQuerySet(models.QuerySet["Repository"]):
    """Repositories, as callers ask for them."""

    def servers(self) -> "RepositoryQuerySet":
        """Those that are not a lab's own."""
        return self.filter(role__in=SERVER_ROLES)


@audited()
class Repository(Record):
    """A place for copies. Belongs to any number of labs, possibly none.

    `root` is where our code finds it (POSIX: a directory; S3: `s3://bucket/folder`, with the service's `endpoint` and
    `region`; Globus: `globus://<collection id>/folder`), `credential` the name of what this machine keeps to get in.
    The `globus_*` and `hostname` columns are what clients read and write. `data_url` ends in `<lab>/Subjects/` for the
    clients' sake.
    """

    name = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=16, choices=RepositoryKind, default=RepositoryKind.POSIX)
    role = models.CharField(max_length=16, choices=RepositoryRole, default=RepositoryRole.LAB)
    labs = models.ManyToManyField(Lab, blank=True, related_name="repositories")
    root = models.CharField(
        max_length=1000,
        blank=True,
        help_text="the directory that holds the subjects' folders; S3: s3://bucket/folder of the subjects' folders; "
        "Globus: globus://collection-id/folder of the subjects' folders",
    )
    endpoint = models.CharField(
        max_length=500, blank=True, default="", help_text="S3: the service's address; empty: Amazon's own"
    )
    region = models.CharField(max_length=64, blank=True, default="", help_text="S3: empty: us-east-1")
    credential = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="never a key. S3: a profile in this machine's AWS credentials file; empty: anonymous, only reads. "
        "Globus: a section of this machine's ALYX_GLOBUS_CREDENTIALS; empty: default",
    )
    on_personal_computer = models.BooleanField(
        default=False,
        editable=False,
        help_text="Globus: by Connect Personal, of which Globus carries nothing to another; seen when it is marked",
    )
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    data_url = models.URLField(max_length=1000, null=True, blank=True, help_text="ends in <lab>/Subjects/")
    uuid_in_names = models.BooleanField(
        default=False, help_text="file names carry the dataset's UUID before the extension"
    )
    case_sensitive = models.BooleanField(default=True)
    failure_domain = models.CharField(max_length=255, blank=True, help_text="copies in one domain can be lost together")
    state = models.CharField(max_length=16, choices=RepositoryState, default=RepositoryState.ACTIVE)
    state_reason = models.TextField(blank=True)
    canary = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text="read from .alyx-canary in the root before anything is believed",
    )
    window_start = models.TimeField(default=time(2, 0), help_text="its night opens at this local time")
    window_end = models.TimeField(default=time(8, 0))
    bandwidth = models.TextField(
        blank=True,
        default="",
        max_length=2000,
        help_text="what may be moved from and to it by its own clock, a stretch of the day a line: 08:00-18:00 20 MB/s, or "
        "nothing, or no limit; hours that no line names have no limit",
    )
    globus_path = models.CharField(max_length=1000, blank=True, default="")
    globus_endpoint_id = models.UUIDField(null=True, blank=True)
    hostname = models.CharField(max_length=200, blank=True, default="")
    repository_type = models.CharField(max_length=64, blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    objects: Any = RepositoryQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["name"]
        verbose_name_plural = "repositories"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "root"], condition=~Q(root="") & Q(kind="posix"), name="one_repository_per_directory"
            ),
            models.UniqueConstraint(
                fields=["root", "endpoint"],
                condition=~Q(root="") & Q(kind="s3"),
                name="one_repository_per_bucket_folder",
            ),
            models.UniqueConstraint(
                fields=["root"], condition=~Q(root="") & Q(kind="globus"), name="one_repository_per_collection_folder"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_server(self) -> bool:
        """Whether it is not a lab's own (`globus_is_personal` is the opposite)."""
        return self.role in SERVER_ROLES

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.timezone)

    @property
    def hours(self) -> Hours:
        """What may be moved from and to it, and when."""
        return Hours.of(self.bandwidth, self.zone)


@audited_links
class RepositoryLabs(Repository.labs.through):  # type: ignore[name-defined, misc]
    """Which lab uses which repository, recorded."""

    class Meta:
        proxy = True
