"""What the registry knows about the files of a call before it changes anything; the rows are locked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from alyx.core.prepared import rows_of
from datasets.rules.copies import HIDDEN, CopyState
from datasets.rules.registration import Content
from datasets.services.register_call import RegisterCall
from datasets.services.surroundings import Owner


@dataclass(frozen=True, slots=True)
class Known:
    """A dataset as stored. `earlier`: the contents of its versions before the current one."""

    id: UUID
    collection: str
    name: str
    revision: str
    content_version: int
    content: Content
    hash_state: str
    software_version: str | None
    qc: int
    is_default: bool
    created_by_id: UUID | None
    created_at: datetime
    is_protected: bool
    earlier: tuple[Content, ...] = field(repr=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """Collection, name, revision."""
        return self.collection, self.name, self.revision

    @property
    def path(self) -> str:
        """For messages."""
        return "/".join(part for part in (self.collection, self.revision and f"#{self.revision}#", self.name) if part)


_KNOWN = """
SELECT d.id, d.collection, d.name, coalesce(r.name, ''), d.content_version, d.size_bytes, d.md5, d.sha256, d.hash_state,
    d.software_version, d.qc, d.is_default, d.created_by_id, d.created_at,
    EXISTS (SELECT FROM datasets_dataset_tags link JOIN datasets_tag g ON g.id = link.tag_id
        WHERE link.dataset_id = d.id AND g.protected),
    (SELECT json_agg(json_build_array(v.content_version, v.size_bytes, v.md5, v.sha256))::text
        FROM datasets_contentversion v WHERE v.dataset_id = d.id AND v.content_version < d.content_version)
FROM datasets_dataset d LEFT JOIN datasets_revision r ON r.id = d.revision_id
WHERE {owner} AND d.name = ANY(%(names)s::text[]) AND d.withdrawn_at IS NULL
ORDER BY d.id FOR NO KEY UPDATE OF d
"""
_OF_SESSION = _KNOWN.format(owner="d.session_id = %(session_id)s::uuid")
_OF_OBJECT = _KNOWN.format(
    owner="d.session_id IS NULL AND d.content_type_id = %(content_type_id)s::integer AND d.object_id = %(object_id)s::uuid"
)


def read_known(*, owner: Owner, call: RegisterCall) -> list[Known]:
    """All revisions of the files of the call, newest first, locked."""
    names = sorted({file.path.name for file in call.files})
    if owner.session_id is not None:
        rows = rows_of(_OF_SESSION, {"session_id": owner.session_id, "names": names})
    else:
        of_object = {"content_type_id": owner.content_type_id, "object_id": owner.object_id}
        rows = rows_of(_OF_OBJECT, {**of_object, "names": names})
    files = {(file.path.collection, file.path.name) for file in call.files}
    known = [_known(row) for row in rows if (row[1], row[2]) in files]
    return sorted(known, key=lambda row: (row.created_at, row.revision), reverse=True)


def content(size: int | None, md5: str, sha256: str) -> Content:
    """Columns as the rules see them."""
    return Content(size, md5 or None, sha256 or None)


def _known(row: Sequence[Any]) -> Known:
    pk, collection, name, revision, version, size, md5, sha256, *rest, versions = row
    earlier = tuple(content(*one[1:]) for one in orjson.loads(versions or "[]"))
    stored: tuple[Any, ...] = (pk, collection, name, revision, version, content(size, md5, sha256), *rest, earlier)
    return Known(*stored)


@dataclass(frozen=True, slots=True)
class Copy:
    """A file record as stored."""

    id: UUID
    dataset_id: UUID
    repository_id: UUID
    state: CopyState
    content_version: int
    path_key: str


@dataclass(frozen=True, slots=True)
class Occupied:
    """A path at a repository that another dataset has."""

    repository_id: UUID
    path_key: str
    dataset_id: UUID


_COPIES = """
WITH mine AS (
    SELECT id, dataset_id, repository_id, state, content_version, path_key FROM datasets_filerecord
    WHERE dataset_id = ANY(%(datasets)s) ORDER BY id FOR NO KEY UPDATE),
wanted AS (SELECT * FROM unnest(%(repositories)s::uuid[], %(keys)s::text[]) AS w(repository_id, path_key))
SELECT true, mine.* FROM mine
UNION ALL
SELECT false, f.id, f.dataset_id, f.repository_id, f.state, f.content_version, f.path_key
FROM wanted JOIN datasets_filerecord f USING (repository_id, path_key)
WHERE f.state <> ALL(%(hidden)s) AND f.dataset_id <> ALL(%(datasets)s)
"""


def read_copies(
    *, datasets: Iterable[UUID], paths: Iterable[tuple[UUID, str]]
) -> tuple[dict[UUID, dict[UUID, Copy]], list[Occupied]]:
    """The copies of the datasets (by dataset and repository, locked), and which of the paths, (repository, path key),
    other datasets have."""
    wanted = list(paths)
    parameters: dict[str, Any] = {
        "datasets": list(datasets),
        "repositories": [repository for repository, _ in wanted],
        "keys": [key for _, key in wanted],
        "hidden": sorted(HIDDEN),
    }
    copies: dict[UUID, dict[UUID, Copy]] = {}
    occupied: list[Occupied] = []
    with connection.cursor() as cursor:
        cursor.execute(_COPIES, parameters)
        for mine, pk, dataset, repository, state, version, key in cursor.fetchall():
            if mine:
                copy = Copy(pk, dataset, repository, CopyState(state), version, key)
                copies.setdefault(dataset, {})[repository] = copy
            else:
                occupied.append(Occupied(repository, key, dataset))
    return copies, occupied
