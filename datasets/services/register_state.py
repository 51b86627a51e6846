"""What the registry knows about the files of a call before it changes anything; the rows are locked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef
from django.db.models.functions import JSONObject

from datasets.models import ContentVersion, Dataset
from datasets.rules.copies import HIDDEN, CopyState
from datasets.rules.registration import Content
from datasets.services.protection import is_protected
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


_FIELDS = (
    "id", "collection", "name", "revision__name", "content_version", "size_bytes", "md5", "sha256", "hash_state",
    "software_version", "qc", "is_default", "created_by_id", "created_at", "protected", "contents",
)  # fmt: skip


def read_known(*, owner: Owner, call: RegisterCall) -> list[Known]:
    """All revisions of the files of the call, newest first, locked."""
    versions = ContentVersion.objects.filter(dataset=OuterRef("pk")).values_list(
        JSONObject(version="content_version", size="size_bytes", md5="md5", sha256="sha256")
    )
    rows = (
        Dataset.objects.shown()
        .filter(**owner.columns, name__in={file.path.name for file in call.files})
        .annotate(protected=is_protected(), contents=ArraySubquery(versions))
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
        .values_list(*_FIELDS)
    )
    files = {(file.path.collection, file.path.name) for file in call.files}
    known = [_known(row) for row in rows if (row[1], row[2]) in files]
    return sorted(known, key=lambda row: (row.created_at, row.revision), reverse=True)


def content(size: int | None, md5: str, sha256: str) -> Content:
    """Columns as the rules see them."""
    return Content(size, md5 or None, sha256 or None)


def _known(row: Sequence[Any]) -> Known:
    said = dict(zip(_FIELDS, row, strict=True))
    version = said["content_version"]
    return Known(
        id=said["id"],
        collection=said["collection"],
        name=said["name"],
        revision=said["revision__name"] or "",
        content_version=version,
        content=content(said["size_bytes"], said["md5"], said["sha256"]),
        hash_state=said["hash_state"],
        software_version=said["software_version"],
        qc=said["qc"],
        is_default=said["is_default"],
        created_by_id=said["created_by_id"],
        created_at=said["created_at"],
        is_protected=said["protected"],
        earlier=tuple(content(v["size"], v["md5"], v["sha256"]) for v in said["contents"] if v["version"] < version),
    )


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
