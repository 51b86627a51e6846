"""People, labs, memberships, locations, projects, and the tokens clients log in with."""

import hashlib
import hmac
import uuid
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.functional import cached_property

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.reading import NOTHING, Reach
from alyx.core.records import Record


def validate_time_zone(name: str) -> None:
    """A name of the IANA time zone database. Raises ValidationError."""
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is not an IANA time zone such as Europe/London")


@audited(exclude=["password", "last_login"])
class User(AbstractUser):
    """A person, or the service account of a rig or pipeline."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    is_stock_manager = models.BooleanField(default=False, help_text="animals of this user are breeding stock")
    allowed_users = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="delegate_of", help_text="may act on this user's animals"
    )
    is_public_user = models.BooleanField(default=False, help_text="reads data tagged public, nothing else")
    orcid = models.CharField(max_length=19, blank=True, default="", help_text="0000-0000-0000-0000: for exports")

    class Meta(AbstractUser.Meta):
        ordering = ["username"]

    @cached_property
    def reach(self) -> Reach:
        """What this person reads (`alyx.core.reading`): one statement, remembered as long as this object lives.

        Their labs, those in which they have a duty, and their projects; everything when that is all labs, when reading is
        open to all users (`ALYX_OPEN_READING`), and for superusers.
        """
        if not self.is_active:
            return NOTHING
        if self.is_public_user:
            return Reach(is_public=True, user=self.pk)
        if self.is_superuser or settings.ALYX_OPEN_READING:
            return Reach(everything=True, is_superuser=self.is_superuser, user=self.pk)
        found: dict[str, set[Any]] = {"lab": set(), "project": set(), "all": set()}
        for what, key in _reads(self):
            found[what].add(key)
        labs = frozenset(found["lab"])
        everything = None in labs or found["all"] <= labs
        return Reach(everything=everything, labs=labs, projects=frozenset(found["project"]), user=self.pk)


_READS = """
SELECT 'lab', lab_id FROM labs_membership WHERE user_id = %(user)s
UNION ALL SELECT 'lab', lab_id FROM labs_collaboration WHERE user_id = %(user)s
UNION ALL SELECT 'project', project_id FROM labs_projectrole WHERE user_id = %(user)s
UNION ALL SELECT 'project', project_id FROM labs_project_users WHERE user_id = %(user)s
UNION ALL SELECT 'all', id FROM labs_lab
"""
"""As SQL: it runs with every request, and composing it by the ORM costs more than PostgreSQL needs for it."""


def _reads(user: User) -> list[tuple[str, uuid.UUID | None]]:
    with connection.cursor() as cursor:
        cursor.execute(_READS, {"user": user.pk})
        return list(cursor.fetchall())


@audited()
class Lab(Record):
    """A lab: its people, animals and repositories share a time zone and rules."""

    name = models.CharField(max_length=255, unique=True)
    institution = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=255, blank=True)
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    reference_weight_pct = models.FloatField(default=0.0, help_text="fraction of the reference weight, 0 to 1")
    zscore_weight_pct = models.FloatField(default=0.0, help_text="fraction of the z-scored weight, 0 to 1")
    ethics_review_id = models.CharField(
        max_length=255, blank=True, default="", help_text="what exports say where a procedure names none of its own"
    )
    registry_name = models.CharField(
        max_length=255, blank=True, default="", help_text="the institution's name in a public registry, for exports"
    )
    json = JSONColumn(null=True, blank=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="labs", blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="lab_name_unique_ignoring_case")]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member of a lab may do there."""

    READER = "reader", "reads"
    EXPERIMENTER = "experimenter", "records and registers"
    RIG = "rig", "service account: registers for this lab"
    DATA_MANAGER = "data_manager", "moves, verifies and withdraws data"
    HEAD = "head", "everything in the lab, its members included"


WRITING_ROLES = (Role.EXPERIMENTER, Role.RIG, Role.DATA_MANAGER, Role.HEAD)
MANAGING_ROLES = (Role.DATA_MANAGER, Role.HEAD)


