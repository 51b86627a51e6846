"""Filters of datasets and files that are more than a column."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value

from alyx.core.clock import server_zone
from alyx.core.rest.filters import BOOLEAN, DATE, Filter, as_day, as_uuid, asked, split
from alyx.core.rest.query_language import truth
from datasets.models import SERVER_ROLES, FileRecord, RepositoryRole, Tag
from datasets.rules.copies import EXISTS
from sessions.queries.folders import InFolder
from sessions.services.insertion import shown_insertions

Rows = QuerySet[Any]


def _wanted(rows: Rows, condition: Any, value: str) -> Rows:
    return rows.filter(condition) if truth(value) else rows.exclude(condition)


def exists_on_server(rows: Rows, value: str) -> Rows:
    """Datasets with a current copy at a server."""
    copies = FileRecord.objects.filter(
        dataset=OuterRef("pk"),
        state__in=sorted(EXISTS),
        content_version=OuterRef("content_version"),
        repository__role__in=SERVER_ROLES,
    )
    return _wanted(rows, Exists(copies), value)


def tagged(column: str) -> Filter:
    """Datasets with a tag that is protected, or public."""

    def apply(rows: Rows, value: str) -> Rows:
        return _wanted(rows, Exists(Tag.objects.filter(**{column: True}, datasets=OuterRef("pk"))), value)

    return asked(apply, f"whether a tag makes it {column}", BOOLEAN)


def copy_exists(rows: Rows, value: str) -> Rows:
    """Files that are there, or not."""
    return _wanted(rows, Q(state__in=sorted(EXISTS), content_version=F("dataset__content_version")), value)


def personal(path: str) -> Filter:
    """A lab's own repository."""
    return asked(lambda rows, value: _wanted(rows, Q(**{path: RepositoryRole.LAB}), value), "a lab's own", BOOLEAN)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=server_zone())


def created(lookup: str) -> Filter:
    """The day of creation, in the server's zone. `lookup`: exact, gte or lte."""

    def apply(rows: Rows, value: str) -> Rows:
        day = min(max(as_day(value), date(1, 1, 2)), date(9999, 12, 29))
        begin, end = _midnight(day), _midnight(day + timedelta(days=1))
        if lookup == "gte":
            return rows.filter(created_at__gte=begin)
        if lookup == "lte":
            return rows.filter(created_at__lt=end)
        return rows.filter(created_at__gte=begin, created_at__lt=end)

    return asked(apply, f"day of creation ({lookup})", DATE)


def of_insertion(rows: Rows, value: str) -> Rows:
    """Datasets of the insertion with this UUID, or of all of this name: those below a folder of that name."""
    try:
        key = as_uuid(value)
    except ValueError:
        return rows.filter(InFolder(Value(value), F("collection")))
    insertion = shown_insertions().filter(pk=key).first()
    if insertion is None:
        return rows.none()
    return rows.filter(InFolder(Value(insertion.name), F("collection")), session=insertion.session_id)


def of_subject(rows: Rows, value: str) -> Rows:
    """Datasets of this animal's sessions, or of the animal itself, by nickname or UUID."""
    try:
        found = Q(session__subject=as_uuid(value)) | Q(object_id=as_uuid(value))
    except ValueError:
        found = Q(session__subject__nickname=value)
    return rows.filter(found)


def any_tag(rows: Rows, value: str) -> Rows:
    """Datasets with one of the comma-separated tags, by name or UUID."""
    names = split(value)
    return rows.filter(Exists(Tag.objects.filter(name__in=names, datasets=OuterRef("pk"))))
