"""Where bytes wait until they are proved: a folder for each job below the root.

`.alyx-staging/<handle>/` holds the files as `<file key>.<algorithm>-<digest that the service had to find>` (the key alone
when none is registered), so that the service's own record of a task tells which bytes it checked. Folders in it are our
notes: `fence.<n>` who claimed the job, `closed`, `named.<file key>.<seal>` that these bytes were about to get their name.
"""

import re
from collections.abc import Collection as Several
from datetime import datetime
from typing import Self

from globus_sdk import DeleteData

from transfers.backends.base import BackendFailure, Content, JobSpec, LeaseLost
from transfers.backends.globus.collection import Collection, Seen
from transfers.backends.paths import STAGING
from transfers.rules.errors import ErrorCode

_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
_STAGED = re.compile(r"([A-Za-z0-9_-]{1,80})(?:\.(md5|sha256)-([0-9a-f]{32,64}))?")
_FENCE, _CLOSED, _NAMED = "fence.", "closed", "named."


def demanded(content: Content) -> tuple[str, str] | None:
    """The algorithm (md5, sha256) and digest that the service is to find at the destination; None: none is known."""
    for algorithm, digest in (("sha256", content.sha256), ("md5", content.md5)):
        if digest is not None:
            return algorithm, digest.lower()
    return None


def staged_name(key: str, content: Content) -> str:
    """How a file is called while it waits."""
    wanted = demanded(content)
    return f"{key}.{wanted[0]}-{wanted[1]}" if wanted else key


def read_name(name: str) -> tuple[str, dict[str, str]] | None:
    """The file key and the demanded digest by algorithm of a staged file's name; None: not one of ours."""
    found = _STAGED.fullmatch(name)
    if found is None:
        return None
    return found[1], {found[2]: found[3]} if found[2] else {}


class Staging:
    """The folder of one job under one fence, as it was when it was claimed. `files`: what is staged, by file key."""

    def __init__(self, collection: Collection, job: JobSpec) -> None:
        self.collection, self.job = collection, job
        self.root = f"{STAGING}/{job.handle}"
        self.files: dict[str, Seen] = {}
        self.fences: set[int] = set()
        self.named: set[str] = set()
        self.closed = False

    @classmethod
    def claim(cls, collection: Collection, job: JobSpec) -> Self:
        """The folder, marked as ours. Raises LeaseLost when it is a higher fence's, or closed; BackendFailure."""
        for name in (job.handle, *(spec.key for spec in job.files)):
            if not _KEY.fullmatch(name):
                raise BackendFailure(ErrorCode.PATH_REFUSED, f"handle or key {name!r}")
        place = cls(collection, job)
        place.look()
        if job.fence not in place.fences and place.may_write():
            collection.make_folder(f"{place.root}/{_FENCE}{job.fence}")
            place.look()  # of two who claim at once each sees the other
        if not place.may_write():
            raise LeaseLost(f"{job.handle} is held by a later claim")
        return place

    def look(self) -> None:
        """See anew what lies there. Raises BackendFailure."""
        self.files, self.fences, self.named, self.closed = {}, set(), set(), False
        for seen in self.collection.entries(self.root) or []:
            staged = read_name(seen.name)
            if seen.folder and seen.name == _CLOSED:
                self.closed = True
            elif seen.folder and seen.name.startswith(_FENCE):
                self.fences.add(int(seen.name.removeprefix(_FENCE)))
            elif seen.folder and seen.name.startswith(_NAMED):
                self.named.add(seen.name.removeprefix(_NAMED))
            elif seen.regular and staged:
                self.files[staged[0]] = seen

    def may_write(self) -> bool:
        """Whether nobody came after us."""
        return not self.closed and max(self.fences, default=0) <= self.job.fence

    def note_naming(self, key: str, seal: str) -> None:
        """These bytes are about to get their final name. Raises BackendFailure."""
        self.collection.make_folder(f"{self.root}/{_NAMED}{key}.{seal}")
        self.named.add(f"{key}.{seal}")

    def seals_named(self, key: str) -> set[str]:
        """Seals of bytes of this file that were about to get their name."""
        return {note.removeprefix(f"{key}.") for note in self.named if note.startswith(f"{key}.")}

    def close(self) -> None:
        """Nobody may use this handle any more, whatever its fence; and whoever did, suspended before giving a file its name,
        finds no such file any more. Raises BackendFailure."""
        if self.files:
            self.collection.rename(self.root, f"{self.root}.barred.{self.job.fence}")
            self.collection.forget_folders()
        self.collection.make_folder(f"{self.root}/{_CLOSED}")


def sweep(collection: Collection, before: datetime, live_handles: Several[str]) -> list[str]:
    """Have the service delete the folders of handles that are not live and last changed before `before`; those handles.
    The deletion is a task of the service: what it has not deleted yet is found again. Raises BackendFailure."""
    limit = int(before.timestamp()) * 1_000_000_000
    swept = []
    for seen in collection.entries(STAGING) or []:
        inner = collection.entries(f"{STAGING}/{seen.name}") or []
        last = max(one.modified_ns for one in (seen, *inner))
        if seen.folder and seen.name not in live_handles and last < limit:
            swept.append(seen.name)
    if swept:
        with collection.client() as client:
            form = DeleteData(
                endpoint=collection.place.collection, recursive=True, ignore_missing=True, label="alyx sweep"
            )
            for handle in swept:
                form.add_item(collection.place.path(f"{STAGING}/{handle}"))
            form["submission_id"] = client.get_submission_id()["value"]
            client.submit_delete(form)
    return swept
