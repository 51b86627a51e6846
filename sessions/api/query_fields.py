"""What `django=` may ask about sessions. Datasets are asked through the relation's name: nothing is imported from above."""

from typing import Any

from django.db.models import F, Q

from alyx.core.rest.query_language import (
    QueryFields,
    computed,
    instant,
    json_path,
    not_withdrawn,
    number,
    qc_value,
    relation,
    text,
    wall,
)
from alyx.core.rest.query_language import boolean as truth_value
from alyx.labs.query_fields import LABS, LOCATIONS, PROJECTS, USERS
from subjects.api.query_fields import PROCEDURES, SUBJECTS

_NAMED = QueryFields({"name": text("name")})


def _exists(prefix: str, wanted: bool) -> Q:
    there: dict[str, Any] = {
        f"{prefix}state__in": ["claimed", "verified"],
        f"{prefix}content_version": F(f"{prefix}dataset__content_version"),
    }
    return Q(**there) if wanted else ~Q(**there)


def _personal(prefix: str, wanted: bool) -> Q:
    return Q(**{f"{prefix}role": "lab"}) if wanted else Q(**{f"{prefix}role__in": ["central", "mirror", "archive"]})


_REPOSITORIES = QueryFields({"name": text("name"), "globus_is_personal": computed(_personal)})
_COPIES = QueryFields({"exists": computed(_exists), "data_repository": relation("repository", _REPOSITORIES)})
_DATASETS = QueryFields(
    {
        "name": text("name"),
        "collection": text("collection"),
        "dataset_type": relation("dataset_type", _NAMED),
        "data_format": relation("data_format", _NAMED),
        "revision": relation("revision", _NAMED),
        "tags": relation("tags", _NAMED, many=True),
        "file_records": relation("file_records", _COPIES, many=True),
        "default_dataset": truth_value("is_default"),
        "qc": number("qc", convert=qc_value),
        "file_size": number("size_bytes"),
        "hash": text("md5"),
        "version": text("software_version"),
        "json": json_path("json"),
    }
)

_DATASETS_SHOWN = relation("datasets", _DATASETS, many=True, only=not_withdrawn)

SESSIONS: QueryFields = QueryFields(
    {
        "subject": relation("subject", SUBJECTS),
        "lab": relation("lab", LABS),
        "location": relation("location", LOCATIONS),
        "users": relation("users", USERS, many=True),
        "project": relation("projects", PROJECTS, many=True),
        "projects": relation("projects", PROJECTS, many=True),
        "procedures": relation("procedures", PROCEDURES, many=True),
        "start_time": wall("started_wall", "path_date"),
        "end_time": wall("ended_wall"),
        "number": number("number"),
        "type": text("type"),
        "task_protocol": text("task_protocol"),
        "narrative": text("narrative"),
        "n_trials": number("n_trials"),
        "n_correct_trials": number("n_correct_trials"),
        "qc": number("qc", convert=qc_value),
        "extended_qc": json_path("extended_qc"),
        "json": json_path("json"),
        "auto_datetime": instant("updated_at"),
        "parent_session": relation("parent", lambda: SESSIONS, only=not_withdrawn),
        "datasets": _DATASETS_SHOWN,
        "data_dataset_session_related": _DATASETS_SHOWN,
        "data_dataset": _DATASETS_SHOWN,
    }
)
