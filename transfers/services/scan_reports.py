"""What lies at a repository unregistered: kept file by file, with the looks at it and the reason."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from datasets.models import Repository
from transfers.backends.base import Evidence
from transfers.models import FoundFile
from transfers.rules.intake import Why
from transfers.rules.quiescence import Sight, Sighting

_LONGEST = 1000
_COLUMNS = ["folder", "lab", "size_bytes", "modified_ns", "since", "seen_at", "why", "detail", "md5", "sha256"]


@dataclass(frozen=True, slots=True)
class Left:
    """A file that stays unregistered for now. `sighting` None: it could not be seen."""

    path: str
    why: Why
    detail: str = ""
    folder: str = ""
    lab_id: uuid.UUID | None = None
    sighting: Sighting | None = None
    md5: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier looks left about a file: since when it is so, and the digests if it was read."""

    sighting: Sighting | None
    md5: str = ""
    sha256: str = ""

    def read(self, sight: Sight) -> Evidence | None:
        """The digests of these very bytes, when an earlier look has read them."""
        if self.sighting is None or self.sighting.sight != sight or not self.sha256:
            return None
        return Evidence(sight.size_bytes, self.md5, self.sha256, level=0)


def key(path: str) -> str:
    """As the table keeps it: what no index holds is cut, with a digest in place of the rest."""
    if len(path.encode()) <= _LONGEST:
        return path
    digest = hashlib.sha256(path.encode()).hexdigest()
    return f"{path.encode()[: _LONGEST - 70].decode(errors='ignore')}…{digest}"


def looked_before(repository: Repository, paths: Iterable[str]) -> dict[str, Before]:
    """What is known of these paths, in one statement."""
    wanted = {key(path): path for path in paths}
    rows = FoundFile.objects.filter(repository=repository, path__in=list(wanted))
    return {
        wanted[path]: Before(_sighting(size, modified, since), md5, sha256)
        for path, size, modified, since, md5, sha256 in rows.values_list(
            "path", "size_bytes", "modified_ns", "since", "md5", "sha256"
        )
    }


def _sighting(size: int | None, modified: int | None, since: datetime) -> Sighting | None:
    return None if size is None or modified is None else Sighting(Sight(size, modified), since)


def keep(repository: Repository, left: Iterable[Left], at: datetime) -> None:
    """Write down what a look at `at` left, in one statement."""
    rows = {key(one.path): _row(repository, one, at) for one in left}
    FoundFile.objects.bulk_create(
        rows.values(), update_conflicts=True, unique_fields=["repository", "path"], update_fields=_COLUMNS
    )


def _row(repository: Repository, one: Left, at: datetime) -> FoundFile:
    seen = one.sighting
    return FoundFile(
        repository=repository,
        path=key(one.path),
        folder=one.folder[:_LONGEST],
        lab_id=one.lab_id,
        size_bytes=seen.sight.size_bytes if seen else None,
        modified_ns=seen.sight.modified_ns if seen else None,
        since=min(seen.since, at) if seen else at,
        seen_at=at,
        why=one.why,
        detail=one.detail,
        md5=one.md5,
        sha256=one.sha256,
    )


def forget(repository: Repository, paths: Iterable[str]) -> None:
    """These are registered, or are no data."""
    FoundFile.objects.filter(repository=repository, path__in=[key(path) for path in paths]).delete()


def forget_unseen(repository: Repository, before: datetime) -> int:
    """A whole pass that began at `before` did not see these: they are gone. How many."""
    return FoundFile.objects.filter(repository=repository, seen_at__lt=before).delete()[0]


def counts(left: Iterable[Left], waits: Iterable[Why]) -> Mapping[str, int]:
    """How many wait, and how many need somebody."""
    patient = frozenset(waits)
    reasons = [one.why for one in left]
    waiting = sum(why in patient for why in reasons)
    return {"waiting": waiting, "left": len(reasons) - waiting}
