"""Labs, their people and places, and projects."""

from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.contrib.auth.hashers import make_password

from alyx.core import clock
from alyx.labs.models import Lab, Location, Membership, Project, Role, User
from datasets.imports.importer import LAB, LOCATION, PROJECT, USER, Here, Importer, Made, named
from datasets.imports.spool import Row
from datasets.imports.values import Refused, Take
from subjects.models import LabConditions

LIGHT = {0: "normal", 1: "inverted"}


class Labs(Importer):
    """A lab. A share above 1 was typed as a percentage."""

    label, model = LAB, Lab
    natural, folded, renamed = ("name",), frozenset({"name"}), "name"
    refs = {"cage_type": "misc.cagetype", "enrichment": "misc.enrichment", "food": "misc.food"}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its own columns, and the conditions its animals live under."""
        zone = take.text("timezone", 64)
        if zone not in available_timezones():
            if zone:
                take.odd("timezone", zone, "is no time zone; the server's is taken")
            zone = clock.server_zone().key
        columns = {
            "name": named(take.text("name"), row, take),
            "institution": take.text("institution"),
            "address": take.text("address"),
            "timezone": zone,
            "reference_weight_pct": _share(take, "reference_weight_pct"),
            "zscore_weight_pct": _share(take, "zscore_weight_pct"),
            "json": take.json(),
        }
        take.raw("repositories")  # which they are is said when they come
        conditions = conditions_of(take)
        along = [LabConditions(lab_id=UUID(row.pk), **conditions)] if any(conditions.values()) else []
        return Made(columns, lab_id=row.key, along=list(along), doubts=take.doubts)

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Two of one file are two."""
        return not in_file


def _share(take: Take, name: str) -> float:
    """A fraction of 1."""
    value = take.number(name) or 0.0
    share = value / 100 if value > 1 else value
    if 0 <= share <= 1:
        return share
    take.odd(name, value, "is no share of a weight")
    return 0.0


def conditions_of(take: Take) -> dict[str, Any]:
    """How animals live: of a lab, or of a cage."""
    return {
        "cage_type_id": take.link("cage_type", "misc.cagetype"),
        "enrichment_id": take.link("enrichment", "misc.enrichment"),
        "food_id": take.link("food", "misc.food"),
        "light_cycle": LIGHT.get(take.choice("light_cycle", LIGHT, None), ""),
        "cleaned_every_days": take.whole("cage_cleaning_frequency_days"),
    }


class People(Importer):
    """A user, without a password. Who is here already keeps password and rights."""

    label, model = USER, User
    natural = ("username",)
    refs = {"allowed_users": USER}
    uncompared = frozenset(
        {"password", "last_login", "date_joined", "is_active", "is_staff", "is_superuser", "is_public_user"}
    )

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The account; nobody can log in to it before somebody gives it a password."""
        for secret in ("password", "groups", "user_permissions"):
            take.raw(secret)
        columns = {
            "username": named(take.text("username", 150), row, take, field_name="username"),
            "first_name": take.text("first_name", 150),
            "last_name": take.text("last_name", 150),
            "email": take.text("email", 254),
            "password": make_password(None),
            "is_active": take.yes("is_active", default=True),
            "is_staff": take.yes("is_staff"),
            "is_superuser": take.yes("is_superuser"),
            "is_stock_manager": take.yes("is_stock_manager"),
            "is_public_user": take.yes("is_public_user"),
            "date_joined": take.instant("date_joined", here.server) or here.now,
            "last_login": take.instant("last_login", here.server),
        }
        links = {"allowed_users": take.links("allowed_users", USER)}
        return Made(columns, links, doubts=take.doubts)


class Memberships(Importer):
    """Who works in which lab. One that has ended gives no rights any more and stays behind."""

    label, model = "misc.labmembership", Membership
    natural = ("user_id", "lab_id")
    refs = {"user": USER, "lab": LAB}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The role, if it has a name of ours; an experimenter otherwise."""
        user, lab = take.link("user", USER, needed=True), take.link("lab", LAB, needed=True)
        ended = take.day("end_date")
        if ended is not None and ended < here.today(lab):
            raise Refused("it has ended: only present members are kept")
        said = take.text("role").strip().lower().replace(" ", "_")
        role = said if said in Role.values else Role.EXPERIMENTER.value
        if said and said != role:
            take.odd("role", said, "is no role here; it is an experimenter's")
        take.raw("start_date")
        take.raw("name")
        return Made({"user_id": user, "lab_id": lab, "role": role}, doubts=take.doubts)


class Locations(Importer):
    """A rig, a table, a room. Names are unique here; the same name in two labs is two places."""

    label, model = LOCATION, Location
    natural, renamed = ("name",), "name"
    refs = {"lab": LAB}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """A place."""
        columns = {"name": named(take.text("name"), row, take), "lab_id": take.link("lab", LAB), "json": take.json()}
        return Made(columns, doubts=take.doubts)

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """In another lab it is another place."""
        return not in_file and made.columns["lab_id"] == other.lab_id


class Projects(Importer):
    """A project."""

    label, model = PROJECT, Project
    natural = ("name",)
    refs = {"users": USER}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name and people."""
        columns = {"name": named(take.text("name"), row, take), "description": take.text("description", None)}
        return Made(columns, {"users": take.links("users", USER)}, doubts=take.doubts)
