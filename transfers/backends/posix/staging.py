"""The staging place of a job, and who owns it.

`<root>/.alyx-staging/<handle>.<fence>/<file key>`. Taking a job over is one rename to a higher fence. A former
owner that wakes up late still has the old name in hand, so what it tries to rename or open is not there: the fence
holds on the disk as well, not only in the database. A file under the pen of a live process is locked; its successor
leaves it alone and starts a file of its own.
"""

import fcntl
import os
import re
import shutil
import stat
from collections.abc import Collection
from datetime import datetime
from typing import Self

from transfers.backends.base import BackendFailure, JobSpec, LeaseLost
from transfers.backends.paths import STAGING
from transfers.backends.posix.tree import Tree, names_in
from transfers.rules.errors import ErrorCode

_HANDLE = re.compile(r"[A-Za-z0-9_-]{1,80}")
_CLOSED = "closed"
_WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Staging:
    """The staging place of one job under one fence. Names are resolved anew at each use: that is the fence."""

    def __init__(self, tree: Tree, job: JobSpec) -> None:
        self.tree, self.job = tree, job
        self.name = f"{job.handle}.{job.fence}"

    @classmethod
    def claim(cls, tree: Tree, job: JobSpec) -> Self:
        """The place, made or taken over from a lower fence. Raises LeaseLost when it is a higher one's, or closed."""
        if not _HANDLE.fullmatch(job.handle):
            raise BackendFailure(ErrorCode.PATH_REFUSED, f"handle {job.handle!r}")
        for spec in job.files:
            if not _HANDLE.fullmatch(spec.key):
                raise BackendFailure(ErrorCode.PATH_REFUSED, f"key {spec.key!r}")
        place = cls(tree, job)
        while (holder := place.holder()) != job.fence:
            if holder is not None and holder > job.fence:
                raise LeaseLost(f"{job.handle} is held by a later claim")
            try:
                if holder is None:
                    os.mkdir(place.name, 0o700, dir_fd=place.fd)
                else:
                    os.rename(f"{job.handle}.{holder:.0f}", place.name, src_dir_fd=place.fd, dst_dir_fd=place.fd)
            except (FileExistsError, FileNotFoundError):
                continue  # somebody else claims at the same moment: look again
        return place

    @property
    def fd(self) -> int:
        """The folder of all staging places."""
        return self.tree.folder((STAGING,), create=True)

    def holder(self) -> float | None:
        """The highest fence that has this handle's place; infinity when it is closed; None: there is no place."""
        fences = [fence for handle, fence in map(_parse, names_in(self.fd)) if handle == self.job.handle]
        return max(fences, default=None)

    def path(self, key: str) -> str:
        """The staged file's name, relative to `fd`."""
        return f"{self.name}/{key}"

    def look(self, key: str) -> os.stat_result | None:
        """Stat of the staged file; None: nothing is staged. Raises OSError."""
        try:
            return os.stat(self.path(key), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_new(self, key: str) -> int:
        """An empty staged file under our lock. Raises FileExistsError, LeaseLost, OSError."""
        try:
            fd = os.open(self.path(key), _WRITE | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=self.fd)
        except FileNotFoundError as error:
            raise LeaseLost(f"{self.name} was taken over") from error
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd

    def open_again(self, key: str) -> int | None:
        """What an earlier try has staged, under our lock; None when nothing usable is there (and the name is free)."""
        try:
            fd = os.open(self.path(key), _WRITE, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # a live process writes there, or the file system has no locks
            os.close(fd)
            self.drop(key)
            return None
        return fd

    def drop(self, key: str) -> None:
        """Forget the staged file. Only for bytes that are no proof of anything. Raises OSError."""
        try:
            os.unlink(self.path(key), dir_fd=self.fd)
        except FileNotFoundError:
            return

    def close(self) -> None:
        """Nobody may use this handle any more, whatever its fence. Raises OSError."""
        closed = f"{self.job.handle}.{_CLOSED}"
        os.rename(self.name, closed, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        os.fsync(self.fd)


def _parse(name: str) -> tuple[str, float]:
    handle, _, fence = name.rpartition(".")
    if fence == _CLOSED:
        return handle, float("inf")
    return (handle, int(fence)) if fence.isdigit() else ("", 0)


def sweep(tree: Tree, before: datetime, live_handles: Collection[str]) -> list[str]:
    """Remove the places of handles that are not live and were last touched before `before`; the handles removed."""
    try:
        base = tree.folder((STAGING,))
    except FileNotFoundError:
        return []
    swept = []
    for name in sorted(names_in(base)):
        handle, _ = _parse(name)
        seen = os.stat(name, dir_fd=base, follow_symlinks=False)
        if not handle or handle in live_handles or not stat.S_ISDIR(seen.st_mode):
            continue
        if seen.st_mtime < before.timestamp():
            shutil.rmtree(name, dir_fd=base)
            swept.append(handle)
    return swept
