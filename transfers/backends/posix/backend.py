"""A repository on a file system of this machine: a disk, or a mount that behaves like one."""

import os
import stat
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import ClassVar

from transfers.backends.base import (
    Absent,
    Backend,
    BackendFailure,
    Beat,
    Evidence,
    Failure,
    Feature,
    Health,
    JobSpec,
    Limits,
    Listing,
    Look,
    Moved,
    Promoted,
    Proved,
    Reader,
    Remote,
    RemoteState,
    Stat,
    Trashed,
    Unknown,
    unattended,
)
from transfers.backends.paths import CANARY, TRASH, Parts, split
from transfers.backends.posix import listing, promoting, sending, staging
from transfers.backends.posix.calls import code_of, failure_of, link
from transfers.backends.posix.distant import Distant
from transfers.backends.posix.sending import Origin, Source, as_failure
from transfers.backends.posix.staging import Staging
from transfers.backends.posix.tree import Tree
from transfers.rules.errors import ErrorCode, Side

_LONGEST_NAME, _LONGEST_PATH = 255, 4096
_ROOM_IN_NAMES = 24
"""Left for what the trash appends."""


class PosixBackend(Backend):
    """The folder `root`, which has to bear the mark `canary` (None: not marked yet, and therefore not healthy)."""

    features: ClassVar[frozenset[Feature]] = frozenset({Feature.READ_BACK, Feature.LOCAL_FILES, Feature.RANGES})

    def __init__(self, root: str | os.PathLike[str], canary: str | None) -> None:
        self.root, self.canary = str(Path(root).absolute()), canary

    def limits(self) -> Limits:
        return Limits(
            files_per_job=20_000,
            bytes_per_job=1 << 40,
            path_bytes=_LONGEST_PATH - 1024,
            name_bytes=_LONGEST_NAME - _ROOM_IN_NAMES,
        )

    # --- looking -----------------------------------------------------------------------------------------------

    def probe(self) -> Health:
        try:
            with Tree(self.root) as tree:
                room = os.fstatvfs(tree.root_fd)
                free = room.f_bavail * room.f_frsize
                read_only = bool(room.f_flag & os.ST_RDONLY) or not os.access(self.root, os.W_OK)
                try:
                    found = tree.check_canary(self.canary)
                except BackendFailure as problem:
                    return Health(problem.code, problem.detail, free, read_only)
                return Health(None, "", free, read_only, found)
        except BackendFailure as problem:
            return Health(problem.code, problem.detail)
        except OSError as error:
            return Health(code_of(error), str(error.strerror))

    def establish_canary(self, canary: str) -> None:
        with self._open() as tree:
            found = tree.read_canary()
            if found is None:
                self._mark(tree, canary)
                found = tree.read_canary()
            if found != canary:
                raise BackendFailure(ErrorCode.CANARY_WRONG, f"the root is marked {found!r}")
        self.canary = canary

    def _mark(self, tree: Tree, canary: str) -> None:
        """Write aside, then link: the mark is never seen half written, and never replaces another one."""
        aside = f"{CANARY}.{uuid.uuid4().hex}"
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=tree.root_fd)
        try:
            os.write(fd, f"{canary}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            if not link(tree.root_fd, aside, tree.root_fd, CANARY):
                os.rename(aside, CANARY, src_dir_fd=tree.root_fd, dst_dir_fd=tree.root_fd)
                return
        except FileExistsError:
            pass
        os.unlink(aside, dir_fd=tree.root_fd)
        os.fsync(tree.root_fd)

    def stat(self, paths: Iterable[str]) -> dict[str, Look]:
        wanted = list(paths)
        try:
            with Tree(self.root) as tree:
                tree.check_canary(self.canary)
                looks = {path: _look(tree, path) for path in wanted}
                if Absent() in looks.values():
                    tree.check_canary(self.canary)
                return looks
        except (BackendFailure, OSError) as error:
            failure = as_failure(error, Side.DESTINATION)
            return dict.fromkeys(wanted, Unknown(failure.code, failure.detail))

    def entries(self, prefix: str = "", cursor: str | None = None, limit: int = 10_000) -> Listing:
        below: Parts = split(prefix) if prefix else ()
        after: Parts = split(cursor) if cursor else ()
        with self._open() as tree:
            tree.check_canary(self.canary)
            found = listing.page(tree, below, after, limit)
            tree.check_canary(self.canary)
            return found

    def digest(self, path: str, beat: Beat = unattended) -> Evidence:
        with self._open() as tree:
            tree.check_canary(self.canary)
            evidence = sending.read(tree, split(path), beat)
            if evidence is None:
                tree.check_canary(self.canary)
                raise BackendFailure(ErrorCode.SOURCE_VANISHED, path)
            return evidence

    def reader(self, path: str) -> AbstractContextManager[Reader]:
        return _origin_here(self).reader(path)

    # --- moving ------------------------------------------------------------------------------------------------

    def prepare(self) -> str:
        return uuid.uuid4().hex

    def send(self, source: Backend, job: JobSpec, beat: Beat = unattended) -> Remote:
        outcomes: Mapping[str, Moved | Failure]
        try:
            with self._staging(job) as place:
                outcomes = _origin(source).stage(place, job, beat)
        except (BackendFailure, OSError) as error:
            outcomes = _all(job, error)
        return Remote(job.handle, RemoteState.SUCCEEDED, outcomes)

    def prove(self, source: Backend, job: JobSpec, beat: Beat = unattended) -> dict[str, Proved | Failure]:
        try:
            with self._staging(job) as place:
                return sending.prove(_origin(source), place, job, beat)
        except (BackendFailure, OSError) as error:
            return {**_all(job, error)}

    def promote(
        self, job: JobSpec, proofs: Mapping[str, Proved], beat: Beat = unattended
    ) -> dict[str, Promoted | Failure]:
        try:
            with self._staging(job) as place:
                return promoting.promote(place, job, proofs, beat)
        except (BackendFailure, OSError) as error:
            return {key: outcome for key, outcome in _all(job, error).items() if key in proofs}

    def release(self, job: JobSpec) -> None:
        with self._open() as tree:
            tree.check_canary(self.canary)
            if Staging(tree, job).holder() != float("inf"):
                Staging.claim(tree, job).close()

    @contextmanager
    def _staging(self, job: JobSpec) -> Iterator[Staging]:
        with self._open() as tree:
            tree.check_canary(self.canary)
            yield Staging.claim(tree, job)

    # --- removing ----------------------------------------------------------------------------------------------

    def trash(self, path: str, version: int, on: date) -> Trashed | None:
        parts, touched = split(path), set[Parts]()
        with self._open() as tree:
            tree.check_canary(self.canary)
            try:
                seen = tree.look(parts)
            except FileNotFoundError:
                return _in_trash(tree, parts, version, on)
            if not stat.S_ISREG(seen.st_mode):
                raise BackendFailure(ErrorCode.NOT_A_FILE, path)
            where = promoting.to_trash(tree, parts, f"v{version}", on, touched)
            promoting.sync_folders(tree, touched | tree.created)
            return Trashed(where, accounted=True)

    def sweep_staging(self, before: datetime, live_handles: Collection[str]) -> list[str]:
        with self._open() as tree:
            tree.check_canary(self.canary)
            return staging.sweep(tree, before, live_handles)

    @contextmanager
    def _open(self) -> Iterator[Tree]:
        try:
            with Tree(self.root, meter=self.meter) as tree:
                yield tree
        except OSError as error:
            raise failure_of(error, Side.DESTINATION) from error


def _origin_here(source: PosixBackend) -> Source:
    return Source(source.root, source.canary, source.meter)


def _origin(source: Backend) -> Origin:
    if isinstance(source, PosixBackend):
        return _origin_here(source)
    if Feature.RANGES in source.features:
        return Distant(source)
    raise BackendFailure(ErrorCode.UNSUPPORTED, "the source cannot be read from this machine", Side.BETWEEN)


def _all(job: JobSpec, error: BackendFailure | OSError) -> dict[str, Failure]:
    return dict.fromkeys((spec.key for spec in job.files), as_failure(error, Side.DESTINATION))


def _look(tree: Tree, path: str) -> Look:
    try:
        seen = tree.look(split(path))
    except FileNotFoundError:
        return Absent()
    except (OSError, BackendFailure) as error:
        failure = as_failure(error, Side.DESTINATION)
        return Unknown(failure.code, failure.detail)
    if not stat.S_ISREG(seen.st_mode):
        return Unknown(ErrorCode.NOT_A_FILE, "not a regular file")
    return Stat(seen.st_size, seen.st_mtime_ns)


def _in_trash(tree: Tree, parts: Parts, version: int, on: date) -> Trashed | None:
    """Where an earlier try has put it: moving it twice is moving it once."""
    found = (TRASH, on.isoformat(), *parts[:-1], f"{parts[-1]}.v{version}")
    try:
        tree.look(found)
    except FileNotFoundError:
        return None
    return Trashed("/".join(found), accounted=True)
