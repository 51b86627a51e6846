"""Giving proved files their final names; what had them goes to the trash. Each is a request of its own."""

from collections.abc import Iterator, Mapping
from datetime import date

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import BackendFailure, Beat, Content, Failure, FileSpec, JobSpec, Promoted, Proved, Trashed
from transfers.backends.globus.collection import Collection, Seen
from transfers.backends.globus.sending import failure_for
from transfers.backends.globus.staging import Staging
from transfers.backends.judging import check
from transfers.backends.paths import TRASH, split
from transfers.rules.errors import ErrorCode

BEFORE_NAME = declare("globus.before_name")
AFTER_NAME = declare("globus.after_name")
AFTER_TRASH = declare("globus.after_trash")


def promote(staging: Staging, job: JobSpec, proofs: Mapping[str, Proved], beat: Beat) -> dict[str, Promoted | Failure]:
    """Promote the proved files of the job. Raises LeaseLost."""
    outcomes: dict[str, Promoted | Failure] = {}
    for spec in job.files:
        if spec.key in proofs:
            check(beat)
            try:
                outcomes[spec.key] = _promote(staging, spec, proofs[spec.key].evidence.seal, job.on)
            except BackendFailure as error:
                outcomes[spec.key] = failure_for(error)
    return outcomes


def _promote(staging: Staging, spec: FileSpec, seal: str, on: date) -> Promoted | Failure:
    collection, final = staging.collection, "/".join(split(spec.final_path))
    staged, holder = staging.files.get(spec.key), collection.look(final)
    if staged is None and holder is not None and holder.seal == seal:
        return Promoted()
    if staged is None or staged.seal != seal:
        code = ErrorCode.STAGED_LOST if staged is None else ErrorCode.DIGEST_MISMATCH
        return Failure(code, "the staged bytes are not the proved ones any more")
    staging.note_naming(spec.key, seal)
    trashed = None
    if holder is not None:
        trashed = _put_aside(collection, spec, final, holder, on)
        failpoint(AFTER_TRASH)
    collection.make_folder(final.rpartition("/")[0])
    failpoint(BEFORE_NAME)
    if not collection.rename(f"{staging.root}/{staged.name}", final):
        return Failure(ErrorCode.STAGED_LOST, "it is not in the staging place any more")
    failpoint(AFTER_NAME)
    return Promoted(trashed)


def _put_aside(collection: Collection, spec: FileSpec, final: str, holder: Seen, on: date) -> Trashed:
    if not holder.regular:
        raise BackendFailure(ErrorCode.NAME_TAKEN, f"{final} is no file")
    known = spec.replaces is not None and _may_be(holder, spec.replaces[1])
    stem = f"v{spec.replaces[0]}" if spec.replaces is not None and known else "unaccounted"
    return Trashed(to_trash(collection, final, stem, on), known)


def _may_be(holder: Seen, content: Content) -> bool:
    """Whether the holder has the size of what the registry expects: nobody here can read more of it."""
    return content.size_bytes == holder.size_bytes


def to_trash(collection: Collection, path: str, stem: str, on: date) -> str:
    """Move what has this name into the day's trash; where it is there. Raises BackendFailure."""
    for where in trash_names(path, stem, on):
        if collection.look(where) is None:
            collection.make_folder(where.rpartition("/")[0])
            if not collection.rename(path, where):
                raise BackendFailure(ErrorCode.DIGEST_MISMATCH, f"{path} vanished on its way to the trash")
            return where
    raise BackendFailure(ErrorCode.NAME_TAKEN, f"a thousand versions of {path} in one day's trash")


def trash_names(path: str, stem: str, on: date) -> Iterator[str]:
    """Names for `path` in the day's trash, the plain one first."""
    first = f"{TRASH}/{on.isoformat()}/{path}.{stem}"
    yield first
    yield from (f"{first}.{count}" for count in range(1, 1000))
