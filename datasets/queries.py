"""Page-shaped reads: PostgreSQL makes the JSON of whole records, as the wire has them.

Times are naive (`alyx.core.clock.server_zone` for what the server made, the lab's wall clock for what happened in a
lab), URLs absolute below `base`, the address the caller reached us by.
"""

# ruff: noqa: S608  (only constants of ours are put into the SQL; values are parameters)

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from alyx.core.clock import server_zone
from datasets.models import SERVER_ROLES
from datasets.rules.copies import EXISTS, HIDDEN

_HIDDEN = ", ".join(f"'{state}'" for state in sorted(HIDDEN))
EXISTING = ", ".join(f"'{state}'" for state in sorted(EXISTS))
SERVERS = ", ".join(f"'{role}'" for role in sorted(SERVER_ROLES))


def _wire_time(naive: str) -> str:
    """SQL: ISO 8601 of a timestamp without zone, microseconds when it has any."""
    return (
        f"to_char({naive}, 'YYYY-MM-DD\"T\"HH24:MI:SS') || "
        f"CASE WHEN extract(microseconds FROM {naive})::bigint %% 1000000 = 0 THEN '' ELSE to_char({naive}, '.US') END"
    )


def _server_time(column: str) -> str:
    return _wire_time(f"({column} AT TIME ZONE %(zone)s)")


DATA_URL = r"""
CASE WHEN p.data_url IS NULL THEN NULL ELSE p.data_url || CASE
    WHEN p.uuid_in_names THEN f.stored_path
    WHEN f.relative_path ~ '[^/]\.[^./]+$' THEN regexp_replace(f.relative_path, '(\.[^./]+)$', '.' || f.dataset_id || '\1')
    ELSE f.relative_path || '.' || f.dataset_id END END
"""
"""SQL: the address of a copy `f` at repository `p`, the UUID before the extension."""

_COPY_EXISTS = f"(f.state IN ({EXISTING}) AND f.content_version = d.content_version)"
_QC = "CASE d.qc WHEN 10 THEN 'PASS' WHEN 30 THEN 'WARNING' WHEN 40 THEN 'FAIL' WHEN 50 THEN 'CRITICAL' ELSE 'NOT_SET' END"
_TAGGED = (
    "EXISTS (SELECT 1 FROM datasets_dataset_tags dt JOIN datasets_tag g ON g.id = dt.tag_id"
    " WHERE dt.dataset_id = d.id AND g.{column})"
)

_DATASETS = f"""
SELECT coalesce(json_agg(json_build_object(
    'url', %(base)s || '/datasets/' || d.id,
    'name', d.name,
    'created_by', u.username,
    'created_datetime', {_server_time("d.created_at")},
    'dataset_type', t.name,
    'data_format', x.name,
    'collection', d.collection,
    'session', %(base)s || '/sessions/' || d.session_id,
    'file_size', d.size_bytes,
    'hash', nullif(d.md5, ''),
    'version', d.software_version,
    'experiment_number', s.number,
    'file_records', (SELECT coalesce(json_agg(json_build_object(
            'id', f.id,
            'data_repository', p.name,
            'data_repository_path', coalesce(nullif(p.globus_path, ''), '/'),
            'relative_path', f.relative_path,
            'data_url', {DATA_URL},
            'exists', {_COPY_EXISTS}
        ) ORDER BY p.name), '[]') FROM datasets_filerecord f JOIN datasets_repository p ON p.id = f.repository_id
        WHERE f.dataset_id = d.id AND f.state NOT IN ({_HIDDEN})),
    'auto_datetime', {_server_time("d.updated_at")},
    'revision', coalesce(v.name, ''),
    'default_dataset', d.is_default,
    'protected', {_TAGGED.format(column="protected")},
    'public', {_TAGGED.format(column="public")},
    'tags', (SELECT coalesce(json_agg(g.name ORDER BY g.name), '[]') FROM datasets_dataset_tags dt
        JOIN datasets_tag g ON g.id = dt.tag_id WHERE dt.dataset_id = d.id),
    'qc', {_QC},
    'json', d.json::json
) ORDER BY w.at), '[]')::text
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w(id, at)
JOIN datasets_dataset d ON d.id = w.id
JOIN datasets_datasettype t ON t.id = d.dataset_type_id
JOIN datasets_dataformat x ON x.id = d.data_format_id
LEFT JOIN labs_user u ON u.id = d.created_by_id
LEFT JOIN datasets_revision v ON v.id = d.revision_id
LEFT JOIN lab_sessions_session s ON s.id = d.session_id
"""

