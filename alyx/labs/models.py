"""People, labs, memberships, locations, projects, and the tokens clients log in with."""

import hashlib
import hmac
import uuid
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
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

    class Meta(AbstractUser.Meta):
        ordering = ["username"]


@audited()
class Lab(Record):
    """A lab: its people, animals and repositories share a time zone and rules."""

    name = models.CharField(max_length=255, unique=True)
    institution = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=255, blank=True)
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    reference_weight_pct = models.FloatField(default=0.0, help_text="fraction of the reference weight, 0 to 1")
    zscore_weight_pct = models.FloatField(default=0.0, help_text="fraction of the z-scored weight, 0 to 1")
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
