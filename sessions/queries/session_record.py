"""The full record of a session, with all that hangs on it, read by one statement that PostgreSQL plans once per connection.

What hangs on it from above (datasets and their copies) is named as tables, so that nothing here imports it.
"""

# ruff: noqa: S608  (only constants of ours are put into the SQL; values are parameters)

import json
import uuid
from typing import Any

import orjson
from django.contrib.contenttypes.models import ContentType

from alyx.core.clock import server_zone
from alyx.core.json_sql import plain, qc_name, records, text, value, verbatim, wire_time
from alyx.core.prepared import rows_of
from alyx.core.qc import QC
from sessions.models import Session
from sessions.queries.folders import DATASETS_IN_FOLDER, in_folder
from sessions.queries.imaging import fov_records
from sessions.services.imaging import shown_fovs

_PATH = (
    "concat_ws('/', b.nickname, to_char(s.path_date, 'YYYY-MM-DD'),"
    " lpad(s.number::text, greatest(3, length(s.number::text)), '0'), nullif(d.collection, ''), '#' || r.name || '#', d.name)"
)
"""Where the files of a session lie, for a dataset whose copies do not say so."""
_PLACE = "coalesce(nullif(copy.data_url, ''), %(base)s::text || '/data/' || l.name || '/Subjects/')"
_RELATIVE = f"coalesce(nullif(copy.relative_path, ''), {_PATH})"
_WITH_UUID = rf"regexp_replace({_RELATIVE}, '(\.[^./]*)?$', '.' || d.id || '\1')"
"""`spikes.times.<uuid>.npy`: the key before the ending."""

_DATASET = {
    "id": plain("d.id"),
    "name": text("d.name"),
    "dataset_type": text("t.name"),
    "data_url": text(f"rtrim({_PLACE}, '/') || '/' || {_WITH_UUID}"),
    "url": plain("%(base)s::text", "'/datasets/'", "d.id"),
    "file_size": value("d.size_bytes"),
    "hash": plain("coalesce(nullif(d.md5, ''), nullif(d.sha256, ''))"),
    "version": text("d.software_version"),
    "collection": text("d.collection"),
    "revision": plain("coalesce(d.revision_id::text, '')"),
    "default_revision": plain("CASE WHEN d.is_default THEN 'True' ELSE 'False' END"),
    "qc": plain(qc_name("d.qc")),
}
_DATASETS = f"""
SELECT {records(_DATASET, "d.collection, d.name, r.name NULLS FIRST, d.id")}
FROM datasets_dataset d
JOIN datasets_datasettype t ON t.id = d.dataset_type_id
LEFT JOIN datasets_revision r ON r.id = d.revision_id
LEFT JOIN LATERAL (
    SELECT place.data_url, f.relative_path, place.role <> 'lab' AS on_server
    FROM datasets_filerecord f JOIN datasets_repository place ON place.id = f.repository_id
    WHERE f.dataset_id = d.id AND f.state IN ('claimed', 'verified') AND f.content_version = d.content_version
    ORDER BY place.role <> 'lab' DESC, place.data_url IS NOT NULL DESC, f.state = 'verified' DESC, place.name
    LIMIT 1
) copy ON true
WHERE d.session_id = s.id AND d.withdrawn_at IS NULL AND (
    CASE WHEN %(folder)s::text IS NULL
        THEN copy.on_server OR NOT EXISTS (SELECT 1 FROM datasets_repository WHERE role <> 'lab')
        ELSE {in_folder("%(folder)s::text", "d.collection")}
    END) AND (NOT %(only_public)s::boolean OR EXISTS (
        SELECT FROM datasets_dataset_tags link JOIN datasets_tag g ON g.id = link.tag_id
        WHERE link.dataset_id = d.id AND g.public))
"""
_WITH_SUBJECT_AND_LAB = (
    "lab_sessions_session s JOIN subjects_subject b ON b.id = s.subject_id JOIN labs_lab l ON l.id = s.lab_id"
)
_DATASETS_ALONE = f"SELECT ({_DATASETS}) FROM {_WITH_SUBJECT_AND_LAB} WHERE s.id = %(session)s::uuid"

_INSERTION = {
    "id": plain("i.id"),
    "model": text("m.part_number"),
    "name": text("i.name"),
    "json": verbatim("i.json"),
    "serial": text("i.serial"),
    "auto_datetime": wire_time("(i.updated_at AT TIME ZONE %(zone)s::text)"),
    "chronic_insertion": plain("i.chronic_insertion_id"),
    "datasets": DATASETS_IN_FOLDER,
}
_WATER = {
    "id": plain("w.id"),
    "name": plain("''"),
    "water_type": text("k.name"),
    "water_administered": value("w.volume_ml"),
}
_NOTE = {
    "id": plain("n.id"),
    "user": text("u.username"),
    "date_time": wire_time("n.at_wall"),
    "content_type": plain("'actions.session'"),
    "object_id": plain("n.object_id"),
    "text": text("n.text"),
    "image": text("%(base)s::text || '/uploaded/' || nullif(n.image, '')"),
    "json": verbatim("n.json"),
}
_COLUMNS = (
    *("s.id", "b.nickname", "l.name", "place.name", "s.type", "s.task_protocol", "s.number", "s.started_wall"),
    *("s.ended_wall", "s.narrative", "s.parent_id", "s.n_correct_trials", "s.n_trials", "s.extended_qc", "s.qc"),
    *("s.updated_at", "s.json"),
)