_FILES = f"""
SELECT coalesce(json_agg(json_build_object(
    'url', %(base)s || '/files/' || f.id,
    'dataset', %(base)s || '/datasets/' || f.dataset_id,
    'data_repository', p.name,
    'name', d.name,
    'json', f.json::json,
    'relative_path', f.relative_path,
    'exists', {_COPY_EXISTS}
) ORDER BY w.at), '[]')::text
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w(id, at)
JOIN datasets_filerecord f ON f.id = w.id
JOIN datasets_dataset d ON d.id = f.dataset_id
JOIN datasets_repository p ON p.id = f.repository_id
"""

_REGISTERED = f"""
SELECT coalesce(json_agg(json_build_object(
    'id', d.id,
    'name', d.name,
    'file_size', d.size_bytes,
    'subject', b.nickname,
    'created_by', u.username,
    'created_datetime', {_server_time("d.created_at")},
    'dataset_type', t.name,
    'data_format', x.name,
    'session', d.session_id,
    'session_number', s.number,
    'session_users', (SELECT coalesce(string_agg(m.username, ',' ORDER BY m.username), '') FROM lab_sessions_session_users su
        JOIN labs_user m ON m.id = su.user_id WHERE su.session_id = s.id),
    'session_start_time', {_wire_time("s.started_wall")},
    'content_type', c.model,
    'object_id', d.object_id,
    'collection', d.collection,
    'revision', coalesce(v.name, ''),
    'default', d.is_default,
    'qc', d.qc,
    'file_records', (SELECT coalesce(json_agg(json_build_object(
            'id', f.id,
            'data_repository', p.name,
            'relative_path', f.relative_path,
            'exists', {_COPY_EXISTS}
        ) ORDER BY p.name), '[]') FROM datasets_filerecord f JOIN datasets_repository p ON p.id = f.repository_id
        WHERE f.dataset_id = d.id AND f.state NOT IN ({_HIDDEN}))
) ORDER BY w.at), '[]')::text
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
    with connection.cursor() as cursor:
        cursor.execute(sql, {"ids": list(ids), "base": base, "zone": str(server_zone())})
        text: str = cursor.fetchone()[0]
    return text


def datasets_json(ids: Sequence[UUID], *, base: str) -> str:
    """A JSON array of dataset records, in the order of `ids`."""
    return _text(_DATASETS, ids, base)


def files_json(ids: Sequence[UUID], *, base: str) -> str:
    """A JSON array of file records, in the order of `ids`."""
    return _text(_FILES, ids, base)


def registered_records(ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """What `POST /register-file` answers for these datasets, in their order, repetitions included."""
    records: list[dict[str, Any]] = orjson.loads(_text(_REGISTERED, ids, ""))
    for record in records:
        aggregate = record["session"] is None
        for name in _OF_SESSION if aggregate else _OF_OBJECT:
            del record[name]
    return records


_OF_SESSION = ("subject", "session", "session_number", "session_users", "session_start_time")
_OF_OBJECT = ("content_type", "object_id")


def copies_of(dataset_id: UUID) -> list[dict[str, Any]]:
    """Every copy of a dataset with its evidence, hidden ones included, for `GET /datasets/{id}/copies`."""
    sql = f"""
    SELECT coalesce(json_agg(json_build_object(
        'id', f.id, 'repository', p.name, 'role', p.role, 'state', f.state, 'exists', {_COPY_EXISTS},
        'content_version', f.content_version, 'current_version', d.content_version, 'stored_path', f.stored_path,
        'size_bytes', f.size_bytes, 'md5', nullif(f.md5, ''), 'sha256', nullif(f.sha256, ''),
        'evidence_level', f.evidence_level, 'verified_at', {_server_time("f.verified_at")},
        'last_seen_at', {_server_time("f.last_seen_at")}, 'look_due_at', {_server_time("f.look_due_at")},
        'reason', f.reason) ORDER BY p.name), '[]')::text
    FROM datasets_filerecord f JOIN datasets_repository p ON p.id = f.repository_id
    JOIN datasets_dataset d ON d.id = f.dataset_id WHERE d.id = ANY(%(ids)s::uuid[])
    """
    found: list[dict[str, Any]] = orjson.loads(_text(sql, [dataset_id], ""))
    return found