@audited()
class Membership(Record):
    """A user's role in a lab."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.EXPERIMENTER)

    class Meta(Record.Meta):
        ordering = ["lab__name", "user__username"]
        constraints = [models.UniqueConstraint(fields=["user", "lab"], name="one_role_per_member")]

    def __str__(self) -> str:
        return f"{self.user} {self.get_role_display()} in {self.lab}"


@audited()
class Location(Record):
    """A rig, a table, a room."""

    name = models.CharField(max_length=255, unique=True)
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="locations")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited(exclude=["last_seen_at", "updated_at"])  # a pulse each minute is no history
class RigWatch(Record):
    """A rig that is expected to be heard of: its pulse, and how long it may be silent before somebody is told."""

    location = models.OneToOneField(Location, on_delete=models.CASCADE, related_name="watch")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    last_seen_at = models.DateTimeField(null=True, blank=True)
    silent_after_hours = models.PositiveIntegerField(default=26)
    is_watched = models.BooleanField(default=True)
    alarmed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(Record.Meta):
        ordering = ["location__name"]
        verbose_name = "watched rig"

    def __str__(self) -> str:
        return f"{self.location}"


@audited()
class Project(Record):
    """A project that people, animals and sessions belong to."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="projects")

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited(exclude=["nonce", "last_used_at"])
class Token(Record):
    """A credential for REST clients. Its key is derived from the instance's secret, never stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    label = models.CharField(max_length=64, default="login", help_text="where it is used")
    nonce = models.UUIDField(default=uuid.uuid4, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(Record.Meta):
        ordering = ["user__username", "label"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "label"], condition=Q(revoked_at__isnull=True), name="one_live_token_per_label"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.label}"

    @property
    def key(self) -> str:
        """The 64 hex characters a client sends: 32 name the row, 32 prove that we made them."""
        proof = hmac.digest(settings.SECRET_KEY.encode(), self.id.bytes + self.nonce.bytes, hashlib.sha256)
        return self.id.hex + proof.hex()[:32]


class ProjectRoleKind(models.TextChoices):
    """What a person may do to the animals and sessions of a project, in whatever lab they are."""

    RECORDS = "records", "records and registers"
    MANAGES = "manages", "manages and withdraws"


@audited()
class ProjectRole(Record):
    """A say over a project's data across labs."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="project_roles")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(max_length=16, choices=ProjectRoleKind, default=ProjectRoleKind.RECORDS)

    class Meta(Record.Meta):
        ordering = ["project__name", "user__username"]
        constraints = [models.UniqueConstraint(fields=["user", "project"], name="one_role_per_project")]

    def __str__(self) -> str:
        return f"{self.user} {self.get_role_display()} in {self.project}"


class Duty(models.TextChoices):
    """Work that crosses labs."""

    HISTOLOGY = "histology", "histology: trajectories, channels, insertions, notes"
    QC = "qc", "quality control: qc, extended qc, notes"
    PIPELINE = "pipeline", "central pipelines: registers, tasks, qc"


@audited()
class Collaboration(Record):
    """A person's or pipeline's duty in other labs (no lab: in all)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="collaborations")
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.CASCADE, related_name="collaborations")
    duty = models.CharField(max_length=16, choices=Duty)

    class Meta(Record.Meta):
        ordering = ["user__username", "duty"]
        constraints = [
            models.UniqueConstraint(fields=["user", "lab", "duty"], nulls_distinct=False, name="one_duty_per_lab")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.duty} in {self.lab or 'all labs'}"


@audited_links
class ProjectUsers(Project.users.through):  # type: ignore[name-defined, misc]
    """Who is in which project, recorded."""

    class Meta:
        proxy = True


@audited_links
class AllowedUsers(User.allowed_users.through):  # type: ignore[name-defined, misc]
    """Who may act for whom, recorded."""

    class Meta:
        proxy = True


@audited_links
class UserGroups(User.groups.through):  # type: ignore[name-defined, misc]
    """Who is in which of Django's groups, recorded."""

    class Meta:
        proxy = True


@audited_links
class UserPermissions(User.user_permissions.through):  # type: ignore[name-defined, misc]
    """Who has which of Django's permissions, recorded."""

    class Meta:
        proxy = True
