"""Bringing files into the staging place, durably; then reading them back.

The copy itself is as cheap as `cp`: nothing is hashed on the way. The proof is the read-back; the source is hashed
only to explain a difference, or when nothing was registered to compare with.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import (
    FREE,
    BackendFailure,
    Beat,
    Evidence,
    Failure,
    FileSpec,
    JobSpec,
    Meter,
    Moved,
    Proved,
    Reader,
    Stopped,
)
from transfers.backends.judging import check, concerns_all, explain, size_failure
from transfers.backends.paths import Parts, split
from transfers.backends.posix.calls import code_of, drop_cache, failure_of, sync_file_system
from transfers.backends.posix.content import Opened, ahead, copy, hash_file, seal_of
from transfers.backends.posix.staging import Staging
from transfers.backends.posix.tree import Tree
from transfers.rules.errors import ErrorCode, Side

AFTER_SYNC = declare("posix.after_sync")
AFTER_DIGEST = declare("posix.after_digest")

_FEW = 8
"""Up to so many files are synced one by one; more by one sync of the file system."""
_BEAT_SECONDS = 1.0


class Origin(Protocol):
    """Where the files of a job come from."""

    def stage(self, staging: Staging, job: JobSpec, beat: Beat) -> dict[str, Moved | Failure]:
        """Bring them into the staging place, durably. Raises LeaseLost, BackendFailure."""

    def read(self, path: str, beat: Beat) -> Evidence | Failure:
        """Read one whole, to explain a difference. Raises LeaseLost."""


@dataclass(frozen=True)
class Source:
    """The root that files come from, and the mark it has to bear."""

    root: str
    canary: str | None
    meter: Meter = FREE

    @contextmanager
    def tree(self) -> Iterator[Tree]:
        """The root, open. Raises BackendFailure when it is not reachable or not the right one."""
        with Tree(self.root, Side.SOURCE, self.meter) as tree:
            tree.check_canary(self.canary)
            yield tree

    def stage(self, staging: Staging, job: JobSpec, beat: Beat) -> dict[str, Moved | Failure]:
        """Copy the job's files into the staging place and sync them. After an error of a whole repository the remaining
        files share its outcome. Raises BackendFailure when the source is not there at all."""
        outcomes: dict[str, Moved | Failure] = {}
        with self.tree() as tree, closing(ahead(job.files, partial(_open_source, self, tree))) as opened:
            for spec, file in opened:
                check(beat)
                outcome = _bring(staging, spec, file, self.meter, beat)
                outcomes[spec.key] = outcome
                if isinstance(outcome, Failure) and concerns_all(outcome.code):
                    outcomes |= {rest.key: outcome for rest in job.files if rest.key not in outcomes}
                    break
        return sync_moved(staging, outcomes, beat)

    def read(self, path: str, beat: Beat) -> Evidence | Failure:
        """The whole file read and hashed where it lies. Raises LeaseLost."""
        try:
            with self.tree() as tree:
                seen = read(tree, split(path, Side.SOURCE), beat)
                return seen if seen is not None else self.why_absent(tree)
        except (BackendFailure, OSError) as error:
            return as_failure(error, Side.SOURCE)

    @contextmanager
    def reader(self, path: str) -> Iterator[Reader]:
        """One file, open for another backend. Raises BackendFailure."""
        with self.tree() as tree:
            file = _open_named(self, tree, path)
            if isinstance(file, Failure):
                raise BackendFailure(file.code, file.detail, file.side)
            try:
                yield _LocalReader(file, self.meter)
            finally:
                os.close(file.fd)

    def why_absent(self, tree: Tree) -> Failure:
        """What a missing name means. Vanished is said only while the root bears its mark."""
        try:
            tree.check_canary(self.canary)
        except BackendFailure as problem:
            return as_failure(problem, Side.SOURCE)
        return Failure(ErrorCode.SOURCE_VANISHED, side=Side.SOURCE)


class _LocalReader(Reader):
    """An open file."""

    def __init__(self, file: Opened, meter: Meter) -> None:
        self.file, self.size_bytes, self.meter = file, file.seen.st_size, meter

    def read(self, start: int, length: int) -> bytes:
        self.meter.take(length)
        found = bytearray()
        try:
            whole = os.pread(self.file.fd, length, start)
            if len(whole) == length:
                return whole
            found += whole
            while len(found) < length and (more := os.pread(self.file.fd, length - len(found), start + len(found))):
                found += more
        except OSError as error:
            raise failure_of(error, Side.SOURCE) from error
        return bytes(found)

    def unchanged(self) -> bool:
        return seal_of(os.fstat(self.file.fd)) == seal_of(self.file.seen)


def as_failure(error: BackendFailure | OSError, side: Side) -> Failure:
    """An exception as the outcome of one file. Stopped is no outcome: it is raised again."""
    if isinstance(error, Stopped):
        raise error
    failure = error if isinstance(error, BackendFailure) else failure_of(error, side)
    return Failure(failure.code, failure.detail, failure.side)


def sync_moved(staging: Staging, outcomes: dict[str, Moved | Failure], beat: Beat) -> dict[str, Moved | Failure]:
    """The outcomes, once the files said to be moved are on the medium. Raises LeaseLost."""
    moved = [key for key, outcome in outcomes.items() if isinstance(outcome, Moved)]
    check(beat)
    try:
        _sync(staging, moved, beat)
    except OSError as error:
        outcomes = {**outcomes, **dict.fromkeys(moved, as_failure(error, Side.DESTINATION))}
    failpoint(AFTER_SYNC)
    return outcomes


def _open_source(source: Source, tree: Tree, spec: FileSpec) -> Opened | Failure:
    try:
        split(spec.final_path)
    except BackendFailure as error:
        return as_failure(error, error.side)
    return _open_named(source, tree, spec.source_path)


def _open_named(source: Source, tree: Tree, path: str) -> Opened | Failure:
    try:
        return Opened(*tree.open(split(path, Side.SOURCE)))
    except FileNotFoundError:
        return source.why_absent(tree)
    except (BackendFailure, OSError) as error:
        return as_failure(error, Side.SOURCE)


def _bring(
    staging: Staging, spec: FileSpec, file: Opened | Failure | None, meter: Meter, beat: Beat
) -> Moved | Failure:
    if not isinstance(file, Opened):
        return file or Failure(ErrorCode.UNKNOWN)
    try:
        return size_failure(spec.content, file.seen.st_size) or _fill(staging, spec.key, file, meter, beat)
    except BackendFailure as error:
        return as_failure(error, error.side)
    finally:
        os.close(file.fd)


def _fill(staging: Staging, key: str, source: Opened, meter: Meter, beat: Beat) -> Moved | Failure:
    before, size = source.seen, source.seen.st_size
    target, start = open_staged(staging, key, size)
    try:
        end = copy(source.fd, target, start, size, beat, (meter, staging.tree.meter))
        after = os.fstat(source.fd)
    except OSError as error:
        staging.drop(key)
        code = code_of(error)
        side = Side.DESTINATION if code in {ErrorCode.NO_SPACE, ErrorCode.READ_ONLY} else Side.BETWEEN
        raise failure_of(error, side) from error
    finally:
        os.close(target)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns) or end != size:
        staging.drop(key)
        return Failure(ErrorCode.SOURCE_UNSTABLE, f"{size} bytes before, {after.st_size} after", Side.SOURCE)
    return Moved(size)


def open_staged(staging: Staging, key: str, size: int) -> tuple[int, int]:
    """The staged file, locked, and where to go on. Failing here is the destination's."""
    try:
        target = staging.open_again(key)
        if target is None:
            return staging.open_new(key), 0
        start = os.fstat(target).st_size
        if start > size:
            os.ftruncate(target, 0)
            start = 0
        return target, start
    except OSError as error:
        raise failure_of(error, Side.DESTINATION) from error


