"""What every kind of storage offers to the engine, as little as possible; the rest are declared features.

Plain Python, no Django. A backend knows one repository's root. It never decides: it does one bounded thing and says
what it saw. Rules for all of them:

* Paths are relative POSIX paths ("lab/Subjects/a/2026-01-01/001/alf/x.npy"). Anything else is PATH_REFUSED.
* What was not clearly seen is Unknown, never Absent.
* Everything may be called again with the same arguments after a crash at any point and ends in the same state.
* Batch operations give one outcome for each file and raise only `Stopped`; the others raise `BackendFailure`.
* `beat` is called between files, slices and steps, thousands of times in a large batch: the caller lets most calls
  pass by the clock (one that runs on through a suspended machine). When it says False no further side effect follows.
* Backends have no clock: the caller brings dates and stamps evidence with the database's time.
* Before bytes are moved or read here, the `meter` of each place that they leave, enter or are read from is asked.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from transfers.rules.errors import ErrorCode, Side

Beat = Callable[[], bool]
"""Says "still alive" and learns whether the lease is still ours (False: stop)."""


def unattended() -> bool:
    """The beat of somebody who holds no lease: always go on."""
    return True


class BackendFailure(Exception):
    """One thing that did not work. `code`: what happened; `side`: where; `detail`: for the log, never for parsing."""

    def __init__(self, code: ErrorCode, detail: str = "", side: Side = Side.DESTINATION) -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code, self.detail, self.side = code, detail, side


class Stopped(BackendFailure):
    """Nothing is wrong with any file, and no further side effect follows: it is the outcome of none, and passes through."""


class LeaseLost(Stopped):
    """`beat` answered no, or somebody with a higher fence took the job over. The work belongs to them."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(ErrorCode.LEASE_LOST, detail)


class OutOfHours(Stopped):
    """A place lets nothing pass at this hour. What has arrived stays where it is, to go on from."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(ErrorCode.OUT_OF_HOURS, detail)


class Meter:
    """The door through which bytes pass to and from a place. This one is always open; see `backends.pacing` for the other."""

    def take(self, size: int, beat: Beat = unattended) -> None:
        """Wait until `size` bytes may pass. `beat` is asked meanwhile, where the caller may ask it. Raises Stopped."""

    def piece(self, most: int) -> int:
        """How many bytes to move at once, at most `most`."""
        return most


FREE = Meter()


class Feature(StrEnum):
    """What a backend can do beyond the minimum."""

    REMOTE_JOBS = "remote_jobs"
    """`send` returns before the bytes have moved: `poll` until the job has ended."""
    READ_BACK = "read_back"
    """Stored bytes can be read and hashed here: evidence of level 4."""
    LOCAL_FILES = "local_files"
    """Another backend on this machine may read its files as a source."""
    ADDRESSES = "addresses"
    """Its files can be read by others under an address that we make (`address`)."""
    RANGES = "ranges"
    """Any backend of ours may read its files as a source, piece by piece (`reader`)."""


@dataclass(frozen=True)
class Limits:
    """What may be packed into one job, and how names must be."""

    files_per_job: int
    bytes_per_job: int
    path_bytes: int
    name_bytes: int


@dataclass(frozen=True)
class Health:
    """How a repository is, seen now. `problem` None: the right canary was read. `free_bytes` None: not known."""

    problem: ErrorCode | None
    detail: str = ""
    free_bytes: int | None = None
    read_only: bool = False
    canary: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether what is seen under the root may be believed."""
        return self.problem is None


@dataclass(frozen=True)
class Stat:
    """A regular file was seen: evidence of level 1. `size_bytes`; `modified_ns` since 1970."""

    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Absent:
    """Nothing has this name, although the root is reachable and its canary was read before and after."""


@dataclass(frozen=True)
class Unknown:
    """It could not be seen whether the file is there; `code` says why. Never a reason to call a copy missing."""

    code: ErrorCode
    detail: str = ""


Look = Stat | Absent | Unknown