def _names(table: str, column: str, key: str, name: str = "name") -> str:
    """SQL: the names of linked rows, in order, as one array."""
    link = f"lab_sessions_session_{column}"
    return f"ARRAY(SELECT x.{name} FROM {link} y JOIN {table} x ON x.id = y.{key} WHERE y.session_id = s.id ORDER BY x.{name})"


_SESSION = f"""
SELECT {", ".join(_COLUMNS)},
    {_names("labs_user", "users", "user_id", "username")},
    {_names("labs_project", "projects", "project_id")},
    {_names("subjects_proceduretype", "procedures", "proceduretype_id")},
    ({_DATASETS}),
    (SELECT {records(_WATER, "w.at_wall, w.id")} FROM subjects_wateradministration w
        LEFT JOIN subjects_watertype k ON k.id = w.water_type_id WHERE w.session_id = s.id AND w.withdrawn_at IS NULL),
    (SELECT {records(_INSERTION, "i.created_at DESC, i.id")} FROM lab_sessions_probeinsertion i
        LEFT JOIN subjects_probemodel m ON m.id = i.model_id WHERE i.session_id = s.id AND i.withdrawn_at IS NULL),
    (SELECT {records(_NOTE, "n.at DESC, n.id")} FROM core_note n JOIN labs_user u ON u.id = n.user_id
        WHERE n.content_type_id = %(kind)s::integer AND n.object_id = s.id AND n.withdrawn_at IS NULL),
    EXISTS (SELECT FROM lab_sessions_fov v WHERE v.session_id = s.id AND v.withdrawn_at IS NULL)
FROM {_WITH_SUBJECT_AND_LAB} LEFT JOIN labs_location place ON place.id = s.location_id
WHERE s.id = %(session)s::uuid AND s.withdrawn_at IS NULL
"""


def is_shown(key: uuid.UUID) -> bool:
    """Whether there is such a session, not withdrawn."""
    return bool(
        rows_of("SELECT id FROM lab_sessions_session WHERE id = %(key)s AND withdrawn_at IS NULL", {"key": key})
    )


def detail_record(key: uuid.UUID, base_url: str, *, only_public: bool = False) -> dict[str, Any] | None:
    """The full record of a session, None where there is none; with `only_public`, its datasets that are tagged public."""
    parameters = {
        "session": key,
        "base": base_url,
        "zone": str(server_zone()),
        "kind": ContentType.objects.get_for_model(Session).pk,
        "folder": None,
        "only_public": only_public,
    }
    found = rows_of(_SESSION, parameters)
    return _record(found[0], base_url) if found else None


def _record(row: tuple[Any, ...], base_url: str) -> dict[str, Any]:
    key, subject, lab, location, kind, protocol, number, start, end, narrative, parent, correct, trials, *rest = row
    extended_qc, qc, changed, content, users, projects, procedures, datasets, waters, insertions, notes, has_fovs = rest
    info = {"subject": subject, "start_time": start, "number": number, "lab": lab, "id": key, "projects": projects}
    info["task_protocol"] = protocol
    return {
        "id": key,
        "subject": subject,
        "users": users,
        "location": location,
        "procedures": procedures,
        "lab": lab,
        "projects": projects,
        "type": kind,
        "task_protocol": protocol,
        "number": number,
        "start_time": start,
        "end_time": end,
        "narrative": narrative,
        "parent_session": f"{base_url}/sessions/{parent}" if parent else None,
        "n_correct_trials": correct,
        "n_trials": trials,
        "url": f"{base_url}/sessions/{key}",
        "extended_qc": None if extended_qc is None else json.loads(extended_qc),
        "qc": QC(qc).name,
        "auto_datetime": changed,
        "json": None if content is None else json.loads(content),
        "wateradmin_session_related": [_water(one) for one in orjson.loads(waters)],
        "data_dataset_session_related": orjson.loads(datasets),
        "probe_insertion": [{**one, "session": key, "session_info": info} for one in json.loads(insertions)],
        "field_of_view": fov_records(shown_fovs().filter(session=key)) if has_fovs else [],
        "notes": json.loads(notes),
    }


def _water(one: dict[str, Any]) -> dict[str, Any]:
    """PostgreSQL writes 1.0 as 1."""
    volume = one["water_administered"]
    return {**one, "water_administered": None if volume is None else float(volume)}


def public_record(key: uuid.UUID, base_url: str) -> dict[str, Any] | None:
    """The record as a public account sees it: what identifies the session, its QC, and its public datasets."""
    whole = detail_record(key, base_url, only_public=True)
    if whole is None:
        return None
    return {**whole, "users": [], "narrative": "", "json": None, "wateradmin_session_related": [], "notes": []}


def dataset_records(
    session: uuid.UUID, base_url: str, folder: str | None = None, *, only_public: bool = False
) -> list[dict[str, Any]]:
    """The session's datasets that can be downloaded: with a copy on a server (any copy, if no server is known).

    With `folder`, all those below a folder of this name; with `only_public`, those tagged public.
    """
    parameters = {"session": session, "base": base_url, "folder": folder, "only_public": only_public}
    [[made]] = rows_of(_DATASETS_ALONE, parameters)
    found: list[dict[str, Any]] = orjson.loads(made)
    return found