def _sync(staging: Staging, keys: list[str], beat: Beat) -> None:
    """All staged bytes onto the medium. Beats meanwhile: a sync may take longer than a lease."""
    if not keys:
        return
    if len(keys) > _FEW:
        _while_beating(staging.fd, sync_file_system, beat)
        return
    for key in keys:
        fd = os.open(staging.path(key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=staging.fd)
        try:
            _while_beating(fd, os.fsync, beat)
        finally:
            os.close(fd)
    folder = os.open(staging.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=staging.fd)
    try:
        os.fsync(folder)
        os.fsync(staging.fd)
    finally:
        os.close(folder)


def _while_beating(fd: int, sync: Callable[[int], None], beat: Beat) -> None:
    failed: list[OSError] = []
    own = os.dup(fd)  # the thread may outlive a lost lease

    def run() -> None:
        try:
            sync(own)
        except OSError as error:
            failed.append(error)
        finally:
            os.close(own)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_BEAT_SECONDS)
        check(beat)
    if failed:
        raise failed[0]


def prove(source: Origin, staging: Staging, job: JobSpec, beat: Beat) -> dict[str, Proved | Failure]:
    """Read every staged file of the job back and compare."""
    outcomes: dict[str, Proved | Failure] = {}
    with closing(ahead(job.files, partial(_open_staged_again, staging))) as opened:
        for spec, file in opened:
            try:
                check(beat)
                outcomes[spec.key] = _prove_one(source, staging, spec, file, beat)
            except (BackendFailure, OSError) as error:
                outcomes[spec.key] = as_failure(error, Side.DESTINATION)
            finally:
                if isinstance(file, Opened):
                    os.close(file.fd)
            failpoint(AFTER_DIGEST)
    return outcomes


