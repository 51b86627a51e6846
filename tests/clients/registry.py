"""What the registry of a served instance says, read behind the clients' backs."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from demo.served import Served


class Copy(NamedTuple):
    """One copy. `version` 0: there is no record."""

    state: str
    version: int
    md5: str
    stored_path: str


ABSENT = Copy("no record", 0, "", "")

_COPIES = """
import json
from datasets.models import FileRecord
found = FileRecord.objects.filter(dataset_id__in={datasets!r}).values_list(
    "dataset_id", "repository__name", "state", "content_version", "md5", "stored_path")
print(json.dumps([list(map(str, row)) for row in found]))
"""
_DATASETS = """
import json
from datasets.models import Dataset
rows = Dataset.objects.filter(id__in={datasets!r}).values("id", "content_version", "md5", "hash_state", "size_bytes")
print(json.dumps(list(rows), default=str))
"""
_FLAGS = """
import json
from alyx.core.models import ReviewFlag
rows = ReviewFlag.objects.filter(object_id__in={objects!r}, state="open").values("rule", "message", "facts")
print(json.dumps(list(rows), default=str))
"""
_REPOSITORY = """
import json
from alyx.labs.models import User
from datasets.models import Repository
from transfers.services.places import establish_canary
like = Repository.objects.get(name={like!r})
new = Repository.objects.create(name={name!r}, kind=like.kind, role=like.role, root={root!r}, timezone=like.timezone,
    globus_path=like.globus_path, globus_endpoint_id={endpoint!r})
new.labs.set(like.labs.all())
print(json.dumps(str(establish_canary(actor=User.objects.get(username="admin"), repository=new))))
"""


class Registry:
    """Reads (and, for one test, adds a repository) by the instance's own command line."""

    def __init__(self, served: Served) -> None:
        self.served = served

    def _ask(self, code: str) -> Any:
        return self.served.manage_json("shell", "-v", "0", "-c", code)

    def copies(self, datasets: Collection[str]) -> Mapping[str, Mapping[str, Copy]]:
        """Dataset id → repository → its copy there."""
        found: dict[str, dict[str, Copy]] = {dataset: {} for dataset in datasets}
        for dataset, repository, state, version, md5, stored in self._ask(_COPIES.format(datasets=list(datasets))):
            found[dataset][repository] = Copy(state, int(version), md5, stored)
        return found

    def states(self, datasets: Collection[str], repository: str) -> set[tuple[str, int]]:
        """State and version of the copies there."""
        copies = [there.get(repository, ABSENT) for there in self.copies(datasets).values()]
        return {(copy.state, copy.version) for copy in copies}

    def datasets(self, datasets: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Dataset id → version, digest, hash state, size."""
        return {row["id"]: row for row in self._ask(_DATASETS.format(datasets=list(datasets)))}

    def flags(self, *objects: str) -> list[Mapping[str, Any]]:
        """Open flags on these records."""
        return list(self._ask(_FLAGS.format(objects=list(objects))))

    def add_repository(self, *, name: str, like: str, root: str, endpoint: str) -> None:
        """A second repository of the same labs."""
        self._ask(_REPOSITORY.format(name=name, like=like, root=root, endpoint=endpoint))
