"""Giving proved objects their final keys; keeping what had those keys in the trash. Nothing unseen is overwritten.

Small objects are written again from the bytes that gave the proof (kept, or read once more and compared), under the proved SHA-256;
large ones are copied inside the service. Either
way the write has a condition: the key is free (`If-None-Match: *`), or holds what was seen and put into the trash
(`If-Match`). What then lies there is the proved bytes by the ETag that the service computed, or else by reading it.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import (
    BackendFailure,
    Beat,
    Evidence,
    Failure,
    FileSpec,
    JobSpec,
    Promoted,
    Proved,
    Trashed,
)
from transfers.backends.judging import accounted, check, same_bytes
from transfers.backends.parallel import Pulse, each
from transfers.backends.paths import TRASH, split
from transfers.backends.s3.objects import OPAQUE, PART_BYTES, ConditionRefused, Hashes, Kept, Objects, Seen
from transfers.backends.s3.place import WORKERS
from transfers.backends.s3.sending import failure_for
from transfers.backends.s3.staging import Staging
from transfers.backends.s3.uploading import copy
from transfers.rules.errors import ErrorCode

BEFORE_PLACE = declare("s3.before_place")
AFTER_PLACE = declare("s3.after_place")
AFTER_TRASH = declare("s3.after_trash")

_TRIES = 5


def promote(
    staging: Staging, job: JobSpec, proofs: Mapping[str, Proved], kept: Kept, beat: Beat
) -> dict[str, Promoted | Failure]:
    """Promote the proved files of the job, small ones side by side. Raises LeaseLost."""
    outcomes: dict[str, Promoted | Failure] = {}
    todo = [spec for spec in job.files if spec.key in proofs]
    small = [spec for spec in todo if proofs[spec.key].evidence.size_bytes <= PART_BYTES]
    one, pulse = partial(_promote, staging, proofs, kept, job.on), Pulse(beat)
    for spec, outcome in each(partial(one, pulse.known), small, pulse.beat, WORKERS):
        outcomes[spec.key] = outcome
    for spec in todo:
        if spec.key not in outcomes:
            check(beat)
            outcomes[spec.key] = one(beat, spec)
    with suppress(BackendFailure):  # they hold their names; what is left in the staging place is swept
        staging.drop([key for key, outcome in outcomes.items() if isinstance(outcome, Promoted)])
    return outcomes


def _promote(
    staging: Staging, proofs: Mapping[str, Proved], kept: Kept, on: date, beat: Beat, spec: FileSpec
) -> Promoted | Failure:
    try:
        naming = _Naming(staging, kept, on, beat, spec, proofs[spec.key].evidence)
        for _ in range(_TRIES):
            outcome = naming.once()
            if outcome is not None:
                return outcome
    except BackendFailure as error:
        return failure_for(error)
    return Failure(ErrorCode.TOO_BUSY, "somebody else keeps changing the final name")


@dataclass
class _Naming:
    """One proved file on its way to its final key."""

    staging: Staging
    kept: Kept
    on: date
    beat: Beat
    spec: FileSpec
    proved: Evidence

    @property
    def objects(self) -> Objects:
        """The bucket."""
        return self.staging.objects

    @property
    def final(self) -> str:
        """The final key."""
        return self.objects.place.key("/".join(split(self.spec.final_path)))

    def once(self) -> Promoted | Failure | None:
        """One try. None: the world changed meanwhile, look again. Raises BackendFailure, LeaseLost."""
        holder = look_for_file(self.objects, self.final)
        staged = self.staging.files.get(self.spec.key)
        if staged is None or staged.etag != self.proved.seal.removeprefix(OPAQUE):
            return self._given_before(holder, staged)
        if holder is None:
            return self._place(staged, None, IfNoneMatch="*")
        old = self.objects.evidence(self.final, holder, self.beat)
        if same_bytes(old, self.proved):
            return Promoted()
        known, stem = accounted(self.spec.replaces, old)
        where = to_trash(self.objects, self.spec.final_path, holder, old, stem, self.on, self.beat)
        failpoint(AFTER_TRASH)
        return self._place(staged, Trashed(where, known, old), IfMatch=f'"{holder.etag}"')

    def _given_before(self, holder: Seen | None, staged: Seen | None) -> Promoted | Failure:
        """What is staged (if anything) is not what was proved: the key may have been given in an earlier life."""
        if holder is not None and (
            holder.etag == self.proved.seal
            or same_bytes(self.objects.evidence(self.final, holder, self.beat), self.proved)
        ):
            return Promoted()
        code = ErrorCode.STAGED_LOST if staged is None else ErrorCode.DIGEST_MISMATCH
        return Failure(code, "the staged bytes are not the proved ones any more")

    def _place(self, staged: Seen, trashed: Trashed | None, **condition: str) -> Promoted | Failure | None:
        check(self.beat)
        failpoint(BEFORE_PLACE)
        source = self.staging.key(self.spec.key)
        try:
            data = self.kept.take(source, self.proved)
            if data is not None:
                etag = self.objects.put(self.final, data, self.proved.sha256, **condition)
            else:
                etag = write_again(self.objects, source, staged, self.proved, self.final, self.beat, **condition)
        except ConditionRefused:
            return None
        failpoint(AFTER_PLACE)
        if not _says_the_same(etag, self.proved):
            now = self.objects.look(self.final)
            if now is None or not same_bytes(self.objects.evidence(self.final, now, self.beat), self.proved):
                return Failure(ErrorCode.DIGEST_MISMATCH, "what lies under the final name is not what was proved")
        return Promoted(trashed)


def write_again(
    objects: Objects, source: str, seen: Seen, wanted: Evidence, key: str, beat: Beat, **condition: str
) -> str:
    """The same bytes under another key; its ETag. Raises ConditionRefused, BackendFailure, LeaseLost."""
    if seen.size_bytes > PART_BYTES:
        return copy(objects, source, seen.etag, seen.size_bytes, key, beat, **condition)
    data = objects.read(source, seen, 0, seen.size_bytes)
    hashes = Hashes()
    hashes.update(data)
    if not same_bytes(hashes.evidence(""), wanted):
        raise BackendFailure(ErrorCode.DIGEST_MISMATCH, f"{source} reads differently now")
    return objects.put(key, data, wanted.sha256, **condition)


def _says_the_same(etag: str, proved: Evidence) -> bool:
    """Whether the service computed this ETag from the proved bytes."""
    return etag in {proved.md5, proved.seal}


def look_for_file(objects: Objects, key: str) -> Seen | None:
    """What holds the key. Raises NAME_TAKEN when keys lie below it as if it were a folder, BackendFailure."""
    for below, _ in objects.listed(f"{key}/", PaginationConfig={"MaxItems": 1}):
        raise BackendFailure(ErrorCode.NAME_TAKEN, f"a folder: {below} lies there")
    return objects.look(key)


def to_trash(objects: Objects, path: str, holder: Seen, old: Evidence, stem: str, on: date, beat: Beat) -> str:
    """A copy of what holds `path`, read back as `old`, in the trash; its path there. Raises BackendFailure, LeaseLost."""
    source = objects.place.key(path)
    for where in trash_names(path, stem, on):
        key = objects.place.key(where)
        there = objects.look(key)
        if there is None:
            try:
                etag = write_again(objects, source, holder, old, key, beat, IfNoneMatch="*")
            except ConditionRefused:
                there = objects.look(key)
            else:
                if _says_the_same(etag, old):
                    return where
                there = objects.look(key)
        if there is not None and same_bytes(objects.evidence(key, there, beat), old):
            return where
    raise BackendFailure(ErrorCode.NAME_TAKEN, f"a thousand versions of {path} in one day's trash")


def trash_names(path: str, stem: str, on: date) -> Iterator[str]:
    """Names for `path` in the day's trash, the plain one first."""
    first = f"{TRASH}/{on.isoformat()}/{path}.{stem}"
    yield first
    yield from (f"{first}.{count}" for count in range(1, 1000))
