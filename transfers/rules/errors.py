"""What can go wrong with a copy, what the engine does about it, and how it is said to people.

Pure: no Django. One table: `POLICIES`. A code without a row cannot exist (tested), and a code that we do not know
is treated like one bad item and reported as unknown.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class ErrorCode(StrEnum):
    """What happened. The value is stored with the item and shown in `transfers status`."""

    SOURCE_VANISHED = "source_vanished"
    SOURCE_TRUNCATED = "source_truncated"
    """Smaller than registered."""
    SOURCE_CHANGED = "source_changed"
    """Holds other bytes than registered; two reads agree on that."""
    SOURCE_UNSTABLE = "source_unstable"
    """Changed while it was being read."""
    DIGEST_MISMATCH = "digest_mismatch"
    """The copy differs from what was registered, the source does not: damaged on the way or at rest."""
    STAGED_LOST = "staged_lost"
    """The staged bytes of this attempt are gone; the attempt starts again."""
    IO_ERROR = "io_error"
    NO_SPACE = "no_space"
    READ_ONLY = "read_only"
    PERMISSION_DENIED = "permission_denied"
    UNREACHABLE = "unreachable"
    CANARY_MISSING = "canary_missing"
    CANARY_WRONG = "canary_wrong"
    NOT_A_FILE = "not_a_file"
    NAME_TAKEN = "name_taken"
    """Something that is not a file holds the final name or a folder of it."""
    PATH_REFUSED = "path_refused"
    NAME_TOO_LONG = "name_too_long"
    TIMEOUT = "timeout"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LEFT_OUT = "left_out"
    """A remote job ended because of one of its files before the turn of this one; or it did not say because of which."""
    OFFLINE = "offline"
    """The place as a whole does not answer, seen before anything was begun."""
    TOO_BUSY = "too_busy"
    AUTH_FAILED = "auth_failed"
    CONSENT_REQUIRED = "consent_required"
    PAUSED = "paused"
    UNSUPPORTED = "unsupported"
    LEASE_LOST = "lease_lost"
    OUT_OF_HOURS = "out_of_hours"
    """A place lets nothing be moved at this hour, by its own setting."""
    WORKER_DIED = "worker_died"
    UNKNOWN = "unknown"


class PolicyClass(StrEnum):
    """Who waits for what after a failure."""

    TRANSIENT = "transient"
    """Try again soon, with growing pauses."""
    NIGHTLY = "nightly"
    """Try again in the next window; tell people after the second."""
    ITEM = "item"
    """This file only: a few looks a night apart, then a person."""
    INTEGRITY = "integrity"
    """Bytes are not what they should be: once more at once, then a person and a look at the storage."""
    REPOSITORY = "repository"
    """The place as a whole: it is blocked, its items wait and lose no attempt."""
    PERSON = "person"
    """Repeating cannot help: a person decides."""
    COMPANY = "company"
    """Another file of the same job spoiled it: again soon, in smaller company, and the try is not counted."""
    YIELD = "yield"
    """Somebody else holds the work: stop and leave everything as it is."""


class Side(StrEnum):
    """Where it happened. Blame needs evidence: an error of one side never speaks about the other."""

    SOURCE = "source"
    DESTINATION = "destination"
    BETWEEN = "between"


@dataclass(frozen=True)
class Policy:
    """What follows from one code.

    `attempts`: how many times the item is tried in all before a person is asked; None: no limit.
    `consumes`: whether a failure counts as one of them. `sentence`: what happened, why, what to do.
    """

    kind: PolicyClass
    sentence: str
    attempts: int | None
    consumes: bool
    alert_after: int

    @property
    def blocks_repository(self) -> bool:
        """Whether the repository, not the item, has to wait."""
        return self.kind is PolicyClass.REPOSITORY


_DEFAULTS: dict[PolicyClass, tuple[int | None, bool, int]] = {
    # class: attempts in all, does a failure consume one, people are told after so many
    PolicyClass.TRANSIENT: (10, True, 5),
    PolicyClass.NIGHTLY: (7, True, 2),
    PolicyClass.ITEM: (3, True, 1),
    PolicyClass.INTEGRITY: (2, True, 1),
    PolicyClass.REPOSITORY: (None, False, 1),
    PolicyClass.PERSON: (1, True, 1),
    PolicyClass.COMPANY: (None, False, 1_000_000),
    PolicyClass.YIELD: (None, False, 1_000_000),
}


def _policy(kind: PolicyClass, sentence: str) -> Policy:
    attempts, consumes, alert_after = _DEFAULTS[kind]
    return Policy(kind, sentence, attempts, consumes, alert_after)


C, P = ErrorCode, PolicyClass

POLICIES: dict[ErrorCode, Policy] = {
    C.SOURCE_VANISHED: _policy(
        P.ITEM,
        "The file is not at the source any more. It was moved or deleted after registration. "
        "Put it back, or withdraw the record if the copy is meant to be gone.",
    ),
    C.SOURCE_TRUNCATED: _policy(
        P.ITEM,
        "The file at the source is smaller than registered. It was registered before it was complete, or cut short. "
        "Complete it, or register it again as it is.",
    ),
    C.SOURCE_CHANGED: _policy(
        P.PERSON,
        "The file at the source is not the one that was registered. It was changed without a new registration. "
        "Register it again (as a new version), or restore it from another copy; then retry.",
    ),
    C.SOURCE_UNSTABLE: _policy(
        P.NIGHTLY,
        "The file at the source changed while it was read. Something is still writing it. "
        "It is tried again next night; find the writer if this goes on.",
    ),
    C.DIGEST_MISMATCH: _policy(
        P.INTEGRITY,
        "The copy that arrived differs from the registered file, the source does not. It was damaged on the way. "
        "It is copied once more; if that fails too, check memory and disk of the destination.",
    ),
    C.STAGED_LOST: _policy(
        P.TRANSIENT,
        "The bytes that waited for their final name are gone. Somebody cleaned the staging folder. "
        "The file is copied again; leave .alyx-staging to the engine.",
    ),
    C.IO_ERROR: _policy(
        P.INTEGRITY,
        "The storage answered with an input/output error. A disk or its connection may be failing. "
        "It is tried once more; check the storage.",
    ),
    C.NO_SPACE: _policy(
        P.REPOSITORY,
        "The destination is full, or over its quota. Nothing more can be stored there. "
        "Free space or raise the quota; the waiting files follow by themselves.",
    ),
    C.READ_ONLY: _policy(
        P.REPOSITORY,
        "The destination accepts no writing. It is mounted read-only, often after a disk error. "
        "Check the disk and mount it writable again.",
    ),
    C.PERMISSION_DENIED: _policy(
        P.ITEM,
        "Access to the file or its folder was refused. Owner or mode do not let the engine in. "
        "Correct the permissions; it is looked at again next night.",
    ),
    C.UNREACHABLE: _policy(
        P.TRANSIENT,
        "The repository did not answer. The server or the network is down. "
        "It is tried again by itself; nothing is concluded from the silence.",
    ),
    C.CANARY_MISSING: _policy(
        P.REPOSITORY,
        "The marker file .alyx-canary is not at the repository's root. The disk is not mounted, or the root is wrong. "
        "Mount it, or establish the marker if this is a new repository.",
    ),
    C.CANARY_WRONG: _policy(
        P.REPOSITORY,
        "The marker file at the root belongs to another repository. Another disk is mounted here. "
        "Mount the right one, or correct the root.",
    ),
    C.NOT_A_FILE: _policy(
        P.ITEM,
        "The name belongs to something that is not a regular file (folder, pipe, device). It cannot be copied. "
        "Replace it by the file, or withdraw the record.",
    ),
    C.NAME_TAKEN: _policy(
        P.PERSON,
        "The final name, or a folder of it, is held by something else at the destination. It is not overwritten. "
        "Move it out of the way, then retry.",
    ),
    C.PATH_REFUSED: _policy(
        P.PERSON,
        "The path leaves the repository's root, or is not a plain relative path. It is never followed. "
        "Correct the registration, or replace the symbolic link by the file.",
    ),
    C.NAME_TOO_LONG: _policy(
        P.PERSON,
        "The name is longer than the storage allows. It cannot be stored there. Shorten it and register it again.",
    ),
    C.TIMEOUT: _policy(
        P.TRANSIENT,
        "The storage took too long to answer. It is overloaded, or the network is slow. It is tried again by itself.",
    ),
    C.EXPIRED: _policy(
        P.NIGHTLY,
        "The transfer did not end before its deadline. It was too much for one night, or stood still. "
        "What is missing follows next night in smaller batches.",
    ),
    C.CANCELLED: _policy(
        P.NIGHTLY,
        "The transfer was cancelled before this file's turn. Somebody ended it, here or at the service. "
        "It is tried again next night.",
    ),
    C.LEFT_OUT: _policy(
        P.COMPANY,
        "The transfer ended because of one of its files, before it was known which or before this file's turn. "
        "It goes again by itself, with fewer others.",
    ),
    C.OFFLINE: _policy(
        P.REPOSITORY,
        "The repository does not answer: its server, its network or the service in front of it is off. "
        "Start it, or mend the network; the waiting files follow by themselves.",
    ),
    C.TOO_BUSY: _policy(
        P.TRANSIENT,
        "The service asked for fewer requests. It is tried again by itself, more slowly.",
    ),
    C.AUTH_FAILED: _policy(
        P.REPOSITORY,
        "The repository refused our credentials. They expired or were revoked. Renew them; waiting files follow.",
    ),
    C.CONSENT_REQUIRED: _policy(
        P.REPOSITORY,
        "The repository asks for a consent that was not given. Give it with the command shown on its page.",
    ),
    C.PAUSED: _policy(
        P.REPOSITORY,
        "An administrator of the repository paused transfers. They go on when the pause is lifted.",
    ),
    C.UNSUPPORTED: _policy(
        P.PERSON,
        "No way leads from this source to this destination. Choose another route for the repository.",
    ),
    C.LEASE_LOST: _policy(
        P.YIELD,
        "The worker was silent for too long and another one took over. Nothing is to be done.",
    ),
    C.OUT_OF_HOURS: _policy(
        P.YIELD,
        "The repository lets nothing be moved at this hour (its bandwidth). "
        "It goes on by itself when its hours open; what has arrived is not sent again.",
    ),
    C.WORKER_DIED: _policy(
        P.TRANSIENT,
        "The worker died with this file in hand. It is tried again by itself; look at the worker's log if it recurs.",
    ),
    C.UNKNOWN: _policy(
        P.ITEM,
        "Something happened that the engine has no name for. The details are with the attempt. "
        "Please report it; the file is tried again next night.",
    ),
}

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=2)
NEXT_NIGHT = timedelta(hours=12)
"""Past the end of tonight's window and before tomorrow's."""
REPOSITORY_PAUSE = timedelta(minutes=15)
"""How soon a blocked repository's items are looked at again once it is healthy."""


