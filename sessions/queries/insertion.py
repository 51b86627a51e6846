"""Records of insertions, trajectories, channels and chronic insertions, as the wire has them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from alyx.core.reading import readable
from alyx.labs.models import Project
from sessions.models import Channel, ProbeInsertion, Provenance, TrajectoryEstimate
from sessions.queries.folders import dataset_ids
from sessions.services.insertion import shown_insertions
from subjects.models import Implant

_INSERTION = ("id", "name", "model__part_number", "serial", "json", "updated_at", "chronic_insertion_id")
_CHANNEL = ("id", "trajectory_id", "brain_region_id", "name", "json", "axial", "lateral", "x", "y", "z")


def project_names(session: str) -> ArraySubquery:
    """The names of the projects of the session at this path, in order."""
    rows = Project.objects.filter(sessions=OuterRef(session)).order_by("name")
    return ArraySubquery(rows.values("name"))


def session_columns(prefix: str = "session") -> list[str]:
    """What `session_info` needs, as paths of a values list."""
    names = ("id", "subject__nickname", "started_wall", "number", "lab__name", "task_protocol")
    return [f"{prefix}__{name}" for name in names]


def session_info(columns: Sequence[Any], projects: list[str]) -> dict[str, Any] | None:
    """The nested record of a session from `session_columns`."""
    key, subject, start, number, lab, protocol = columns
    if key is None:
        return None
    return {
        "subject": subject,
        "start_time": start,
        "number": number,
        "lab": lab,
        "id": key,
        "projects": projects,
        "task_protocol": protocol,
    }


def insertion_records(rows: QuerySet[ProbeInsertion]) -> list[dict[str, Any]]:
    """The list records of these insertions, in one statement."""
    filled = rows.annotate(project_names=project_names("session_id"), dataset_ids=dataset_ids())
    values = filled.values_list(*_INSERTION, "project_names", "dataset_ids", *session_columns())
    return [_insertion(columns) for columns in values]


def _insertion(columns: Sequence[Any]) -> dict[str, Any]:
    key, name, model, serial, json, changed, chronic, projects, datasets, *session = columns
    return {
        "id": key,
        "session": session[0],
        "model": model,
        "session_info": session_info(session, projects),
        "name": name,
        "json": json,
        "serial": serial,
        "auto_datetime": changed,
        "chronic_insertion": chronic,
        "datasets": datasets,
    }


def trajectory_records(rows: QuerySet[TrajectoryEstimate]) -> list[dict[str, Any]]:
    """The records of these trajectories, in one statement."""
    names = ("id", "probe_insertion_id", "x", "y", "z", "depth", "theta", "phi", "roll", "provenance")
    more = ("probe_insertion__name", "coordinate_system__name", "updated_at", "json", "chronic_insertion_id")
    filled = rows.annotate(project_names=project_names("probe_insertion__session_id"))
    values = filled.values_list(*names, *more, "project_names", *session_columns("probe_insertion__session"))
    records = []
    for columns in values:
        record = dict(zip(names, columns, strict=False))
        probe, system, changed, json, chronic, projects, *session = columns[len(names) :]
        record["probe_insertion"] = record.pop("probe_insertion_id")
        record["provenance"] = Provenance(record["provenance"]).label
        record |= {
            "session": session_info(session, projects),
            "probe_name": probe,
            "coordinate_system": system,
            "datetime": changed,
            "json": json,
            "chronic_insertion": chronic,
        }
        records.append(record)
    return records


def channel_records(rows: QuerySet[Channel]) -> list[dict[str, Any]]:
    """The records of these channels, in one statement."""
    return [_channel(columns) for columns in rows.values_list(*_CHANNEL)]


def channel_record(channel: Channel) -> dict[str, Any]:
    """The record of one that is in hand."""
    return _channel([getattr(channel, name) for name in _CHANNEL])


def _channel(columns: Sequence[Any]) -> dict[str, Any]:
    key, trajectory, region, name, json, axial, lateral, x, y, z = columns
    return {
        "id": key,
        "trajectory_estimate": trajectory,
        "brain_region": region,
        "name": name,
        "json": json,
        "axial": axial,
        "lateral": lateral,
        "x": x,
        "y": y,
        "z": z,
    }


def chronic_records(reader: Any, rows: Iterable[Implant]) -> list[dict[str, Any]]:
    """The records of these implants (with subject, lab and probe model), in one statement more: of their recordings those
    that this reader reads."""
    implants = list(rows)
    insertions = _insertions_of(reader, [implant.pk for implant in implants])
    return [
        {
            "id": implant.pk,
            "name": implant.name,
            "subject": implant.subject.nickname,
            "lab": implant.lab.name,
            "model": implant.probe_model.part_number if implant.probe_model else None,
            "start_time": implant.started_wall,
            "serial": implant.serial,
            "json": implant.json,
            "probe_insertion": insertions[implant.pk],
        }
        for implant in implants
    ]


def _insertions_of(reader: Any, implants: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    rows = readable(reader, shown_insertions().filter(chronic_insertion__in=implants))
    rows = rows.order_by("-session__started_wall", "id")
    rows = rows.annotate(project_names=project_names("session_id"))
    names = ("chronic_insertion_id", "id", "name", "model__part_number", "serial", "project_names")
    nested: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for implant, key, name, model, serial, projects, *session in rows.values_list(*names, *session_columns()):
        record = {"id": key, "name": name, "model": model, "serial": serial}
        nested[implant].append({**record, "session_info": session_info(session, projects)})
    return nested
