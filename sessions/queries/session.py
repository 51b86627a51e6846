"""Page-shaped reads of sessions.

What hangs on a session from above (datasets and their copies) is read by SQL, so that nothing here imports it.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef, QuerySet

from alyx.core.notes import note_record, notes_of
from alyx.core.qc import QC
from alyx.labs.models import Project, User
from sessions.models import Session
from sessions.queries.imaging import fov_records
from sessions.queries.insertion import insertion_records
from sessions.services.imaging import shown_fovs
from sessions.services.insertion import shown_insertions
from subjects.models import ProcedureType, WaterAdministration

_LIGHT = ("id", "subject__nickname", "started_wall", "number", "lab__name", "project_names", "task_protocol")

_DATASETS = """
SELECT d.id, d.name, t.name, d.size_bytes, coalesce(nullif(d.md5, ''), nullif(d.sha256, '')), d.software_version,
       d.collection, d.revision_id, r.name, d.is_default, d.qc, copy.data_url, copy.relative_path
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
WHERE d.session_id = %(session)s AND d.withdrawn_at IS NULL AND (
    CASE WHEN %(folder)s::text IS NULL
        THEN copy.on_server OR NOT EXISTS (SELECT 1 FROM datasets_repository WHERE role <> 'lab')
        ELSE lower(%(folder)s) = ANY((string_to_array(lower(d.collection), '/'))[2:])
    END) AND (NOT %(only_public)s OR EXISTS (
        SELECT FROM datasets_dataset_tags link JOIN datasets_tag g ON g.id = link.tag_id
        WHERE link.dataset_id = d.id AND g.public))
ORDER BY d.collection, d.name, r.name NULLS FIRST, d.id
"""


def _names(model: type[Any], relation: str, column: str = "name") -> ArraySubquery:
    """The names of related rows, in order, as one array."""
    return ArraySubquery(model._base_manager.filter(**{relation: OuterRef("pk")}).order_by(column).values(column))


def light(rows: QuerySet[Session]) -> QuerySet[Any, Any]:
    """Newest first, as tuples for `light_records`."""
    return rows.order_by("-started_wall", "id").annotate(project_names=_names(Project, "sessions")).values_list(*_LIGHT)


def light_records(rows: Iterable[tuple[Any, ...]], base_url: str) -> list[dict[str, Any]]:
    """The eight keys of the list record."""
    return [
        {
            "id": key,
            "subject": subject,
            "start_time": start,
            "number": number,
            "lab": lab,
            "projects": projects,
            "url": f"{base_url}/sessions/{key}",
            "task_protocol": protocol,
        }
        for key, subject, start, number, lab, projects, protocol in rows
    ]


_HANGING = ("wateradmin_session_related", "data_dataset_session_related", "probe_insertion", "field_of_view", "notes")


def with_names() -> QuerySet[Session]:
    """Sessions that are shown, with everything the detail record names."""
    shown: QuerySet[Session] = Session.objects.shown()
    return shown.select_related("subject", "lab", "location").annotate(
        user_names=_names(User, "recording_sessions", "username"),
        project_names=_names(Project, "sessions"),
        procedure_names=_names(ProcedureType, "sessions"),
    )


def detail_record(session: Any, base_url: str, *, only_public: bool = False, is_new: bool = False) -> dict[str, Any]:
    """The full record of a session of `with_names`; with `only_public`, its datasets that are tagged public.

    Nothing hangs yet on one that `is_new`, so nothing is asked for.
    """
    hanging: dict[str, list[Any]] = {name: [] for name in _HANGING}
    if not is_new:
        hanging = {
            "wateradmin_session_related": water_records(session),
            "data_dataset_session_related": dataset_records(session, base_url, only_public=only_public),
            "probe_insertion": insertion_records(shown_insertions().filter(session=session)),
            "field_of_view": fov_records(shown_fovs().filter(session=session)),
            "notes": _notes(session, base_url),
        }
    return {
        "id": session.pk,
        "subject": session.subject.nickname,
        "users": session.user_names,
        "location": session.location.name if session.location else None,
        "procedures": session.procedure_names,
        "lab": session.lab.name,
        "projects": session.project_names,
        "type": session.type,
        "task_protocol": session.task_protocol,
        "number": session.number,
        "start_time": session.started_wall,
        "end_time": session.ended_wall,
        "narrative": session.narrative,
        "parent_session": f"{base_url}/sessions/{session.parent_id}" if session.parent_id else None,
        "n_correct_trials": session.n_correct_trials,
        "n_trials": session.n_trials,
        "url": f"{base_url}/sessions/{session.pk}",
        "extended_qc": session.extended_qc,
        "qc": QC(session.qc).name,
        "auto_datetime": session.updated_at,
        "json": session.json,
        **hanging,
    }


def public_record(session: Any, base_url: str) -> dict[str, Any]:
    """The record as a public account sees it: what identifies the session, its QC, and its public datasets."""
    return {
        **detail_record(session, base_url, only_public=True),
        "users": [],
        "narrative": "",
        "json": None,
        "wateradmin_session_related": [],
        "notes": [],
    }


def water_records(session: Session) -> list[dict[str, Any]]:
    """The rewards of the session."""
    rows = WaterAdministration.objects.shown().filter(session_id=session.pk).order_by("at_wall", "id")
    return [
        {"id": key, "name": "", "water_type": kind, "water_administered": volume}
        for key, kind, volume in rows.values_list("id", "water_type__name", "volume_ml")
    ]


def dataset_records(
    session: Session, base_url: str, folder: str | None = None, *, only_public: bool = False
) -> list[dict[str, Any]]:
    """The session's datasets that can be downloaded: with a copy on a server (any copy, if no server is known).

    With `folder`, all those below a folder of this name; with `only_public`, those tagged public.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DATASETS, {"session": session.pk, "folder": folder, "only_public": only_public})
        rows = cursor.fetchall()
    return [_dataset_record(row, session, base_url) for row in rows]


def _dataset_record(row: Sequence[Any], session: Session, base_url: str) -> dict[str, Any]:
    key, name, kind, size, digest, version, collection, revision_id, revision, default, qc, place, relative = row
    folder = f"{session.subject.nickname}/{session.path_date}/{session.number:03d}"
    parts = (folder, collection, f"#{revision}#" if revision else "", name)
    relative = relative or "/".join(part for part in parts if part)
    place = place or f"{base_url}/data/{session.lab.name}/Subjects/"
    return {
        "id": key,
        "name": name,
        "dataset_type": kind,
        "data_url": place.rstrip("/") + "/" + with_uuid(relative, key),
        "url": f"{base_url}/datasets/{key}",
        "file_size": size,
        "hash": digest,
        "version": version,
        "collection": collection,
        "revision": str(revision_id) if revision_id else "",
        "default_revision": str(default),
        "qc": QC(qc).name,
    }


def with_uuid(path: str, key: uuid.UUID) -> str:
    """The path with the dataset's UUID before the extension: `spikes.times.<uuid>.npy`."""
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    return f"{folder}{slash}{stem}.{key}.{extension}" if dot else f"{path}.{key}"


def _notes(session: Session, base_url: str) -> list[dict[str, Any]]:
    return [note_record(note, content_type="actions.session", base_url=base_url) for note in notes_of(session)]