def _open_staged_again(staging: Staging, spec: FileSpec) -> Opened | Failure | None:
    try:
        fd = os.open(staging.path(spec.key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=staging.fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        return as_failure(error, Side.DESTINATION)
    drop_cache(fd)
    return Opened(fd, os.fstat(fd))


def _prove_one(
    source: Origin, staging: Staging, spec: FileSpec, file: Opened | Failure | None, beat: Beat
) -> Proved | Failure:
    if isinstance(file, Failure):
        return file
    staged = None if file is None else hash_file(file.fd, file.seen, beat, staging.tree.meter)
    if staged is not None and spec.content.matches(staged):
        return Proved(staged)
    if spec.content.attested:
        final = read(staging.tree, split(spec.final_path), beat)
        if final is not None and spec.content.matches(final):
            return Proved(final, at_final=True)
    if staged is None:
        return Failure(ErrorCode.STAGED_LOST)
    seen = source.read(spec.source_path, beat)
    return seen if isinstance(seen, Failure) else explain(spec.content, staged, seen)


def read(tree: Tree, parts: Parts, beat: Beat) -> Evidence | None:
    """Hash what has this name, synced before so that it is read from the medium; None: nothing has it.

    Raises BackendFailure (SOURCE_UNSTABLE when it changes meanwhile), OSError, LeaseLost.
    """
    try:
        fd, seen = tree.open(parts)
    except FileNotFoundError:
        return None
    try:
        _settle(fd)
        drop_cache(fd)
        evidence = hash_file(fd, seen, beat, tree.meter)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if (seen.st_size, seen.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or evidence.size_bytes != seen.st_size:
        raise BackendFailure(ErrorCode.SOURCE_UNSTABLE, "/".join(parts), tree.side)
    return evidence


def _settle(fd: int) -> None:
    """Have what others wrote on the medium, where this file system can do that for a reader."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EROFS, errno.EBADF, errno.ENOSYS}:
            raise
