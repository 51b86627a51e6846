"""Every change of every row is recorded, whatever wrote it: by SQL and bulk writes, so that Python cannot help."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, connection, models, transaction

from alyx.core.audit import acting
from alyx.labs.models import Token, User
from datasets.models import ContentVersion, Dataset, FileRecord
from tests.factories import a_dataset, a_subject, a_user
from tests.ground.tables import (
    OWN_HISTORY,
    a_row,
    a_twin,
    concrete_models,
    event_model_of,
    event_models,
    link_table,
    links,
    sql,
    triggers_of,
)

pytestmark = pytest.mark.django_db

EACH_TABLE = pytest.mark.parametrize("model", concrete_models(), ids=lambda model: model.__name__)
EACH_LINK = pytest.mark.parametrize("link", links(), ids=str)
NEVER_DELETED = {FileRecord}


def labels(row: models.Model) -> list[str]:
    """What the audit says happened to the row, in order."""
    events = event_model_of(type(row)).objects.filter(pgh_obj_id=row.pk).order_by("pgh_id")
    return list(events.values_list("pgh_label", flat=True))


@EACH_TABLE
def test_rows_made_in_bulk_are_recorded(model: type[models.Model]) -> None:
    twin = a_twin(a_row(model))
    model._base_manager.bulk_create([twin])
    assert labels(twin) == ["insert"]


@pytest.mark.parametrize("model", [Dataset, FileRecord])
def test_each_row_that_a_statement_makes_is_recorded_whole_with_who_and_why(model: type[models.Model]) -> None:
    twins, user = [a_twin(a_row(model)) for _ in range(3)], a_user("maker")
    with acting(actor=user, path="command tests", reason="many at once"):
        model._base_manager.bulk_create(twins)
    names = [column.attname for column in model._meta.concrete_fields]
    rows = model._base_manager.filter(pk__in=[twin.pk for twin in twins]).order_by("pk")
    events = event_model_of(model).objects.filter(pgh_obj_id__in=[twin.pk for twin in twins]).order_by("id")
    assert list(events.values_list(*names)) == list(rows.values_list(*names))
    said = {(one.pgh_label, one.pgh_context.metadata["actor"], one.pgh_context.metadata["reason"]) for one in events}
    assert said == {("insert", str(user.pk), "many at once")}


@EACH_TABLE
def test_rows_changed_by_sql_and_by_queryset_are_recorded(model: type[models.Model]) -> None:
    row = a_row(model)
    before = len(labels(row))
    column = "date_joined" if model is User else "created_at"
    sql(f"UPDATE {model._meta.db_table} SET {column} = {column} - interval '1 day' WHERE id = %s", row.pk)
    model._base_manager.filter(pk=row.pk).update(**{column: "2020-01-01T00:00:00Z"})
    assert labels(row)[before:] == ["update", "update"]


@pytest.mark.parametrize("model", [model for model in concrete_models() if model not in NEVER_DELETED])
def test_a_row_deleted_by_sql_is_recorded(model: type[models.Model]) -> None:
    twin = a_twin(a_row(model))
    model._base_manager.bulk_create([twin])
    sql(f"DELETE FROM {model._meta.db_table} WHERE id = %s", twin.pk)
    assert labels(twin) == ["insert", "delete"]


@pytest.mark.parametrize("model", concrete_models())
def test_an_update_that_changes_nothing_leaves_no_event(model: type[models.Model]) -> None:
    row = a_row(model)
    before = labels(row)
    sql(f"UPDATE {model._meta.db_table} SET id = id WHERE id = %s", row.pk)
    assert labels(row) == before


@EACH_LINK
def test_links_made_and_cut_are_recorded(link: models.ManyToManyField[Any, Any]) -> None:
    target: Any = link.related_model
    makers: dict[Any, Any] = {
        Group: lambda: Group.objects.create(name=f"group {uuid.uuid4()}"),
        Permission: Permission.objects.first,
    }
    owner, other = a_row(link.model), makers.get(target, lambda: a_row(target))()
    through = link_table(link)
    near, far = link.m2m_column_name(), link.m2m_reverse_name()
    sql(f"INSERT INTO {through._meta.db_table} ({near}, {far}) VALUES (%s, %s)", owner.pk, other.pk)
    getattr(owner, link.name).remove(other)
    events = next(e for e in event_models() if e.pgh_tracked_model._meta.concrete_model is through._meta.concrete_model)
    seen = sql(
        f"SELECT pgh_label FROM {events._meta.db_table} WHERE {near} = %s AND {far} = %s ORDER BY pgh_id",
        owner.pk,
        other.pk,
    )
    assert [label for (label,) in seen] == ["insert", "delete"]


def test_an_event_says_who_by_which_path_in_which_request_and_why() -> None:
    user, subject = a_user("keeper"), a_subject()
    with acting(actor=user, path="command tests", reason="a typing mistake"):
        sql("UPDATE subjects_subject SET description = 'grey' WHERE id = %s", subject.pk)
    context = event_model_of(type(subject)).objects.filter(pgh_obj_id=subject.pk).latest("pgh_id").pgh_context.metadata
    assert {name: context[name] for name in ("actor", "actor_name", "path", "reason")} == {
        "actor": str(user.pk),
        "actor_name": "keeper",
        "path": "command tests",
        "reason": "a typing mistake",
    }
    assert context["request_id"]


def test_a_write_without_any_context_is_recorded_all_the_same() -> None:
    subject = a_subject()
    event = event_model_of(type(subject)).objects.get(pgh_obj_id=subject.pk)
    assert (event.pgh_label, event.pgh_context) == ("insert", None)


def test_secrets_are_in_no_event_table() -> None:
    user = a_user()
    Token.objects.create(user=user)
    forbidden = {"password", "nonce"}
    assert not {
        (event.__name__, field.name)
        for event in event_models()
        for field in event._meta.fields
        if field.name in forbidden
    }
    secret = User.objects.get(pk=user.pk).password.rpartition("$")[2]
    for event in event_models():
        table = event._meta.db_table
        assert sql(f"SELECT count(*) FROM {table} t WHERE to_jsonb(t)::text LIKE %s", f"%{secret}%") == [(0,)]


def test_a_changed_password_leaves_no_event() -> None:
    user = a_user()
    before = labels(user)
    user.set_password("another long pass phrase")
    user.save()
    assert labels(user) == before


@pytest.mark.parametrize("event", event_models(), ids=lambda event: event.__name__)
def test_history_is_not_rewritten(event: type[models.Model]) -> None:
    assert {"append_only", "no_truncate"} <= triggers_of(event._meta.db_table)


def test_an_event_can_be_neither_changed_nor_removed() -> None:
    a_subject()
    table = "subjects_subjectevent"
    for statement in (f"UPDATE {table} SET nickname = 'other'", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            sql(statement)


@pytest.mark.parametrize(
    "table",
    sorted(
        {model._meta.db_table for models_ in (concrete_models(), event_models(), OWN_HISTORY) for model in models_}
        | {link_table(link)._meta.db_table for link in links()}
    ),
)
def test_truncate_is_refused(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('alyx.allow_truncate', 'off', true)"
        )  # on in tests, so that they can clean up
        with pytest.raises(DatabaseError, match=r"TRUNCATE of .* is refused"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table} CASCADE")


def test_what_a_version_meant_is_filled_once_and_never_changed() -> None:
    dataset = a_dataset(md5="", size_bytes=None, hash_state="pending")
    mine = "WHERE dataset_id = %s"
    sql(f"UPDATE datasets_contentversion SET size_bytes = 5, md5 = repeat('a', 32) {mine}", dataset.pk)
    for change in ("md5 = repeat('b', 32)", "size_bytes = 6", "size_bytes = NULL", "content_version = 2"):
        with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
            sql(f"UPDATE datasets_contentversion SET {change} {mine}", dataset.pk)
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
        sql(f"DELETE FROM datasets_contentversion {mine}", dataset.pk)
    assert ContentVersion.objects.get(dataset=dataset).size_bytes == 5


def test_the_contexts_of_events_are_kept() -> None:
    with acting(path="command tests", reason="a reason to keep"):
        a_subject()
    assert sql("SELECT count(*) FROM pghistory_context WHERE metadata->>'reason' = 'a reason to keep'") == [(1,)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('alyx.allow_truncate', 'off', true)")
        for statement in ("DELETE FROM pghistory_context", "TRUNCATE pghistory_context CASCADE"):
            with pytest.raises(DatabaseError, match="it says who changed what"), transaction.atomic():
                cursor.execute(statement)
