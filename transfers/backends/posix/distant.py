"""Files that come from a repository of another kind: read piece by piece into the staging place."""

import os
from dataclasses import dataclass

from alyx.core.failpoints import failpoint
from transfers.backends.base import Backend, BackendFailure, Beat, Evidence, Failure, FileSpec, JobSpec, Moved, Reader
from transfers.backends.judging import check, concerns_all, size_failure
from transfers.backends.parallel import in_order
from transfers.backends.paths import split
from transfers.backends.posix.calls import code_of, failure_of
from transfers.backends.posix.content import MID_WRITE
from transfers.backends.posix.sending import as_failure, open_staged, sync_moved
from transfers.backends.posix.staging import Staging
from transfers.rules.errors import ErrorCode, Side

PIECE = 16 << 20
"""Bytes asked for at once."""
_AHEAD = 4


@dataclass(frozen=True)
class Distant:
    """A source that is not on this machine."""

    backend: Backend

    def stage(self, staging: Staging, job: JobSpec, beat: Beat) -> dict[str, Moved | Failure]:
        """Bring the job's files into the staging place and sync them. Raises LeaseLost."""
        outcomes: dict[str, Moved | Failure] = {}
        for spec in job.files:
            check(beat)
            outcome = outcomes[spec.key] = self._bring(staging, spec, beat)
            if isinstance(outcome, Failure) and concerns_all(outcome.code):
                outcomes |= {rest.key: outcome for rest in job.files if rest.key not in outcomes}
                break
        return sync_moved(staging, outcomes, beat)

    def read(self, path: str, beat: Beat) -> Evidence | Failure:
        """The whole file read and hashed where it lies. Raises LeaseLost."""
        try:
            return self.backend.digest(path, beat)
        except BackendFailure as error:
            failure = as_failure(error, Side.SOURCE)
            return Failure(failure.code, failure.detail, Side.SOURCE)

    def _bring(self, staging: Staging, spec: FileSpec, beat: Beat) -> Moved | Failure:
        try:
            split(spec.final_path)
            with self.backend.reader(spec.source_path) as source:
                return size_failure(spec.content, source.size_bytes) or _fill(staging, spec.key, source, beat)
        except BackendFailure as error:
            return as_failure(error, error.side)


def _fill(staging: Staging, key: str, source: Reader, beat: Beat) -> Moved | Failure:
    size = source.size_bytes
    target, at = open_staged(staging, key, size)
    todo = [(start, min(PIECE, size - start)) for start in range(at, size, PIECE)]
    try:
        for piece in in_order(lambda one: source.read(*one), todo, beat, _AHEAD):
            staging.tree.meter.take(len(piece), beat)
            _write(target, piece, at)
            at += len(piece)
            failpoint(MID_WRITE)
    finally:
        os.close(target)
    if at != size or not source.unchanged():
        staging.drop(key)
        return Failure(ErrorCode.SOURCE_UNSTABLE, f"{size} bytes when it was opened", Side.SOURCE)
    return Moved(size)


def _write(target: int, piece: bytes, at: int) -> None:
    view = memoryview(piece)
    try:
        while view:
            done = os.pwrite(target, view, at)
            at, view = at + done, view[done:]
    except OSError as error:
        side = Side.DESTINATION if code_of(error) in {ErrorCode.NO_SPACE, ErrorCode.READ_ONLY} else Side.BETWEEN
        raise failure_of(error, side) from error
