"""A repository in a folder of a Globus collection."""

from collections.abc import Collection as Several
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

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
    Remote,
    RemoteState,
    Trashed,
    Unknown,
    unattended,
)
from transfers.backends.globus import listing, promoting, sending, staging, tasks
from transfers.backends.globus.collection import MARKS, Collection
from transfers.backends.globus.place import Place
from transfers.backends.globus.sending import failure_for
from transfers.backends.globus.staging import Staging
from transfers.backends.paths import split
from transfers.rules.errors import ErrorCode, Side

_FILES_PER_JOB = 1_000
"""Each costs three requests when it gets its name, of the few a second that the service grants."""
_LONGEST_PATH = 1_000


class GlobusBackend(Backend):
    """The folder `place`, which has to bear the mark `canary` (None: not marked yet, and therefore not healthy).

    Between two collections only, by the same credential. Nobody reads bytes back here: no READ_BACK, evidence of level 3.
    """

    features: ClassVar[frozenset[Feature]] = frozenset({Feature.REMOTE_JOBS})

    def __init__(self, place: Place, canary: str | None) -> None:
        self.place, self.canary = place, canary
        self._ended: dict[str, tasks.Standing] = {}

    def limits(self) -> Limits:
        return Limits(_FILES_PER_JOB, bytes_per_job=1 << 40, path_bytes=_LONGEST_PATH - 48, name_bytes=255 - 24)

    # --- looking -----------------------------------------------------------------------------------------------

    def probe(self) -> Health:
        collection = Collection(self.place)
        try:
            if collection.document().get("gcp_connected") is False:
                return Health(ErrorCode.UNREACHABLE, "Globus Connect Personal is not running there")
            paused = collection.pauses()
            found = collection.check_mark(self.canary)
        except BackendFailure as problem:
            if problem.code is ErrorCode.AUTH_FAILED:
                self.place.forget()  # renewed secrets are found by the next look
            return Health(problem.code, problem.detail)
        return Health(ErrorCode.PAUSED, "; ".join(paused)) if paused else Health(None, canary=found)

    def establish_canary(self, canary: str) -> None:
        collection = Collection(self.place)
        if not collection.marks():
            collection.make_folder(f"{MARKS}/{canary}")
        found = collection.marks()
        if found != [canary]:
            raise BackendFailure(ErrorCode.CANARY_WRONG, f"the root is marked {', '.join(found)}")
        self.canary = canary

    def on_personal_computer(self) -> bool:
        return sending.is_personal(Collection(self.place).document())

    def stat(self, paths: Iterable[str]) -> dict[str, Look]:
        wanted, collection = list(paths), Collection(self.place)
        try:
            collection.check_mark(self.canary)
            looks = {path: _look(collection, path) for path in wanted}
            if Absent() in looks.values():
                collection.check_mark(self.canary)
            return looks
        except BackendFailure as failure:
            return dict.fromkeys(wanted, Unknown(failure.code, failure.detail))

    def entries(self, prefix: str = "", cursor: str | None = None, limit: int = 10_000) -> Listing:
        collection = self._checked()
        found = listing.page(collection, prefix, cursor, limit)
        collection.check_mark(self.canary)
        return found

    def digest(self, path: str, beat: Beat = unattended) -> Evidence:
        split(path)
        self._checked()
        raise BackendFailure(ErrorCode.UNSUPPORTED, f"bytes of a collection cannot be read from here: {path}")

    # --- moving ------------------------------------------------------------------------------------------------

    def prepare(self) -> str:
        """The service's own submission id: it takes no other. Raises BackendFailure."""
        with Collection(self.place).client() as client:
            return UUID(str(client.get_submission_id()["value"])).hex

    def send(self, source: Backend, job: JobSpec, beat: Beat = unattended) -> Remote:
        try:
            if not isinstance(source, GlobusBackend) or source.place.credential != self.place.credential:
                detail = "the source is not in a collection that the same Globus credential reaches"
                raise BackendFailure(ErrorCode.UNSUPPORTED, detail, Side.BETWEEN)
            start, place = source.as_source(), self._staging(job)
            sending.refuse_two_personal(start, place.collection)
            return sending.submit(start, place, job, beat)
        except BackendFailure as error:
            return Remote(job.handle, RemoteState.FAILED, _all(job, error))

    def as_source(self) -> Collection:
        """The collection as the source of a transfer, seen to be the right one. Raises BackendFailure."""
        collection = Collection(self.place, Side.SOURCE)
        collection.check_mark(self.canary)
        return collection

    def poll(self, remote_ids: Several[str], *, files: bool = True) -> dict[str, Remote]:
        return {**tasks.standings(Collection(self.place), remote_ids, files=files)}

    def find(self, handle: str) -> Remote | None:
        return tasks.standing_of(Collection(self.place), handle, files=False)

    def cancel(self, remote_id: str) -> None:
        with Collection(self.place).client() as client:
            client.cancel_task(remote_id)

    def prove(self, source: Backend, job: JobSpec, beat: Beat = unattended) -> dict[str, Proved | Failure]:
        try:
            return sending.prove(self._staging(job), job, self._standing(job.handle), beat)
        except BackendFailure as error:
            return {**_all(job, error)}

    def promote(
        self, job: JobSpec, proofs: Mapping[str, Proved], beat: Beat = unattended
    ) -> dict[str, Promoted | Failure]:
        try:
            return promoting.promote(self._staging(job), job, proofs, beat)
        except BackendFailure as error:
            return {key: outcome for key, outcome in _all(job, error).items() if key in proofs}

    def release(self, job: JobSpec) -> None:
        collection = self._checked()
        place = Staging(collection, job)
        place.look()
        if not place.closed:
            Staging.claim(collection, job).close()

    def _standing(self, handle: str) -> tasks.Standing | None:
        """How the job's task stands; one that has ended with all it says is asked about once, however many parts a job has."""
        if handle not in self._ended:
            found = tasks.standing_of(Collection(self.place), handle)
            if found is None or found.state is RemoteState.ACTIVE:
                return found
            self._ended[handle] = found
        return self._ended[handle]

    def _checked(self) -> Collection:
        collection = Collection(self.place)
        collection.check_mark(self.canary)
        return collection

    def _staging(self, job: JobSpec) -> Staging:
        return Staging.claim(self._checked(), job)

    # --- removing ----------------------------------------------------------------------------------------------

    def trash(self, path: str, version: int, on: date) -> Trashed | None:
        split(path)
        collection, stem = self._checked(), f"v{version}"
        holder = collection.look(path)
        if holder is None:
            where = next(promoting.trash_names(path, stem, on))
            return None if collection.look(where) is None else Trashed(where, accounted=True)
        if not holder.regular:
            raise BackendFailure(ErrorCode.NOT_A_FILE, path)
        return Trashed(promoting.to_trash(collection, path, stem, on), accounted=True)

    def sweep_staging(self, before: datetime, live_handles: Several[str]) -> list[str]:
        return staging.sweep(self._checked(), before, live_handles)


def _look(collection: Collection, path: str) -> Look:
    try:
        seen = collection.look("/".join(split(path)))
    except BackendFailure as failure:
        return Unknown(failure.code, failure.detail)
    if seen is None:
        return Absent()
    return seen.stat if seen.regular else Unknown(ErrorCode.NOT_A_FILE, "not a regular file")


def _all(job: JobSpec, error: BackendFailure) -> dict[str, Failure]:
    return dict.fromkeys((spec.key for spec in job.files), failure_for(error))
