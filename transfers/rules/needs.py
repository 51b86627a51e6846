"""What must be done about trouble, and by whom: one row for each code of `transfers.rules.errors`, and for places and copies.

Pure: no Django. The morning page, the mail and REST say the same words.
"""

from dataclasses import dataclass
from enum import StrEnum

from transfers.rules.errors import ErrorCode, PolicyClass, parse_code, policy


class Who(StrEnum):
    """Whose turn it is, as people say it."""

    LAB = "the lab"
    MANAGER = "the data manager"
    KEEPER = "whoever runs the repository"
    SERVER = "whoever runs this server"
    NOBODY = "nobody yet"


class Turn(StrEnum):
    """Whether somebody has to act, or it goes on by itself."""

    PERSON = "person"
    ITSELF = "itself"


@dataclass(frozen=True)
class Act:
    """What a group of troubles is called, who acts, and what they do. `{source}`, `{destination}` and `{where}` (which of
    them, as far as it is known) are filled in."""

    title: str
    who: Who
    do: str


C = ErrorCode
_SAME = "then press “Retry”"
ACTS: dict[ErrorCode, Act] = {
    C.SOURCE_VANISHED: Act(
        "file gone from {source}", Who.LAB, f"put it back at {{source}}, {_SAME}; or withdraw the dataset"
    ),
    C.SOURCE_TRUNCATED: Act(
        "file at {source} shorter than registered", Who.LAB, "complete it, or register it again as it is"
    ),
    C.SOURCE_CHANGED: Act(
        "hash differs at {source}: not the file that was registered",
        Who.LAB,
        f"register it again as a new version, or restore it from another copy, {_SAME}",
    ),
    C.SOURCE_UNSTABLE: Act(
        "file at {source} still being written", Who.LAB, "find the program that writes it, if it goes on another night"
    ),
    C.DIGEST_MISMATCH: Act(
        "hash differs at {destination}: damaged on the way",
        Who.KEEPER,
        f"check memory and disk of {{destination}}, {_SAME}",
    ),
    C.STAGED_LOST: Act("staging of {destination} was cleaned", Who.KEEPER, "let nothing else clean .alyx-staging"),
    C.IO_ERROR: Act("input/output error at {where}", Who.KEEPER, f"check the disks and cables, {_SAME}"),
    C.NO_SPACE: Act("{destination} is full", Who.KEEPER, "free space or raise the quota; what waits follows by itself"),
    C.READ_ONLY: Act("{destination} is mounted read-only", Who.KEEPER, "check its disk and mount it writable again"),
    C.PERMISSION_DENIED: Act(
        "permission denied at {where}",
        Who.KEEPER,
        f"correct owner and mode of the file or folder, {_SAME}",
    ),
    C.UNREACHABLE: Act("no answer from {where}", Who.KEEPER, "switch the server or its network on again"),
    C.CANARY_MISSING: Act(
        "drive offline: no marker at {where}",
        Who.KEEPER,
        "mount the disk; if it is a new one, `manage.py transfers establish-canary`",
    ),
    C.CANARY_WRONG: Act("another disk is mounted at {where}", Who.KEEPER, "mount the right one, or correct the root"),
    C.NOT_A_FILE: Act("not a regular file at {source}", Who.LAB, f"put the file in its place, {_SAME}"),
    C.NAME_TAKEN: Act("name taken at {destination}", Who.KEEPER, f"move what holds the name out of the way, {_SAME}"),
    C.PATH_REFUSED: Act(
        "path leaves the root of {source}", Who.LAB, "correct the registration, or replace the link by the file"
    ),
    C.NAME_TOO_LONG: Act("name too long for {destination}", Who.LAB, "shorten the name and register it again"),
    C.TIMEOUT: Act("time-outs at {where}", Who.KEEPER, f"see why the storage is slow, {_SAME}"),
    C.EXPIRED: Act("not done before the deadline", Who.KEEPER, "see what slowed it; the rest follows next night"),
    C.CANCELLED: Act("transfer cancelled", Who.MANAGER, "see who ended it; it is tried again next night"),
    C.LEFT_OUT: Act("ended because of another file", Who.NOBODY, "wait: it goes again with fewer others"),
    C.OFFLINE: Act("{where} is offline", Who.KEEPER, "start the server or its network; what waits follows by itself"),
    C.TOO_BUSY: Act("the service is too busy", Who.NOBODY, "wait: it is tried more slowly"),
    C.AUTH_FAILED: Act("credentials refused", Who.KEEPER, "renew the credentials; what waits follows by itself"),
    C.CONSENT_REQUIRED: Act(
        "Globus consent missing", Who.KEEPER, "renew it: the command stands on the repository's page"
    ),
    C.PAUSED: Act("transfers paused by an administrator", Who.KEEPER, "lift the pause"),
    C.UNSUPPORTED: Act("no way from {source} to {destination}", Who.KEEPER, "choose another route for the repository"),
    C.LEASE_LOST: Act("another worker took over", Who.NOBODY, "nothing: it goes on"),
    C.OUT_OF_HOURS: Act("outside the hours of {where}", Who.NOBODY, "nothing: it goes on when they open"),
    C.WORKER_DIED: Act("a worker died with the file in hand", Who.SERVER, f"look at the worker's log, {_SAME}"),
    C.UNKNOWN: Act("a failure without a name", Who.SERVER, f"read the event log and report it, {_SAME}"),
}

