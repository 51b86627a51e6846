"""A repository in a folder of a bucket."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

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
from transfers.backends.parallel import each
from transfers.backends.paths import CANARY, split
from transfers.backends.s3 import listing, promoting, sending, staging
from transfers.backends.s3.errors import failure_of
from transfers.backends.s3.objects import ConditionRefused, Kept, ObjectReader, Objects
from transfers.backends.s3.place import WORKERS, Place
from transfers.backends.s3.sending import failure_for
from transfers.backends.s3.staging import Staging
from transfers.rules.errors import ErrorCode, Side

_LONGEST_KEY = 1024
_ROOM_IN_KEYS = 48
"""Left for what the trash puts before and after a path."""


class S3Backend(Backend):
    """The folder `place`, which has to bear the mark `canary` (None: not marked yet, and therefore not healthy)."""

    features: ClassVar[frozenset[Feature]] = frozenset({Feature.READ_BACK, Feature.RANGES, Feature.ADDRESSES})

    def __init__(self, place: Place, canary: str | None) -> None:
        self.place, self.canary = place, canary
        self._kept = Kept()

    def limits(self) -> Limits:
        return Limits(
            files_per_job=2_000,
            bytes_per_job=1 << 40,
            path_bytes=_LONGEST_KEY - _ROOM_IN_KEYS - len(self.place.prefix.encode()),
            name_bytes=255,
        )

    # --- looking -----------------------------------------------------------------------------------------------

    def probe(self) -> Health:
        try:
            found = self._check(Objects(self.place, meter=self.meter))
        except BackendFailure as problem:
            if problem.code is ErrorCode.AUTH_FAILED:
                self.place.forget()  # renewed keys are found by the next look
            return Health(problem.code, problem.detail)
        return Health(None, read_only=not self.place.credential, canary=found)

    def establish_canary(self, canary: str) -> None:
        objects = Objects(self.place, meter=self.meter)
        found = _mark(objects)
        if found is None:
            with suppress(ConditionRefused):  # somebody was faster: what stands there now decides
                objects.put(self.place.key(CANARY), f"{canary}\n".encode(), IfNoneMatch="*")
            found = _mark(objects)
        if found != canary:
            raise BackendFailure(ErrorCode.CANARY_WRONG, f"the root is marked {found!r}")
        self.canary = canary

    def stat(self, paths: Iterable[str]) -> dict[str, Look]:
        wanted, objects = list(paths), Objects(self.place, meter=self.meter)
        try:
            self._check(objects)
            looks = dict(each(lambda path: _look(objects, path), wanted, unattended, WORKERS))
            if Absent() in looks.values():
                self._check(objects)
            return looks
        except BackendFailure as failure:
            return dict.fromkeys(wanted, Unknown(failure.code, failure.detail))

    def entries(self, prefix: str = "", cursor: str | None = None, limit: int = 10_000) -> Listing:
        for path in filter(None, (prefix, cursor)):
            split(path)
        objects = Objects(self.place, meter=self.meter)
        self._check(objects)
        found = listing.page(objects, prefix, cursor, limit)
        self._check(objects)
        return found

    def digest(self, path: str, beat: Beat = unattended) -> Evidence:
        with self._opened(path, Side.DESTINATION) as file:
            return file.objects.evidence(file.key, file.seen, beat)

    @contextmanager
    def reader(self, path: str) -> Iterator[Reader]:
        with self._opened(path, Side.SOURCE) as file:
            yield file

    def address(self, path: str, seconds: int, method: str) -> str:
        asked = {"Bucket": self.place.bucket, "Key": self.place.key("/".join(split(path)))}
        operation = "head_object" if method == "HEAD" else "get_object"
        try:
            return str(self.place.client().generate_presigned_url(operation, Params=asked, ExpiresIn=seconds))
        except (ClientError, BotoCoreError) as error:
            raise failure_of(error, Side.DESTINATION) from error

    @contextmanager
    def _opened(self, path: str, side: Side) -> Iterator[ObjectReader]:
        objects = Objects(self.place, side, self.meter)
        key = self.place.key("/".join(split(path, side)))
        self._check(objects)
        seen = objects.look(key)
        if seen is None:
            self._check(objects)
            raise BackendFailure(ErrorCode.SOURCE_VANISHED, path, side)
        yield ObjectReader(objects, key, seen)

    # --- moving ------------------------------------------------------------------------------------------------

    def prepare(self) -> str:
        return uuid.uuid4().hex

    def send(self, source: Backend, job: JobSpec, beat: Beat = unattended) -> Remote:
        try:
            outcomes = sending.stage(source, self._staging(job), job, beat)
        except BackendFailure as error:
            outcomes = {**_all(job, error)}
        return Remote(job.handle, RemoteState.SUCCEEDED, outcomes)

    def prove(self, source: Backend, job: JobSpec, beat: Beat = unattended) -> dict[str, Proved | Failure]:
        try:
            return sending.prove(source, self._staging(job), job, self._kept, beat)
        except BackendFailure as error:
            return {**_all(job, error)}

    def promote(
        self, job: JobSpec, proofs: Mapping[str, Proved], beat: Beat = unattended
    ) -> dict[str, Promoted | Failure]:
        try:
            return promoting.promote(self._staging(job), job, proofs, self._kept, beat)
        except BackendFailure as error:
            return {key: outcome for key, outcome in _all(job, error).items() if key in proofs}
        finally:
            self._kept.clear()

    def release(self, job: JobSpec) -> None:
        objects = Objects(self.place, meter=self.meter)
        self._check(objects)
        place = Staging(objects, job)
        place.look()
        if not place.closed:
            Staging.claim(objects, job).close()

    def _staging(self, job: JobSpec) -> Staging:
        objects = Objects(self.place, meter=self.meter)
        self._check(objects)
        return Staging.claim(objects, job)

    def _check(self, objects: Objects) -> str:
        """The mark, which has to be ours. Raises CANARY_MISSING, CANARY_WRONG, and what reading it gives."""
        found = _mark(objects)
        if found is None or self.canary is None:
            detail = "no marker at the root" if found is None else "the repository has no marker on record"
            raise BackendFailure(ErrorCode.CANARY_MISSING, detail, objects.side)
        if found != self.canary:
            raise BackendFailure(ErrorCode.CANARY_WRONG, f"marked {found!r}, expected {self.canary!r}", objects.side)
        return found

    # --- removing ----------------------------------------------------------------------------------------------

    def trash(self, path: str, version: int, on: date) -> Trashed | None:
        split(path)
        objects, stem = Objects(self.place, meter=self.meter), f"v{version}"
        self._check(objects)
        key = self.place.key(path)
        holder = promoting.look_for_file(objects, key)
        if holder is None:
            where = next(promoting.trash_names(path, stem, on))
            return None if objects.look(self.place.key(where)) is None else Trashed(where, accounted=True)
        old = objects.evidence(key, holder)
        where = promoting.to_trash(objects, path, holder, old, stem, on, unattended)
        objects.hide(key, holder)
        return Trashed(where, accounted=True)

    def sweep_staging(self, before: datetime, live_handles: Collection[str]) -> list[str]:
        objects = Objects(self.place, meter=self.meter)
        self._check(objects)
        return staging.sweep(objects, before, live_handles)


def _mark(objects: Objects) -> str | None:
    """What marks this root; None when nothing does. Raises BackendFailure: refused here is refused everywhere."""
    try:
        found = objects.beginning(objects.place.key(CANARY), 200)
        return None if found is None else found.decode(errors="replace").strip()
    except BackendFailure as failure:
        if failure.code is ErrorCode.PERMISSION_DENIED:
            raise BackendFailure(ErrorCode.AUTH_FAILED, failure.detail, failure.side) from failure
        raise


def _look(objects: Objects, path: str) -> Look:
    try:
        seen = objects.look(objects.place.key("/".join(split(path))))
    except BackendFailure as failure:
        return Unknown(failure.code, failure.detail)
    return Absent() if seen is None else Stat(seen.size_bytes, seen.modified_ns)


def _all(job: JobSpec, error: BackendFailure) -> dict[str, Failure]:
    return dict.fromkeys((spec.key for spec in job.files), failure_for(error))
