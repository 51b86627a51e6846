"""Page-shaped reads: PostgreSQL makes the JSON of whole records, as the wire has them.

Times are naive (`alyx.core.clock.server_zone` for what the server made, the lab's wall clock for what happened in a
lab), URLs absolute below `base`, the address the caller reached us by.
"""

# ruff: noqa: S608  (only constants of ours are put into the SQL; values are parameters)

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from alyx.core.clock import server_zone
from alyx.core.json_sql import plain, qc_name, records, text, value, verbatim, wire_time
from alyx.core.prepared import rows_of
from datasets.models import SERVER_ROLES
from datasets.rules.copies import EXISTS, HIDDEN

_HIDDEN = ", ".join(f"'{state}'" for state in sorted(HIDDEN))
EXISTING = ", ".join(f"'{state}'" for state in sorted(EXISTS))
SERVERS = ", ".join(f"'{role}'" for role in sorted(SERVER_ROLES))


def _server_time(column: str) -> str:
    return wire_time(f"({column} AT TIME ZONE %(zone)s::text)")


DATA_URL = r"""
CASE WHEN p.data_url IS NULL THEN NULL ELSE p.data_url || CASE
    WHEN p.uuid_in_names THEN f.stored_path
    WHEN f.relative_path ~ '[^/]\.[^./]+$' THEN regexp_replace(f.relative_path, '(\.[^./]+)$', '.' || f.dataset_id || '\1')
    ELSE f.relative_path || '.' || f.dataset_id END END
"""
"""SQL: the address of a copy `f` at repository `p`, the UUID before the extension."""

_COPY_EXISTS = f"(f.state IN ({EXISTING}) AND f.content_version = d.content_version)"

_COPY = {
    "id": plain("f.id"),
    "data_repository": text("p.name"),
    "data_repository_path": text("coalesce(nullif(p.globus_path, ''), '/')"),
    "relative_path": text("f.relative_path"),
    "data_url": text(DATA_URL),
    "exists": value(_COPY_EXISTS),
}
_SHOWN_COPIES = f"""FROM datasets_filerecord f JOIN datasets_repository p ON p.id = f.repository_id
        WHERE f.dataset_id = d.id AND f.state NOT IN ({_HIDDEN})"""

_DATASET = {
    "url": plain("%(base)s::text", "'/datasets/'", "d.id"),
    "name": text("d.name"),
    "created_by": text("u.username"),
    "created_datetime": _server_time("d.created_at"),
    "dataset_type": text("t.name"),
    "data_format": text("x.name"),
    "collection": text("d.collection"),
    "session": plain("%(base)s::text", "'/sessions/'", "d.session_id"),
    "file_size": value("d.size_bytes"),
    "hash": plain("nullif(d.md5, '')"),
    "version": text("d.software_version"),
    "experiment_number": value("s.number"),
    "file_records": f"(SELECT {records(_COPY, 'p.name')} {_SHOWN_COPIES})",
    "auto_datetime": _server_time("d.updated_at"),
    "revision": text("coalesce(v.name, '')"),
    "default_dataset": value("d.is_default"),
    "protected": value("coalesce(tagged.protected, false)"),
    "public": value("coalesce(tagged.public, false)"),
    "tags": "tagged.names",
    "qc": plain(qc_name("d.qc")),
    "json": verbatim("d.json"),
}
_DATASETS = f"""
SELECT {records(_DATASET, "w.at")}
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w(id, at)
JOIN datasets_dataset d ON d.id = w.id
JOIN datasets_datasettype t ON t.id = d.dataset_type_id
JOIN datasets_dataformat x ON x.id = d.data_format_id
LEFT JOIN labs_user u ON u.id = d.created_by_id
LEFT JOIN datasets_revision v ON v.id = d.revision_id
LEFT JOIN lab_sessions_session s ON s.id = d.session_id
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(g.name ORDER BY g.name)::text, '[]') AS names, bool_or(g.protected) AS protected, bool_or(g.public) AS public
    FROM datasets_dataset_tags dt JOIN datasets_tag g ON g.id = dt.tag_id WHERE dt.dataset_id = d.id) tagged
"""

_FILE = {
    "url": plain("%(base)s::text", "'/files/'", "f.id"),
    "dataset": plain("%(base)s::text", "'/datasets/'", "f.dataset_id"),
    "data_repository": text("p.name"),
    "name": text("d.name"),
    "json": verbatim("f.json"),
    "relative_path": text("f.relative_path"),
    "exists": value(_COPY_EXISTS),
}
_FILES = f"""
SELECT {records(_FILE, "w.at")}
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w(id, at)
JOIN datasets_filerecord f ON f.id = w.id
JOIN datasets_dataset d ON d.id = f.dataset_id
JOIN datasets_repository p ON p.id = f.repository_id
"""

