"""How a copy, or a dataset with all its copies, stands: one decision for every page. Pure."""

from collections.abc import Sequence

from alyx.core.status import Status
from datasets.rules.copies import EXISTS, HIDDEN, CopyState

S = CopyState

COPY_STATUS: dict[CopyState, Status] = {
    S.EXPECTED: Status.NEUTRAL,
    S.ANNOUNCED: Status.NEUTRAL,
    S.CLAIMED: Status.NEUTRAL,
    S.INCOMING: Status.NEUTRAL,
    S.VERIFIED: Status.FINE,
    S.SUSPECT: Status.WARNING,
    S.SUPERSEDED: Status.NEUTRAL,
    S.MISSING: Status.FAILED,
    S.CORRUPT: Status.CRITICAL,
    S.WITHDRAWN: Status.NEUTRAL,
    S.TRASHED: Status.NEUTRAL,
    S.DELETED: Status.NEUTRAL,
}

COPY_MEANING: dict[CopyState, str] = {
    S.EXPECTED: "a place for it; nobody says it is there",
    S.ANNOUNCED: "a client says: look here; nobody has looked yet",
    S.CLAIMED: "a client says it is here; not proved",
    S.INCOMING: "a transfer to here is under way",
    S.VERIFIED: "read back here and found equal to the registered digest",
    S.SUSPECT: "one look found it absent or different, or the claim was taken back; a second look is due",
    S.SUPERSEDED: "holds an older version",
    S.MISSING: "two looks did not find it",
    S.CORRUPT: "two looks found other bytes",
    S.WITHDRAWN: "taken back",
    S.TRASHED: "in the trash",
    S.DELETED: "removed",
}


EVIDENCE = {
    0: "somebody said so",
    1: "name and size seen",
    2: "checked on the way",
    3: "digest checked by the storage",
    4: "read back and hashed",
}


def evidence_words(state: CopyState, level: int) -> str:
    """What is known of a copy now: a proof of other bytes, or one that was doubted since, is said to be past."""
    if state == S.VERIFIED or not level:
        return EVIDENCE[level]
    return f"none now; earlier: {EVIDENCE[level]}"


def dataset_standing(servers: Sequence[CopyState], others: Sequence[CopyState]) -> tuple[Status, str]:
    """A dataset's standing from the states of its copies at server repositories and elsewhere.

    Returns the status and a sentence such as "1 of 2 server copies proved".
    """
    proved = sum(state == S.VERIFIED for state in servers)
    words = f"{proved} of {len(servers)} server copies proved"
    if any(state == S.CORRUPT for state in (*servers, *others)):
        return Status.CRITICAL, f"{words}; a copy is corrupt"
    if servers and proved == len(servers):
        return Status.FINE, words
    if any(state in {S.MISSING, S.SUSPECT} for state in servers):
        return Status.FAILED, f"{words}; a server copy is in doubt"
    if proved or any(state in EXISTS for state in (*servers, *others)):
        return Status.WARNING, words
    return Status.FAILED, "no copy that anybody vouches for"


UNREAD_LONG_DAYS = 30
"""A proof that is older is worth saying so."""


def copies_said(copies: Sequence[tuple[str, CopyState, int | None]], waiting: int) -> str:
    """All copies of a dataset in a sentence: `2 of 3 verified; tape unread for 93 d`.

    copies: repository, state, and days since it was last read back (None: never). waiting: how many are being read back now.
    """
    shown = [one for one in copies if one[1] not in HIDDEN]
    proved = sum(state == S.VERIFIED for _, state, _ in shown)
    parts = [f"{proved} of {len(shown)} verified"]
    if waiting:
        parts.append(f"{waiting} being read back now")
    parts += [f"{name} is {state}" for name, state, _ in shown if COPY_STATUS[state] in _BAD]
    parts += [
        f"{name} unread for {days} d"
        for name, state, days in shown
        if state == S.VERIFIED and days is not None and days > UNREAD_LONG_DAYS
    ]
    return "; ".join(parts)


_BAD = {Status.WARNING, Status.FAILED, Status.CRITICAL}