PLACES: dict[str, Act] = {
    "blocked": Act("{place} cannot be used", Who.KEEPER, "put right what the reason says; it is taken back by itself"),
    "full": Act("{place} is full", Who.KEEPER, "free space or raise the quota; what waits follows by itself"),
    "quarantined": Act(
        "drive offline: {place} is not the disk we know",
        Who.KEEPER,
        "mount the right disk; it is taken back by itself",
    ),
    "unmarked": Act(
        "{place} was never marked as ours",
        Who.MANAGER,
        "check that the right disk is mounted, then `manage.py transfers establish-canary {place}`",
    ),
    "not_ready": Act(
        "{place} is not ready for the night",
        Who.KEEPER,
        "put right what the evening's look found, then look again: `manage.py preflight --repository {place}`",
    ),
    "missed": Act(
        "the night of {place} was never opened",
        Who.SERVER,
        "see why the server was off; the next night brings what is missing",
    ),
    "stalled": Act(
        "jobs of {place} are in nobody's hands", Who.SERVER, "start the worker: it takes them over by itself"
    ),
    "no_server": Act("the lab has no server repository", Who.MANAGER, "add one: until then nothing is copied"),
}
"""By what is wrong with a repository."""

COPIES: dict[str, Act] = {
    "suspect": Act(
        "copy in doubt at {place}", Who.LAB, "a second look a day later decides; press “Verify now” to look sooner"
    ),
    "missing": Act("copy lost at {place}", Who.LAB, "put it back and register it there, or withdraw the record"),
    "corrupt": Act(
        "hash differs: corrupt copy at {place}", Who.KEEPER, "check the disk; restore it from a proved copy"
    ),
    "announced": Act("announced, but not found at {place}", Who.LAB, "put the file there, or withdraw the record"),
}
"""By the state of a copy that is not good."""


def turn_of(state: str, code: ErrorCode, attempts: int) -> Turn:
    """Whether a person is needed for an item in `needs_human` or `retry_wait` that failed with `code` so many times."""
    known = policy(code)
    if state == "needs_human" or known.kind in {PolicyClass.REPOSITORY, PolicyClass.PERSON}:
        return Turn.PERSON
    return Turn.PERSON if attempts >= known.alert_after else Turn.ITSELF


def act_of(about: str, code: str) -> Act:
    """What to do about a thing (`item`, `place` or `copy`) with this trouble. Unknown words are said to be unknown."""
    if about == "place":
        return PLACES.get(code, Act("trouble with {place}", Who.KEEPER, "see its page"))
    if about == "copy":
        return COPIES.get(code, Act("copy not good at {place}", Who.LAB, "see its page"))
    return ACTS.get(parse_code(code), ACTS[C.UNKNOWN])
