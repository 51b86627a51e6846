"""Where bytes wait until they are proved: keys below the root, one folder for each job.

`.alyx-staging/<handle>/<file key>` are the files, `fence.<n>` who has claimed the folder, `closed` that nobody may use
it any more. Objects cannot be renamed, so the fence is asked at the beginning of each step; between the question and
the write the database's fence decides, and behind it the condition of each final write: the very object that was
proved, onto a key that is free or holds what was seen there.
"""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Self

from transfers.backends.base import BackendFailure, JobSpec, LeaseLost
from transfers.backends.paths import STAGING
from transfers.backends.s3.objects import Objects, Seen
from transfers.backends.s3.uploading import abort, uploads
from transfers.rules.errors import ErrorCode

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FENCE, _CLOSED = "fence.", "closed"


class Staging:
    """The folder of one job under one fence, as it was when it was claimed. `files`: what is staged, by file key."""

    def __init__(self, objects: Objects, job: JobSpec) -> None:
        self.objects, self.job = objects, job
        self.root = objects.place.key(f"{STAGING}/{job.handle}/")
        self.files: dict[str, Seen] = {}
        self.fences: set[int] = set()
        self.closed = False

    @classmethod
    def claim(cls, objects: Objects, job: JobSpec) -> Self:
        """The folder, marked as ours. Raises LeaseLost when it is a higher fence's, or closed; BackendFailure."""
        for name in (job.handle, *(spec.key for spec in job.files)):
            if not _NAME.fullmatch(name):
                raise BackendFailure(ErrorCode.PATH_REFUSED, f"handle or key {name!r}")
        place = cls(objects, job)
        place.look()
        if job.fence not in place.fences and place.may_write():
            objects.put(f"{place.root}{_FENCE}{job.fence}", b"")
            place.look()  # of two who claim at once each sees the other
        if not place.may_write():
            raise LeaseLost(f"{job.handle} is held by a later claim")
        return place

    def look(self) -> None:
        """See anew what lies there. Raises BackendFailure."""
        self.files, self.fences, self.closed = {}, set(), False
        for key, seen in self.objects.listed(self.root):
            name = key.removeprefix(self.root)
            if name == _CLOSED:
                self.closed = True
            elif name.startswith(_FENCE):
                self.fences.add(int(name.removeprefix(_FENCE)))
            else:
                self.files[name] = seen

    def may_write(self) -> bool:
        """Whether nobody came after us."""
        return not self.closed and max(self.fences, default=0) <= self.job.fence

    def key(self, file: str) -> str:
        """Where a file of the job is staged."""
        return f"{self.root}{file}"

    def drop(self, files: Collection[str]) -> None:
        """Forget staged files. Raises BackendFailure."""
        gone = {self.key(file) for file in files}
        if gone:
            self.objects.remove([self.root], lambda key: key in gone)
        for file in files:
            self.files.pop(file, None)

    def close(self) -> None:
        """Nobody may use this handle any more, whatever its fence; uploads under way end. Raises BackendFailure."""
        self.objects.put(f"{self.root}{_CLOSED}", b"")
        for upload in uploads(self.objects, self.root):
            abort(self.objects, upload["Key"], upload["UploadId"])


def sweep(objects: Objects, before: datetime, live_handles: Collection[str]) -> list[str]:
    """Remove the folders of handles that are not live and were last written before `before`, and end every upload below
    the root that began before then; the handles removed. Raises BackendFailure."""
    root = objects.place.key(f"{STAGING}/")
    last: dict[str, int] = {}
    for key, seen in objects.listed(root):
        handle = key.removeprefix(root).split("/")[0]
        last[handle] = max(seen.modified_ns, last.get(handle, 0))
    limit = before.timestamp() * 1_000_000_000
    swept = sorted(handle for handle, at in last.items() if handle not in live_handles and at < limit)
    objects.remove([f"{root}{handle}/" for handle in swept], lambda _: True)
    live = tuple(f"{root}{handle}/" for handle in live_handles)
    for upload in uploads(objects, objects.place.prefix):
        if upload["Initiated"] < before and not upload["Key"].startswith(live):
            abort(objects, upload["Key"], upload["UploadId"])
    return swept