def policy(code: ErrorCode) -> Policy:
    """What follows from `code`."""
    return POLICIES[code]


def parse_code(text: str) -> ErrorCode:
    """The code named `text`; UNKNOWN for anything else."""
    try:
        return ErrorCode(text)
    except ValueError:
        return ErrorCode.UNKNOWN


def is_exhausted(code: ErrorCode, attempts: int) -> bool:
    """Whether an item that failed with `code` for the `attempts`-th time (counted from 1) waits for a person."""
    allowed = POLICIES[code].attempts
    return allowed is not None and attempts >= allowed


def retry_delay(code: ErrorCode, attempts: int, jitter: float) -> timedelta:
    """The pause before the next try after the `attempts`-th failure (counted from 1).

    `jitter` in [0, 1): transient pauses are drawn from the whole range (full jitter) and never zero; the others are
    spread by up to a tenth. Raises ValueError outside these ranges.
    """
    if attempts < 1 or not 0 <= jitter < 1:
        message = f"attempts >= 1 and 0 <= jitter < 1, not {attempts} and {jitter}"
        raise ValueError(message)
    match POLICIES[code].kind:
        case PolicyClass.TRANSIENT:
            ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(attempts - 1, 10)))
            return max(timedelta(seconds=1), ceiling * jitter)
        case PolicyClass.INTEGRITY | PolicyClass.YIELD | PolicyClass.COMPANY:
            return timedelta(0)
        case PolicyClass.REPOSITORY:
            return REPOSITORY_PAUSE * (1 + jitter / 10)
        case PolicyClass.NIGHTLY | PolicyClass.ITEM | PolicyClass.PERSON:
            return NEXT_NIGHT * (1 + jitter / 10)
