"""Bringing files into the staging place of a bucket; then reading them back."""

from collections.abc import Callable
from functools import partial

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import (
    Backend,
    BackendFailure,
    Beat,
    Evidence,
    Failure,
    FileSpec,
    JobSpec,
    Moved,
    Proved,
    Reader,
    Stopped,
)
from transfers.backends.judging import check, concerns_all, explain, size_failure
from transfers.backends.parallel import Pulse, each
from transfers.backends.paths import split
from transfers.backends.s3.objects import PART_BYTES, Kept, Objects
from transfers.backends.s3.place import WORKERS
from transfers.backends.s3.staging import Staging
from transfers.backends.s3.uploading import upload, uploads
from transfers.rules.errors import ErrorCode, Side

AFTER_PUT = declare("s3.after_put")
AFTER_DIGEST = declare("s3.after_digest")


def failure_for(error: BackendFailure, side: Side | None = None) -> Failure:
    """An exception as the outcome of one file. Stopped is no outcome: it is raised again."""
    if isinstance(error, Stopped):
        raise error
    return Failure(error.code, error.detail, side or error.side)


def stage(source: Backend, staging: Staging, job: JobSpec, beat: Beat) -> dict[str, Moved | Failure]:
    """Bring the job's files into the staging place, small ones side by side, each large one by parts. After an error of
    a whole repository the remaining files share its outcome. Raises LeaseLost."""
    outcomes: dict[str, Moved | Failure] = {}
    large = []
    for spec, outcome in each(partial(_bring_small, source, staging), job.files, beat, WORKERS):
        if outcome is None:
            large.append(spec)
            continue
        outcomes[spec.key] = outcome
        if isinstance(outcome, Failure) and concerns_all(outcome.code):
            return dict.fromkeys((rest.key for rest in job.files), outcome) | outcomes
    if large:
        try:
            begun = uploads(staging.objects, staging.root)
        except BackendFailure as error:
            return outcomes | dict.fromkeys((spec.key for spec in large), failure_for(error))
        for spec in large:
            check(beat)
            sent = _bring(source, staging, spec, partial(upload, begun=begun, beat=beat))
            outcomes[spec.key] = sent or Failure(ErrorCode.UNKNOWN)
    return outcomes


def _bring_small(source: Backend, staging: Staging, spec: FileSpec) -> Moved | Failure | None:
    return _bring(source, staging, spec, None)


def _bring(
    source: Backend, staging: Staging, spec: FileSpec, by_parts: Callable[[Objects, str, Reader], None] | None
) -> Moved | Failure | None:
    """One file; None: it is large, and `by_parts` is wanted."""
    try:
        split(spec.final_path)
        with source.reader(spec.source_path) as file:
            wrong = size_failure(spec.content, file.size_bytes)
            if wrong is not None:
                return wrong
            staged = staging.files.get(spec.key)
            if staged is not None and staged.size_bytes == file.size_bytes:
                return Moved(file.size_bytes)
            if file.size_bytes <= PART_BYTES:
                _put(staging, spec.key, file)
            elif by_parts is None:
                return None
            else:
                by_parts(staging.objects, staging.key(spec.key), file)
            if not file.unchanged():
                staging.drop([spec.key])
                return Failure(ErrorCode.SOURCE_UNSTABLE, f"{file.size_bytes} bytes when opened", Side.SOURCE)
            return Moved(file.size_bytes)
    except BackendFailure as error:
        return failure_for(error)


def _put(staging: Staging, key: str, file: Reader) -> None:
    data = file.read(0, file.size_bytes)
    if len(data) != file.size_bytes:
        raise BackendFailure(ErrorCode.SOURCE_UNSTABLE, "it ended early", Side.SOURCE)
    staging.objects.put(staging.key(key), data)
    failpoint(AFTER_PUT)


def prove(source: Backend, staging: Staging, job: JobSpec, kept: Kept, beat: Beat) -> dict[str, Proved | Failure]:
    """Read every staged file of the job back and compare; small ones side by side, their bytes put into `kept`. Raises Stopped."""
    outcomes: dict[str, Proved | Failure] = {}
    small, pulse = [spec for spec in job.files if _staged_bytes(staging, spec) <= PART_BYTES], Pulse(beat)
    for spec, outcome in each(partial(_prove, source, staging, kept, pulse.known), small, pulse.beat, WORKERS):
        outcomes[spec.key] = outcome
        failpoint(AFTER_DIGEST)
    for spec in job.files:
        if spec.key not in outcomes:
            check(beat)
            outcomes[spec.key] = _prove(source, staging, kept, beat, spec)
            failpoint(AFTER_DIGEST)
    return outcomes


def _staged_bytes(staging: Staging, spec: FileSpec) -> int:
    staged = staging.files.get(spec.key)
    return staged.size_bytes if staged is not None else spec.content.size_bytes or 0


def _prove(source: Backend, staging: Staging, kept: Kept, beat: Beat, spec: FileSpec) -> Proved | Failure:
    try:
        seen = staging.files.get(spec.key)
        staged = staging.objects.evidence(staging.key(spec.key), seen, beat, kept) if seen is not None else None
        if staged is not None and spec.content.matches(staged):
            return Proved(staged)
        final = final_evidence(staging.objects, spec, beat) if spec.content.attested else None
        if final is not None and spec.content.matches(final):
            return Proved(final, at_final=True)
        if staged is None:
            return Failure(ErrorCode.STAGED_LOST)
    except BackendFailure as error:
        return failure_for(error)
    try:
        return explain(spec.content, staged, source.digest(spec.source_path, beat))
    except BackendFailure as error:
        return failure_for(error, Side.SOURCE)


def final_evidence(objects: Objects, spec: FileSpec, beat: Beat) -> Evidence | None:
    """What holds the final name, read whole; None: nothing. Raises BackendFailure, LeaseLost."""
    key = objects.place.key("/".join(split(spec.final_path)))
    seen = objects.look(key)
    return None if seen is None else objects.evidence(key, seen, beat)