@dataclass(frozen=True)
class Entry:
    """One file of a listing."""

    path: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Listing:
    """One page of a listing in path order. `cursor` None: that was all. `unseen`: places that could not be read."""

    entries: tuple[Entry, ...]
    cursor: str | None
    unseen: tuple[Unknown, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What was read: `level` as in the design (4: stored bytes read back and hashed). Digests in lower-case hex.

    `seal` names these very bytes at rest (which file, its size and its last change): while it is unchanged nobody
    has written there since.
    """

    size_bytes: int
    md5: str | None
    sha256: str | None
    level: int
    seal: str = ""


@dataclass(frozen=True)
class Content:
    """Which bytes are meant: size and digests as far as they are registered (None: not known yet)."""

    size_bytes: int | None
    md5: str | None = None
    sha256: str | None = None

    @property
    def attested(self) -> bool:
        """Whether any digest is known, so that a copy can be proved without its source."""
        return self.md5 is not None or self.sha256 is not None

    def matches(self, seen: Evidence) -> bool:
        """Whether `seen` is what is meant. All registered figures must agree; none registered agrees with nothing."""
        pairs = ((self.md5, seen.md5), (self.sha256, seen.sha256))
        known = [(want.lower(), have) for want, have in pairs if want is not None and have is not None]
        size_fits = self.size_bytes is None or self.size_bytes == seen.size_bytes
        return bool(known) and size_fits and all(want == have for want, have in known)


@dataclass(frozen=True)
class FileSpec:
    """One file of a job. `key`: the caller's name for it (the item's id: letters, digits, - and _), unique in the job.

    `version`: the content version this brings. `replaces`: the (version, content) registered for the bytes that hold
    the final name now, None when nothing should be there.
    """

    key: str
    source_path: str
    final_path: str
    content: Content
    version: int = 1
    replaces: tuple[int, Content] | None = None


@dataclass(frozen=True)
class JobSpec:
    """Files sent together.

    `handle`: from `prepare`, stored before `send`; names the staging place of the attempt.
    `fence`: of the job's lease. Who comes with a higher one takes the staging place over; a lower one gets LeaseLost.
    `on`: the night's date, for the trash. A later call for the same handle may name fewer of its files.
    """

    handle: str
    fence: int
    files: tuple[FileSpec, ...]
    on: date


@dataclass(frozen=True)
class Failure:
    """This file did not get through. The sentence for people is in `transfers.rules.errors`."""

    code: ErrorCode
    detail: str = ""
    side: Side = Side.DESTINATION


@dataclass(frozen=True)
class Moved:
    """The bytes lie durably in the staging place; that proves nothing. `evidence`: what the transport itself gave."""

    size_bytes: int
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Proved:
    """The stored bytes were read back and are the ones meant.

    `observed`: no digest was registered; source and copy were read and agree; `evidence` has the digests to register.
    `at_final`: they already hold the final name (a promotion was cut short after its rename).
    """

    evidence: Evidence
    observed: bool = False
    at_final: bool = False


@dataclass(frozen=True)
class Trashed:
    """Bytes that held the final name. `accounted`: they were the version the registry expected there."""

    path: str
    accounted: bool
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Promoted:
    """The proved bytes hold their final name, durably. `trashed`: what they replaced."""

    trashed: Trashed | None = None


class RemoteState(StrEnum):
    """How a job stands where it runs. Only ACTIVE may still write."""

    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Remote:
    """A job where it runs. `outcomes` (by file key) are complete once the state is not ACTIVE; a file that is missing
    from them is unknown: only its digest decides.

    `detail`: how far it is, in words that change when it gets on. `problem`: why it stands still (it may still go on), or
    why it ended badly as a whole.
    """

    id: str
    state: RemoteState
    outcomes: Mapping[str, Moved | Failure] = field(default_factory=dict)
    detail: str = ""
    problem: Failure | None = None


class Reader(ABC):
    """One file, open as the source of a copy. May be read by several threads. Failures are the source's."""

    size_bytes: int

    @abstractmethod
    def read(self, start: int, length: int) -> bytes:
        """These bytes; fewer only when the file is shorter by now. Raises BackendFailure."""

    @abstractmethod
    def unchanged(self) -> bool:
        """Whether the file is still the one that was opened. Raises BackendFailure."""


