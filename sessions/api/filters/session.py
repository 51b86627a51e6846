"""Query parameters of sessions, and what hangs on a session asks of it."""

from django.db.models import FloatField
from django.db.models.functions import Cast

from alyx.core.rest.filters import (
    BOOLEAN,
    NUMBER,
    Filter,
    asked,
    contains,
    day_range,
    equals,
    every,
    iequals,
    is_day,
    is_key,
    is_number,
    json_is,
    matches_nothing,
    qc_is,
)
from alyx.core.rest.query_language import truth
from sessions.api.filters.common import Rows, changed, wall
from sessions.api.filters.of_datasets import JOINT, of_sessions, tagged
from sessions.api.filters.regions import atlas_filters, recorded_sessions
from sessions.models import Session
from subjects.models import Subject


def _of_subject(rows: Rows, value: str) -> Rows:
    return rows.filter(subject__in=Subject.objects.named(value).values("pk"))


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
    "start_time": wall("started_wall"),
    "end_time": wall("ended_wall"),
    "auto_datetime": asked(changed, "exact time of the last change"),
    "qc": qc_is("qc"),
    "extended_qc": json_is("extended_qc", "extended_qc"),
    "json": json_is("json", "json"),
    "performance_gte": _performance("gte"),
    "performance_lte": _performance("lte"),
    "tag": tagged(of_sessions),
    "histology": asked(_histology, "the subject has a session of histology", BOOLEAN),
    **JOINT,
    "name": matches_nothing("sessions have no name here; nothing matches"),
    **atlas_filters(recorded_sessions),
}


OF_SESSION = {
    "session": is_key("session"),
    "subject": equals("session__subject__nickname"),
    "lab": iequals("session__lab__name"),
    "project": contains("session__projects__name", many=True),
    "date": is_day("session__path_date"),
    "experiment_number": is_number("session__number"),
}
"""Of what hangs on a session."""