_REGISTRATION = {
    "id": plain("d.id"),
    "name": text("d.name"),
    "file_size": value("d.size_bytes"),
    "subject": text("b.nickname"),
    "created_by": text("u.username"),
    "created_datetime": _server_time("d.created_at"),
    "dataset_type": text("t.name"),
    "data_format": text("x.name"),
    "session": plain("d.session_id"),
    "session_number": value("s.number"),
    "session_users": text(
        "(SELECT coalesce(string_agg(m.username, ',' ORDER BY m.username), '') FROM lab_sessions_session_users su"
        " JOIN labs_user m ON m.id = su.user_id WHERE su.session_id = s.id)"
    ),
    "session_start_time": wire_time("s.started_wall"),
    "content_type": text("c.model"),
    "object_id": plain("d.object_id"),
    "collection": text("d.collection"),
    "revision": text("coalesce(v.name, '')"),
    "default": value("d.is_default"),
    "qc": value("d.qc"),
    "file_records": (
        f"(SELECT {records({name: _COPY[name] for name in _COPY if name not in {'data_repository_path', 'data_url'}}, 'p.name')}"
        f" {_SHOWN_COPIES})"
    ),
}
_REGISTERED = f"""
SELECT {records(_REGISTRATION, "w.at")}
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w(id, at)
JOIN datasets_dataset d ON d.id = w.id
JOIN datasets_datasettype t ON t.id = d.dataset_type_id
JOIN datasets_dataformat x ON x.id = d.data_format_id
LEFT JOIN labs_user u ON u.id = d.created_by_id
LEFT JOIN datasets_revision v ON v.id = d.revision_id
LEFT JOIN lab_sessions_session s ON s.id = d.session_id
LEFT JOIN subjects_subject b ON b.id = s.subject_id
LEFT JOIN django_content_type c ON c.id = d.content_type_id
"""


def _text(sql: str, ids: Sequence[UUID], base: str) -> str:
    """`base` is put into URLs as it is, so it must need no quoting."""
    values = {"ids": list(ids), "base": base, "zone": str(server_zone())}
    made: str = rows_of(sql, {name: values[name] for name in values if f"%({name})s" in sql})[0][0]
    return made


def datasets_json(ids: Sequence[UUID], *, base: str) -> str:
    """A JSON array of dataset records, in the order of `ids`."""
    return _text(_DATASETS, ids, base)


def files_json(ids: Sequence[UUID], *, base: str) -> str:
    """A JSON array of file records, in the order of `ids`."""
    return _text(_FILES, ids, base)


def registered_records(ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """What `POST /register-file` answers for these datasets, in their order, repetitions included."""
    found: list[dict[str, Any]] = orjson.loads(_text(_REGISTERED, ids, ""))
    for one in found:
        aggregate = one["session"] is None
        for name in _OF_SESSION if aggregate else _OF_OBJECT:
            del one[name]
    return found


_OF_SESSION = ("subject", "session", "session_number", "session_users", "session_start_time")
_OF_OBJECT = ("content_type", "object_id")


_EVIDENCE = {
    "id": plain("f.id"),
    "repository": text("p.name"),
    "role": plain("p.role"),
    "state": plain("f.state"),
    "exists": value(_COPY_EXISTS),
    "content_version": value("f.content_version"),
    "current_version": value("d.content_version"),
    "stored_path": text("f.stored_path"),
    "size_bytes": value("f.size_bytes"),
    "md5": plain("nullif(f.md5, '')"),
    "sha256": plain("nullif(f.sha256, '')"),
    "evidence_level": value("f.evidence_level"),
    "verified_at": _server_time("f.verified_at"),
    "last_seen_at": _server_time("f.last_seen_at"),
    "look_due_at": _server_time("f.look_due_at"),
    "reason": text("f.reason"),
}
_COPIES = f"""
SELECT {records(_EVIDENCE, "p.name")} FROM datasets_filerecord f JOIN datasets_repository p ON p.id = f.repository_id
JOIN datasets_dataset d ON d.id = f.dataset_id WHERE d.id = ANY(%(ids)s::uuid[])
"""


def copies_of(dataset_id: UUID) -> list[dict[str, Any]]:
    """Every copy of a dataset with its evidence, hidden ones included, for `GET /datasets/{id}/copies`."""
    found: list[dict[str, Any]] = orjson.loads(_text(_COPIES, [dataset_id], ""))
    return found