class Backend(ABC):
    """One repository's storage."""

    features: ClassVar[frozenset[Feature]] = frozenset()
    meter: Meter = FREE

    @abstractmethod
    def limits(self) -> Limits:
        """What fits into one job."""

    # --- looking -----------------------------------------------------------------------------------------------

    @abstractmethod
    def probe(self) -> Health:
        """Whether the root is reachable, is the right one (canary) and has room. Raises nothing."""

    @abstractmethod
    def establish_canary(self, canary: str) -> None:
        """Mark the root as this repository's. Raises CANARY_WRONG when it bears another mark; repeating is harmless."""

    def on_personal_computer(self) -> bool:
        """Whether it is reached by somebody's own computer, of which the service carries nothing to another such. Raises
        BackendFailure."""
        return False

    @abstractmethod
    def stat(self, paths: Iterable[str]) -> dict[str, Look]:
        """A look at each path. Raises nothing."""

    @abstractmethod
    def entries(self, prefix: str = "", cursor: str | None = None, limit: int = 10_000) -> Listing:
        """Up to `limit` files below the folder `prefix`, after `cursor`, in path order; our own folders left out.

        Raises BackendFailure when the root is not healthy: an empty page always means an empty folder.
        """

    @abstractmethod
    def digest(self, path: str, beat: Beat = unattended) -> Evidence:
        """Read the stored bytes and hash them (MD5 and SHA-256 in one read). Raises BackendFailure, LeaseLost."""

    def reader(self, path: str) -> AbstractContextManager[Reader]:
        """Open a file as the source of a copy made by another backend. Only with RANGES. Raises BackendFailure."""
        raise BackendFailure(ErrorCode.UNSUPPORTED, f"not readable piece by piece: {path}", Side.SOURCE)

    def address(self, path: str, seconds: int, method: str) -> str:
        """An address from which whoever has it may read the file for so long (without end where the place is public) by
        GET or HEAD. Asks nobody whether it exists. Only with ADDRESSES. Raises BackendFailure."""
        raise BackendFailure(ErrorCode.UNSUPPORTED, f"no address of its own: {path} ({method}, {seconds} s)")

    # --- moving ------------------------------------------------------------------------------------------------

    @abstractmethod
    def prepare(self) -> str:
        """A new handle for one job, to be stored before `send`. Raises BackendFailure where others give it out."""

    @abstractmethod
    def send(self, source: "Backend", job: JobSpec, beat: Beat = unattended) -> Remote:
        """Bring the job's files from `source` into the staging place. The same handle never makes a second job:
        sending again goes on where the first stopped.

        With REMOTE_JOBS the answer has the remote job's id. Where it has the handle instead, nothing is known to have
        begun: ACTIVE means that it may have (send again under the same handle), any other state that this call began
        nothing for certain, and why.
        """

    def poll(self, remote_ids: Collection[str], *, files: bool = True) -> dict[str, Remote]:
        """How remote jobs stand, whatever their destination, as far as this login sees them; one that is left out may live all
        the same. `files`: with the outcomes of those that have ended; without, as cheaply as can be. Only with REMOTE_JOBS:
        otherwise `send` has said everything. Raises BackendFailure."""
        raise BackendFailure(ErrorCode.UNSUPPORTED, f"no remote jobs: {sorted(remote_ids)[:3]}, {files}")

    def find(self, handle: str) -> Remote | None:
        """The remote job that was begun under a handle; None: none is known (a submission may still be on its way). Only with
        REMOTE_JOBS. Raises BackendFailure."""
        raise BackendFailure(ErrorCode.UNSUPPORTED, f"no remote jobs: {handle}")

    def cancel(self, remote_id: str) -> None:
        """Ask a remote job to stop; it may write until `poll` says it has ended."""
        raise BackendFailure(ErrorCode.UNSUPPORTED, f"no remote jobs: {remote_id}")

    @abstractmethod
    def prove(self, source: "Backend", job: JobSpec, beat: Beat = unattended) -> dict[str, Proved | Failure]:
        """Read the staged bytes back and compare. The source is read only to explain a difference, or when no digest is
        registered."""

    @abstractmethod
    def promote(
        self, job: JobSpec, proofs: Mapping[str, Proved], beat: Beat = unattended
    ) -> dict[str, Promoted | Failure]:
        """Give the proved files (those in `proofs`) their final names. What holds such a name goes to the trash,
        whatever it is; nothing is overwritten."""

    @abstractmethod
    def release(self, job: JobSpec) -> None:
        """The job is settled: its staging place goes, except bytes that failed their proof (kept for `sweep_staging`).

        Also bars a former owner of the job: nothing of it can be promoted any more. Raises LeaseLost, BackendFailure.
        """

    # --- removing ----------------------------------------------------------------------------------------------

    @abstractmethod
    def trash(self, path: str, version: int, on: date) -> Trashed | None:
        """Move a file into the trash; None when nothing has that name. Raises BackendFailure."""

    @abstractmethod
    def sweep_staging(self, before: datetime, live_handles: Collection[str]) -> list[str]:
        """Remove staging places last touched before `before` that belong to no live handle; the handles removed."""
