"""Records of insertions, trajectories, channels and chronic insertions, as the wire has them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from alyx.core.clock import server_zone
from alyx.core.json_sql import plain, record, records, text, value, verbatim, wire_time
from alyx.core.prepared import rows_of
from alyx.core.reading import readable
from alyx.labs.models import Project
from sessions.models import Channel, Provenance, TrajectoryEstimate
from sessions.queries.folders import DATASETS_IN_FOLDER
from sessions.services.insertion import shown_insertions
from subjects.models import Implant

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


_SESSION_INFO = {
    "subject": text("b.nickname"),
    "start_time": wire_time("s.started_wall"),
    "number": value("s.number"),
    "lab": text("l.name"),
    "id": plain("s.id"),
    "projects": """(SELECT concat('[', string_agg(to_json(p.name)::text, ',' ORDER BY p.name), ']')
        FROM lab_sessions_session_projects y JOIN labs_project p ON p.id = y.project_id WHERE y.session_id = s.id)""",
    "task_protocol": text("s.task_protocol"),
}
_INSERTION = {
    "id": plain("i.id"),
    "session": plain("i.session_id"),
    "model": text("m.part_number"),
    "session_info": record(_SESSION_INFO),
    "name": text("i.name"),
    "json": verbatim("i.json"),
    "serial": text("i.serial"),
    "auto_datetime": wire_time("(i.updated_at AT TIME ZONE %(zone)s::text)"),
    "chronic_insertion": plain("i.chronic_insertion_id"),
    "datasets": DATASETS_IN_FOLDER,
}
_INSERTIONS = f"""
SELECT {records(_INSERTION, "w.at")}
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w(id, at)
JOIN lab_sessions_probeinsertion i ON i.id = w.id
JOIN lab_sessions_session s ON s.id = i.session_id
JOIN subjects_subject b ON b.id = s.subject_id
JOIN labs_lab l ON l.id = s.lab_id
LEFT JOIN subjects_probemodel m ON m.id = i.model_id
"""  # noqa: S608  (only constants of ours)


def insertions_json(keys: Sequence[UUID]) -> str:
    """A JSON array of the list records of these insertions, in their order."""
    made: str = rows_of(_INSERTIONS, {"ids": list(keys), "zone": str(server_zone())})[0][0]
    return made


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
