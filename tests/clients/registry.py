"""What the registry of a served instance says, read behind the clients' backs."""

from collections.abc import Collection, Mapping
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from demo.served import Served


class Copy(NamedTuple):
    """One copy. `version` 0: there is no record."""

    state: str
    version: int
    md5: str
    stored_path: str


ABSENT = Copy("no record", 0, "", "")

_COPIES = """
SELECT copy.dataset_id, place.name, copy.state, copy.content_version, copy.md5, copy.stored_path
FROM datasets_filerecord copy JOIN datasets_repository place ON place.id = copy.repository_id
WHERE copy.dataset_id = ANY(%s)
"""
_DATASETS = "SELECT id, content_version, md5, hash_state, size_bytes FROM datasets_dataset WHERE id = ANY(%s)"
_FLAGS = "SELECT rule, message, facts FROM core_reviewflag WHERE state = 'open' AND object_id = ANY(%s)"
_REPOSITORY = """
import json
from alyx.labs.models import User
from datasets.models import Repository
from transfers.services.places import establish_canary
like = Repository.objects.get(name={like!r})
new = Repository.objects.create(name={name!r}, kind=like.kind, role=like.role, root={root!r}, timezone=like.timezone,
    globus_path=like.globus_path, uuid_in_names=like.uuid_in_names, globus_endpoint_id={endpoint!r}, data_url={data_url!r},
    window_start=like.window_start, window_end=like.window_end)
new.labs.set(like.labs.all())
print(json.dumps(str(establish_canary(actor=User.objects.get(username="admin"), repository=new))))
"""


class Registry:
    """Reads the instance's database, and (for one test) adds a repository by its command line."""

    def __init__(self, served: Served) -> None:
        self.served = served
        url = served.manage_json(
            "shell", "-v", "0", "-c", "import json, os; print(json.dumps(os.environ['DATABASE_URL']))"
        )
        self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        """Leave the database."""
        self._connection.close()

    def _read(self, query: LiteralString, keys: Collection[str]) -> list[dict[str, Any]]:
        return self._connection.execute(query, [[UUID(key) for key in keys]]).fetchall()

    def copies(self, datasets: Collection[str]) -> Mapping[str, Mapping[str, Copy]]:
        """Dataset id → repository → its copy there."""
        found: dict[str, dict[str, Copy]] = {dataset: {} for dataset in datasets}
        for row in self._read(_COPIES, datasets):
            copy = Copy(row["state"], row["content_version"], row["md5"], row["stored_path"])
            found[str(row["dataset_id"])][row["name"]] = copy
        return found

    def states(self, datasets: Collection[str], repository: str) -> set[tuple[str, int]]:
        """State and version of the copies there."""
        copies = [there.get(repository, ABSENT) for there in self.copies(datasets).values()]
        return {(copy.state, copy.version) for copy in copies}

    def datasets(self, datasets: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Dataset id → version, digest, hash state, size."""
        return {str(row["id"]): row for row in self._read(_DATASETS, datasets)}

    def flags(self, *objects: str) -> list[dict[str, Any]]:
        """Open flags on these records."""
        return self._read(_FLAGS, objects)

    def add_repository(
        self, *, name: str, like: str, root: str, endpoint: str | None = None, data_url: str | None = None
    ) -> None:
        """A second repository of the same labs and role."""
        code = _REPOSITORY.format(name=name, like=like, root=root, endpoint=endpoint, data_url=data_url)
        self.served.manage("shell", "-v", "0", "-c", code)
