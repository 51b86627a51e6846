"""Our tables, found by themselves so that a new one cannot be forgotten, and a row for each."""

import copy
import uuid
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection, models
from django.db.models.base import ModelState
from pghistory.models import Event

from alyx.core.models import AnsweredCall, JournalEntry, Note, ReviewFlag
from alyx.labs.models import Lab, Location, Membership, Project, Token, User
from datasets.models import (
    ContentVersion,
    DataFormat,
    Dataset,
    DatasetType,
    FileRecord,
    Repository,
    Revision,
    Tag,
)
from sessions.models import Session
from subjects.models import Subject
from tests import factories
from tests.factories import animals, recordings
from tests.factories.people import NUMBERS

REGISTRY_APPS = ("core", "labs", "subjects", "lab_sessions", "datasets")
OWN_HISTORY = {ContentVersion, AnsweredCall}
"""Tables that are history themselves (guarded against change) or are swept: not recorded a second time."""


def concrete_models() -> list[type[models.Model]]:
    """The tables of the registry's apps that people and clients write."""
    found = (model for label in REGISTRY_APPS for model in apps.get_app_config(label).get_models())
    return [
        model for model in found if not issubclass(model, Event) and not model._meta.proxy and model not in OWN_HISTORY
    ]


def links() -> list[models.ManyToManyField[Any, Any]]:
    """Many-to-many relations whose rows lie in tables that Django made."""
    return [
        field
        for model in concrete_models()
        for field in model._meta.local_many_to_many
        if link_table(field)._meta.auto_created
    ]


def link_table(field: models.ManyToManyField[Any, Any]) -> type[models.Model]:
    """The model of the rows of a many-to-many relation."""
    through: type[models.Model] = getattr(field.remote_field, "through")  # noqa: B009
    return through


def event_models() -> list[type[Event]]:
    """Where the audit writes."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, Event) and model._meta.managed and not model._meta.proxy
    ]


def event_model_of(model: type[models.Model]) -> type[Event]:
    """The audit table of a model."""
    return next(event for event in event_models() if event.pgh_tracked_model is model)


MAKERS: dict[type[models.Model], Callable[[], models.Model]] = {
    **animals.MAKERS,
    **recordings.MAKERS,
    Note: factories.a_note,
    JournalEntry: factories.an_entry,
    ReviewFlag: factories.a_flag,
    User: factories.a_user,
    Lab: factories.a_lab,
    Membership: lambda: factories.a_member(factories.a_lab()).memberships.get(),  # noqa: PLW0108 (later)
    Location: lambda: Location.objects.create(name=f"rig {next(NUMBERS)}"),
    Project: factories.a_project,
    Token: lambda: Token.objects.create(user=factories.a_user()),
    Subject: factories.a_subject,
    Session: factories.a_session,
    DatasetType: lambda: factories.a_type(f"type{next(NUMBERS)}"),
    DataFormat: lambda: factories.a_format(f".f{next(NUMBERS)}"),
    Revision: lambda: Revision.objects.create(name=f"r{next(NUMBERS)}"),
    Tag: lambda: Tag.objects.create(name=f"tag{next(NUMBERS)}"),
    Repository: factories.a_repository,
    Dataset: lambda: factories.an_aggregate(factories.a_project()),
    FileRecord: factories.a_copy,
    Group: lambda: Group.objects.create(name=f"group{next(NUMBERS)}"),
    Permission: lambda: Permission.objects.order_by("?")[0],
}


def a_row(model: type[models.Model]) -> models.Model:
    """A stored row of the table."""
    return MAKERS[model]()


def a_twin(row: models.Model) -> models.Model:
    """An unsaved row like this one, with a key and a name of its own."""
    model = type(row)
    if (
        model in animals.MAKERS or model in recordings.MAKERS
    ):  # unique by what they belong to: another one, taken out again
        row = a_row(model)
        model._default_manager.filter(pk=row.pk).delete()
    twin = copy.copy(row)
    twin._state = ModelState()
    twin.pk = next(NUMBERS) if isinstance(row.pk, int) else uuid.uuid4()
    for name in {"name", "username", "nickname", "file_extension", "label", "rule"} & {
        field.name for field in row._meta.concrete_fields
    }:
        setattr(twin, name, f"{getattr(row, name)}-2")
    if isinstance(twin, JournalEntry):
        twin.key = uuid.uuid4()
    elif isinstance(twin, Membership):
        twin.user = factories.a_user()
    elif isinstance(twin, Session):
        twin.number += 1
    elif isinstance(twin, FileRecord):
        twin.repository = factories.a_repository()
    elif isinstance(twin, Repository):
        twin.root += "-2"
    return twin


def sql(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run SQL as nobody in particular; what it returned."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def triggers_of(table: str) -> set[str]:
    """The names of the row and statement triggers on a table, without the digest that pgtrigger appends."""
    rows = sql("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", table)
    return {name.removeprefix("pgtrigger_").rpartition("_")[0] for (name,) in rows}
