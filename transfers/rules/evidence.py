"""What an observation is worth: proofs, looks, blame, and what an item does after trouble.

Pure: no Django. The engine and the property model (tests/model) decide by these functions, so the model grades
the very rules that run at night. An error is never an absence, and nothing but a digest is a proof.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from datasets.rules.copies import Cause, CopyState
from transfers.rules.errors import ErrorCode, is_exhausted
from transfers.rules.lifecycle import JOB_WRITING, ItemState, JobState

S = CopyState

LOOKED_AT = frozenset({S.ANNOUNCED, S.CLAIMED, S.VERIFIED, S.SUSPECT})
LOOKS_APART = timedelta(hours=24)
"""Two bad looks condemn a copy only when they are at least this far apart."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The bytes the registry means: one content version of a dataset. No digest at all: hash_state is PENDING."""

    version: int
    size_bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One whole read of a file from the disk where it lies: its size and the digests taken from that read."""

    size_bytes: int
    md5: str | None = None
    sha256: str | None = None


class Presence(StrEnum):
    """What asking for one name gave. UNKNOWN is an error, a time-out, a refusal: it is not an absence."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Finding(StrEnum):
    """What a look established about one copy."""

    GOOD = "good"
    DIFFERENT = "different"
    ABSENT = "absent"
    UNPROVABLE = "unprovable"
    """There, and nothing contradicts it, but there is no digest to compare (none registered, or not readable by us)."""
    UNKNOWN = "unknown"


SOURCE_TROUBLES = frozenset({ErrorCode.SOURCE_VANISHED, ErrorCode.SOURCE_CHANGED, ErrorCode.SOURCE_TRUNCATED})


def proves(reading: Reading, meant: Meant) -> bool:
    """Whether this read shows the meant bytes: every digest both sides know agrees, at least one does, and so does
    the size if it is registered. Without a registered digest nothing is a proof."""
    pairs = [(meant.md5, reading.md5), (meant.sha256, reading.sha256)]
    compared = [registered == read for registered, read in pairs if registered is not None and read is not None]
    return any(compared) and all(compared) and meant.size_bytes in {None, reading.size_bytes}


def contradicts(reading: Reading, meant: Meant) -> bool:
    """Whether this read shows other bytes than the meant ones (a size alone can contradict, never prove)."""
    pairs = [(meant.md5, reading.md5), (meant.sha256, reading.sha256), (meant.size_bytes, reading.size_bytes)]
    return any(registered is not None and read is not None and registered != read for registered, read in pairs)


def finding(presence: Presence, reading: Reading | None, meant: Meant, *, canary: bool) -> Finding:
    """What one look established.

    canary: the repository's own mark was read from the same root before *and* after the look. Without it (another
    disk mounted there, an empty mount point) nothing was established, neither absence nor presence.
    A PRESENT file that could not be read to its end is UNKNOWN to the caller: pass Presence.UNKNOWN.
    """
    if not canary or presence is Presence.UNKNOWN:
        return Finding.UNKNOWN
    if presence is Presence.ABSENT:
        return Finding.ABSENT
    if reading is None:
        return Finding.UNPROVABLE
    if proves(reading, meant):
        return Finding.GOOD
    return Finding.DIFFERENT if contradicts(reading, meant) else Finding.UNPROVABLE


@dataclass(frozen=True, slots=True)
class LookOutcome:
    """What a look does to a record.

    Applied by compare-and-set on what the look began with: the record's state and doubt, the dataset's content
    version; and only while no item is in flight to this copy (its writer could replace the bytes just proved).
    """

    move_to: CopyState | None
    """None: the state stays."""
    cause: Cause
    doubted_at: datetime | None
    """To store: when a look of ours first found it absent or different, without a good look since."""
    proof: bool = False
    """The reading is fresh evidence: store it with its date, even when the state stays VERIFIED."""
    flag: bool = False
    """A person should hear of it: an announced file that is not there, or not as announced."""


