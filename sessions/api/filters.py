"""The query parameters of `/sessions`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, FloatField, QuerySet
from django.db.models.functions import Cast

from alyx.core.clock import server_zone
from alyx.core.qc import QC
from alyx.core.rest.filters import (
    BOOLEAN,
    NUMBER,
    Filter,
    asked,
    contains,
    day_range,
    every,
    iequals,
    is_key,
    is_number,
    json_is,
    matches_nothing,
    qc_is,
    split,
)
from alyx.core.rest.query_language import truth
from sessions.models import Session
from subjects.models import Subject

Rows = QuerySet[Any]
SERVER_ROLES = ("central", "mirror", "archive")
_REGIONS = "recorded regions are not kept yet; nothing matches"


def _datasets() -> Rows:
    """Datasets that are shown, through the relation's name."""
    model: Any = Session._meta.get_field("datasets").related_model
    rows: Rows = model._base_manager.filter(withdrawn_at__isnull=True, session__isnull=False)
    return rows


def dataset_filters(rows: Rows, *, names: Sequence[str], types: Sequence[str], worst: QC | None) -> Rows:
    """Sessions that have every one of the names (with a copy on a server) and every one of the types.

    `worst` is the worst QC that a counted dataset may have; alone it asks for any such dataset. Names count up to FAIL
    unless it says otherwise.
    """
    bounded = _datasets().filter(qc__lte=int(worst)) if worst is not None else _datasets()
    for name in names:
        there = bounded.filter(
            name=name,
            qc__lte=int(QC.FAIL if worst is None else worst),
            file_records__state__in=("claimed", "verified"),
            file_records__content_version=F("content_version"),
            file_records__repository__role__in=SERVER_ROLES,
        )
        rows = rows.filter(pk__in=there.values("session"))
    for kind in types:
        rows = rows.filter(pk__in=bounded.filter(dataset_type__name=kind).values("session"))
    if worst is not None and not names and not types:
        rows = rows.filter(pk__in=bounded.values("session"))
    return rows


def _of_subject(rows: Rows, value: str) -> Rows:
    return rows.filter(subject__in=Subject.objects.named(value).values("pk"))


def _tag(rows: Rows, value: str) -> Rows:
    return rows.filter(pk__in=_datasets().filter(tags__name__icontains=value).values("session"))


def _histology(rows: Rows, value: str) -> Rows:
    animals: Rows = Session.objects.shown().filter(procedures__name__iexact="Histology").values("subject")
    return rows.filter(subject__in=animals) if truth(value) else rows.exclude(subject__in=animals)


def _performance(lookup: str) -> Filter:
    """Percent of correct trials."""

    def apply(rows: Rows, value: str) -> Rows:
        percent = Cast("n_correct_trials", FloatField()) / Cast("n_trials", FloatField()) * 100.0
        counted: Rows = (
            rows.filter(n_trials__gt=0).alias(percent=percent).filter(**{f"percent__{lookup}": float(value)})
        )
        return counted

    return Filter(apply, "percent of correct trials", NUMBER)


def _wall(path: str) -> Filter:
    return Filter(
        lambda rows, value: rows.filter(**{path: datetime.fromisoformat(value).replace(tzinfo=None)}), "exact time"
    )


def _changed(rows: Rows, value: str) -> Rows:
    moment = datetime.fromisoformat(value)
    return rows.filter(updated_at=moment if moment.tzinfo else moment.replace(tzinfo=server_zone()))


def _later(rows: Rows, value: str) -> Rows:
    """Applied by the view, which sees these three together."""
    return rows


FILTERS = {
    "id": is_key("id"),
    "subject": asked(_of_subject, "the nickname, ignoring case"),
    "nickname": asked(_of_subject, "the nickname, ignoring case"),
    "lab": iequals("lab__name"),
    "type": iequals("type"),
    "location": contains("location__name"),
    "task_protocol": contains("task_protocol"),
    "project": contains("projects__name", many=True),
    "projects": contains("projects__name", many=True),
    "procedures": contains("procedures__name", many=True),
    "users": every("users__username"),
    "date_range": day_range("path_date"),
    "number": is_number("number"),
    "narrative": contains("narrative"),
    "n_trials": is_number("n_trials"),
    "n_correct_trials": is_number("n_correct_trials"),
    "parent_session": is_key("parent"),
    "start_time": _wall("started_wall"),
    "end_time": _wall("ended_wall"),
    "auto_datetime": asked(_changed, "exact time of the last change"),
    "qc": qc_is("qc"),
    "extended_qc": json_is("extended_qc", "extended_qc"),
    "json": json_is("json", "json"),
    "performance_gte": _performance("gte"),
    "performance_lte": _performance("lte"),
    "tag": asked(_tag, "has a dataset with a tag that contains this"),
    "histology": asked(_histology, "the subject has a session of histology", BOOLEAN),
    "datasets": asked(_later, "every exact name listed is there, with a copy on a server"),
    "dataset_types": asked(_later, "every type listed is there"),
    "dataset_qc_lte": asked(_later, "the worst QC a counted dataset may have"),
    "name": matches_nothing("sessions have no name here; nothing matches"),
    **{name: matches_nothing(_REGIONS) for name in ("atlas_acronym", "atlas_id", "atlas_name")},
}


def joint_dataset_filters(rows: Rows, parameters: Any) -> Rows:
    """`datasets`, `dataset_types` and `dataset_qc_lte` together. Raises ValueError for an unknown QC."""
    worst = parameters.get("dataset_qc_lte", "").strip()
    return dataset_filters(
        rows,
        names=split(parameters.get("datasets", "")),
        types=split(parameters.get("dataset_types", "")),
        worst=QC.parse(worst) if worst else None,
    )
