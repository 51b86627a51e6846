"""What `django=` may ask about sessions. Datasets are asked through the relation's name: nothing is imported from above."""

from typing import Any

from django.db.models import F, Q

from alyx.core.rest.query_language import (
    Declared,
    QueryFields,
    Refused,
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
from alyx.core.rest.query_values import as_number
from alyx.labs.query_fields import LABS, LOCATIONS, NOTES_ABOUT, PROJECTS, USERS
from sessions.models import Provenance, TaskStatus
from sessions.queries.folders import only_own
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


def task_status(value: Any) -> int:
    """A task's status by name, ignoring case, or by number. Raises Refused naming them."""
    for status in TaskStatus:
        if str(value).strip().lower() in {status.label.lower(), str(status.value)}:
            return int(status.value)
    raise Refused(f"{str(value)[:80]!r} is not one of {', '.join(status.label for status in TaskStatus)}")


TASKS: QueryFields = QueryFields(
    {
        **{name: text(name) for name in ("name", "executable", "graph", "log", "version")},
        **{
            name: number(name)
            for name in ("priority", "level", "gpu", "cpu", "ram", "io_charge", "time_out_secs", "time_elapsed_secs")
        },
        "status": number("status", convert=task_status),
        "arguments": json_path("arguments"),
        "datetime": instant("updated_at"),
        "session": relation("session", lambda: SESSIONS, only=not_withdrawn),
        "parents": relation("parents", lambda: TASKS, many=True, only=not_withdrawn),
    }
)
"""The repository is added by its app, which stands above."""

PROBE_MODELS = QueryFields(
    {"name": text("name"), "probe_model": text("part_number"), "probe_manufacturer": text("manufacturer")}
)

BRAIN_REGIONS: QueryFields = QueryFields(
    {
        "id": number("id"),
        "pk": number("id"),
        "acronym": text("acronym"),
        "name": text("name"),
        "description": text("description"),
        "ontology": text("ontology"),
        "parent": relation("parent", lambda: BRAIN_REGIONS, convert=as_number),
    }
)


def provenance_value(value: Any) -> int:
    """A trajectory's source by name, ignoring case, or by number. Raises Refused naming them."""
    if isinstance(value, int) or str(value).strip().isdecimal():
        return int(value)
    for provenance in Provenance:
        if str(value).strip().lower() == provenance.label.lower():
            return int(provenance.value)
    raise Refused(f"{str(value)[:80]!r} is not one of {', '.join(provenance.label for provenance in Provenance)}")


def _own(prefix: str) -> Q:
    """A trajectory that is shown: of an insertion that is, or of a chronic one alone."""
    single = Q(
        **{
            f"{prefix}probe_insertion__isnull": False,
            f"{prefix}probe_insertion__withdrawn_at__isnull": True,
            f"{prefix}probe_insertion__session__withdrawn_at__isnull": True,
        }
    )
    chronic = Q(
        **{
            f"{prefix}probe_insertion__isnull": True,
            f"{prefix}chronic_insertion__isnull": False,
            f"{prefix}chronic_insertion__withdrawn_at__isnull": True,
        }
    )
    return single | chronic


def _shown_with_session(prefix: str) -> Q:
    return not_withdrawn(prefix) & not_withdrawn(f"{prefix}session__")


_PLACES: dict[str, Declared] = {name: number(name) for name in ("x", "y", "z")}

CHANNELS: QueryFields = QueryFields(
    {
        **_PLACES,
        "name": text("name"),
        "axial": number("axial"),
        "lateral": number("lateral"),
        "json": json_path("json"),
        "brain_region": relation("brain_region", BRAIN_REGIONS, convert=as_number),
        "trajectory_estimate": relation("trajectory", lambda: TRAJECTORIES),
    }
)

_SYSTEMS = QueryFields({"name": text("name"), "description": text("description"), "json": json_path("json")})

TRAJECTORIES: QueryFields = QueryFields(
    {
        **_PLACES,
        **{name: number(name) for name in ("depth", "theta", "phi", "roll")},
        "provenance": number("provenance", convert=provenance_value),
        "coordinate_system": relation("coordinate_system", _SYSTEMS),
        "datetime": instant("updated_at"),
        "json": json_path("json"),
        "probe_insertion": relation("probe_insertion", lambda: INSERTIONS, only=_shown_with_session),
        "chronic_insertion": relation("chronic_insertion", lambda: CHRONIC_INSERTIONS, only=not_withdrawn),
        "channels": relation("channels", CHANNELS, many=True),
    }
)

_TRAJECTORIES_SHOWN = relation("trajectories", TRAJECTORIES, many=True, only=_own)
_INSERTED = "session__datasets"

INSERTIONS: QueryFields = QueryFields(
    {
        "name": text("name"),
        "serial": text("serial"),
        "json": json_path("json"),
        "auto_datetime": instant("updated_at"),
        "model": relation("model", PROBE_MODELS),
        "session": relation("session", lambda: SESSIONS, only=not_withdrawn),
        "chronic_insertion": relation("chronic_insertion", lambda: CHRONIC_INSERTIONS, only=not_withdrawn),
        "trajectory_estimate": _TRAJECTORIES_SHOWN,
        "datasets": relation(_INSERTED, _DATASETS, many=True, only=only_own(_INSERTED)),
        "notes": NOTES_ABOUT,
    }
)

CHRONIC_INSERTIONS: QueryFields = QueryFields(
    {
        "name": text("name"),
        "serial": text("serial"),
        "json": json_path("json"),
        "narrative": text("narrative"),
        "start_time": wall("started_wall"),
        "model": relation("probe_model", PROBE_MODELS),
        "subject": relation("subject", SUBJECTS, only=not_withdrawn),
        "lab": relation("lab", LABS),
        "probe_insertion": relation("insertions", INSERTIONS, many=True, only=_shown_with_session),
        "trajectory_estimate": _TRAJECTORIES_SHOWN,
    }
)

IMAGING_STACKS: QueryFields = QueryFields(
    {
        "name": text("name"),
        "json": json_path("json"),
        "slices": relation("slices", lambda: FOVS, many=True, only=_shown_with_session),
    }
)

FOV_LOCATIONS: QueryFields = QueryFields(
    {
        "provenance": text("provenance"),
        "default_provenance": truth_value("default_provenance"),
        "auto_datetime": instant("located_at"),
        "json": json_path("json"),
        "coordinate_system": relation("coordinate_system", _SYSTEMS),
        "brain_region": relation("brain_regions", BRAIN_REGIONS, many=True, convert=as_number),
        "field_of_view": relation("field_of_view", lambda: FOVS, only=_shown_with_session),
    }
)

FOVS: QueryFields = QueryFields(
    {
        "name": text("name"),
        "json": json_path("json"),
        "imaging_type": relation("imaging_type", _SYSTEMS),
        "stack": relation("stack", IMAGING_STACKS),
        "session": relation("session", lambda: SESSIONS, only=not_withdrawn),
        "location": relation("locations", FOV_LOCATIONS, many=True),
        "datasets": relation(_INSERTED, _DATASETS, many=True, only=only_own(_INSERTED)),
    }
)

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
        "tasks": relation("tasks", TASKS, many=True, only=not_withdrawn),
        "parent_session": relation("parent", lambda: SESSIONS, only=not_withdrawn),
        "datasets": _DATASETS_SHOWN,
        "data_dataset_session_related": _DATASETS_SHOWN,
        "data_dataset": _DATASETS_SHOWN,
        "probe_insertion": relation("insertions", INSERTIONS, many=True, only=not_withdrawn),
        "field_of_view": relation("fields_of_view", FOVS, many=True, only=not_withdrawn),
        "notes": NOTES_ABOUT,
    }
)
