"""The life of a copy: its states, and who may move it from which to which.

Pure: no Django. The models, the database guard, the services and the property model read these tables, so a
move that is not written here cannot happen anywhere.
"""

from enum import StrEnum


class CopyState(StrEnum):
    """What we know about one copy (a dataset at a repository)."""

    EXPECTED = "expected"
    """A place for it; nobody says it is there."""
    ANNOUNCED = "announced"
    """A client says: look here."""
    CLAIMED = "claimed"
    """A client says the bytes are here."""
    INCOMING = "incoming"
    """A transfer to here is under way."""
    VERIFIED = "verified"
    """The current version's digest was read back here."""
    SUSPECT = "suspect"
    """Found absent or different once, or a claim was taken back; a second look is due."""
    SUPERSEDED = "superseded"
    """Holds the bytes of an older version."""
    MISSING = "missing"
    """Confirmed absent by a second look."""
    CORRUPT = "corrupt"
    """Confirmed different by a second look."""
    WITHDRAWN = "withdrawn"
    """A client or a person took the record back; bytes and history stay."""
    TRASHED = "trashed"
    """The policy moved the bytes to the trash."""
    DELETED = "deleted"
    """The policy removed the bytes."""


class Cause(StrEnum):
    """Why a copy moves. Each cause has its own legal moves."""

    CLIENT = "client"
    NEW_VERSION = "new_version"
    NIGHT = "night"
    LOOK = "look"
    WITHDRAWAL = "withdrawal"
    POLICY = "policy"


S = CopyState

EXISTS = frozenset({S.CLAIMED, S.VERIFIED})
"""States that read `exists: true` on the wire (at the current version)."""
HIDDEN = frozenset({S.WITHDRAWN, S.TRASHED, S.DELETED})
"""States that no answer to a client shows."""
SHOWN = frozenset(S) - HIDDEN
FILLABLE = frozenset({S.EXPECTED, S.SUPERSEDED, S.SUSPECT, S.MISSING, S.CORRUPT, S.TRASHED})
"""States from which the night may start a transfer to here."""
INITIAL = frozenset({S.EXPECTED, S.ANNOUNCED, S.CLAIMED})
"""States a new record may be born in."""

Move = tuple[CopyState, CopyState]


def _moves(sources: str, *targets: CopyState) -> frozenset[Move]:
    return frozenset((S(source), target) for source in sources.split() for target in targets)


MOVES: dict[Cause, frozenset[Move]] = {
    Cause.CLIENT: (
        _moves("expected announced incoming suspect superseded missing corrupt trashed withdrawn", S.CLAIMED)
        | _moves("expected superseded missing corrupt trashed withdrawn", S.ANNOUNCED)
        | _moves("claimed verified", S.CLAIMED, S.SUSPECT)
    ),
    Cause.NEW_VERSION: (_moves("claimed verified suspect corrupt", S.SUPERSEDED) | _moves("incoming", S.EXPECTED)),
    Cause.NIGHT: (
        frozenset((source, S.INCOMING) for source in FILLABLE)
        | _moves("incoming", S.VERIFIED, S.EXPECTED)
        | _moves("announced", S.VERIFIED, S.CLAIMED, S.EXPECTED)
        | _moves("claimed", S.VERIFIED)
    ),
    Cause.LOOK: (
        _moves("claimed verified", S.SUSPECT)
        | _moves("claimed", S.VERIFIED)
        | _moves("suspect", S.VERIFIED, S.MISSING, S.CORRUPT)
    ),
    Cause.WITHDRAWAL: frozenset((source, S.WITHDRAWN) for source in SHOWN),
    Cause.POLICY: _moves("verified", S.TRASHED) | _moves("trashed", S.DELETED, S.VERIFIED),
}

LEGAL: frozenset[Move] = frozenset().union(*MOVES.values())
"""Every legal move, whatever the cause: what the database guard lets through."""


def is_legal(source: CopyState, target: CopyState, cause: Cause) -> bool:
    """Whether `cause` may move a copy from `source` to `target`."""
    return (source, target) in MOVES[cause]


def sources_of(target: CopyState, cause: Cause) -> frozenset[CopyState]:
    """The states from which `cause` may move a copy to `target`."""
    return frozenset(source for source, to in MOVES[cause] if to == target)