def look_outcome(state: CopyState, found: Finding, *, doubted_at: datetime | None, now: datetime) -> LookOutcome:
    """What a look at a copy in `state` does.

    doubted_at: the first bad look of ours, None if there is none (a client's withdrawn claim is no look: the look
    at once that follows it is the first). States that are not looked at stay, and so does everything when nothing
    was established.
    """
    cause = Cause.NIGHT if state is S.ANNOUNCED else Cause.LOOK
    if state not in LOOKED_AT or found is Finding.UNKNOWN:
        return LookOutcome(None, cause, doubted_at)
    if found is Finding.GOOD:
        return LookOutcome(None if state is S.VERIFIED else S.VERIFIED, cause, None, proof=True)
    if found is Finding.UNPROVABLE:
        there = state is S.ANNOUNCED
        return LookOutcome(S.CLAIMED if there else None, cause, None if there else doubted_at)
    return _bad_look(state, found, cause, doubted_at, now)


def _bad_look(
    state: CopyState, found: Finding, cause: Cause, doubted_at: datetime | None, now: datetime
) -> LookOutcome:
    if state in {S.CLAIMED, S.VERIFIED}:
        return LookOutcome(S.SUSPECT, cause, now)
    if doubted_at is None or now - doubted_at < LOOKS_APART:
        return LookOutcome(None, cause, doubted_at or now)
    if state is S.ANNOUNCED:
        return LookOutcome(S.EXPECTED, cause, None, flag=True)
    return LookOutcome(S.MISSING if found is Finding.ABSENT else S.CORRUPT, cause, doubted_at)


def source_trouble(presence: Presence, reading: Reading | None, meant: Meant, *, canary: bool) -> ErrorCode | None:
    """What is wrong with a source; None if nothing contradicts it (not hashed yet: no proof, only a size)."""
    found = finding(presence, reading, meant, canary=canary)
    if found is Finding.UNKNOWN:
        return ErrorCode.UNREACHABLE
    if found is Finding.ABSENT:
        return ErrorCode.SOURCE_VANISHED
    if found is Finding.DIFFERENT and reading is not None:
        short = meant.size_bytes is not None and reading.size_bytes < meant.size_bytes
        return ErrorCode.SOURCE_TRUNCATED if short else ErrorCode.SOURCE_CHANGED
    return None


def arrival_trouble(staged: Reading, meant: Meant, at_source: ErrorCode | None) -> ErrorCode | None:
    """Judge the bytes read back from staging; None: proved.

    at_source: `source_trouble` of a *second* whole read of the source, taken only when the staged bytes are not
    the meant ones, so that the right side is blamed. That read is also a look at the source: give it to
    `look_outcome`, so that a source that is gone or changed stops being one.
    """
    if proves(staged, meant):
        return None
    return at_source or ErrorCode.DIGEST_MISMATCH


def after_failure(code: ErrorCode, failures: int) -> ItemState:
    """Where an item goes after failing with `code`, its `failures`-th failure that counts (from 1)."""
    return ItemState.NEEDS_HUMAN if is_exhausted(code, failures) else ItemState.RETRY_WAIT


def reopens(code: ErrorCode) -> bool:
    """Whether an item that waits for a person because of `code` goes on by itself (to PLANNED) once the registry
    has a source of its version again: the lab put the file back and said so, or a look found it good."""
    return code in SOURCE_TROUBLES


class Arrival(StrEnum):
    """What to do with proved staged bytes, given what lies at the final name."""

    PLACE = "place"
    """Nothing there: link (fails if something appeared), then unlink the staging name."""
    ALREADY_THERE = "already_there"
    """The meant bytes lie there, read back: nothing to write, register them."""
    TRASH_FIRST = "trash_first"
    """Other bytes: link them into the trash, then rename over the name (never move them away: see decision 020)."""
    WAIT = "wait"
    """Could not be seen: touch nothing."""


def arrival(presence: Presence, reading: Reading | None, meant: Meant) -> Arrival:
    """What promoting to a name may do. `reading`: a whole read of what lies there (None: unreadable or absent)."""
    if presence is Presence.ABSENT:
        return Arrival.PLACE
    if presence is Presence.UNKNOWN or reading is None:
        return Arrival.WAIT
    return Arrival.ALREADY_THERE if proves(reading, meant) else Arrival.TRASH_FIRST


def may_leave_in_flight(job: JobState) -> bool:
    """Whether the items of a job may leave BOUND, MOVED, VERIFYING, PROMOTED other than by their own writer.

    Asked by everybody who would take an item away: a new version, a person's cancel, the sweep of lapsed leases.
    """
    return job not in JOB_WRITING


def lease_lapsed(lease_until: datetime | None, now: datetime) -> bool:
    """Whether whoever held this has lost it."""
    return lease_until is not None and now >= lease_until
