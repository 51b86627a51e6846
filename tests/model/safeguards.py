"""The safeguards of the protocol, each of which a mutant does without, and the promises the model checks."""

from enum import StrEnum


class Promise(StrEnum):
    """What must hold after every step (the last one: after the faults have stopped)."""

    NO_FALSE_CLAIM = "I1 no false claim"
    NEVER_LOST = "I2 never lost"
    ONE_WRITER = "I3 one live item, one live writer"
    LEGAL = "I4 only legal moves, and no blame for an error"
    CONVERGES = "I7 converges, or says why not"


class Safeguard(StrEnum):
    """What a mutant takes away. Nothing else differs from the protocol as written."""

    DIGEST_NOT_EXISTENCE = "a digest proves, existence does not"
    DIGEST_NOT_SIZE = "a digest proves, a size does not"
    VERSION_COMPARED = "registering compares the content version"
    SUPERSEDES = "a new digest supersedes the other copies"
    FENCED = "a lease has a fence"
    LEASE_EXPIRES = "a lease expires"
    UNIQUE_LIVE_ITEM = "one live item for a dataset and destination"
    WRITER_ENDED = "in flight until the writer has ended"
    TRASH_FIRST = "replaced bytes go to the trash"
    ERROR_IS_NOT_ABSENCE = "an error is not an absence"
    # found necessary on the way (decision 020)
    CANARY_READ = "nothing seen without the canary counts"
    FORMER_BARRED = "a former owner's staging is barred"
    FRESH_FILE = "a file that a living process has open is not taken over"
    LINKED_TO_TRASH = "replaced bytes are linked to the trash, not moved"
    BARRED_BEFORE_SETTLED = "no job is settled before its former owners are barred"
    ANNOUNCEMENT_RENEWED = "a new version renews an announcement"
    LOOK_WAITS = "no look concludes while an item is in flight there"


P = Promise

FOUND_AS: dict[Safeguard, frozenset[Promise]] = {
    Safeguard.DIGEST_NOT_EXISTENCE: frozenset({P.NO_FALSE_CLAIM}),
    Safeguard.DIGEST_NOT_SIZE: frozenset({P.NO_FALSE_CLAIM}),
    Safeguard.VERSION_COMPARED: frozenset({P.NO_FALSE_CLAIM}),
    Safeguard.SUPERSEDES: frozenset({P.NO_FALSE_CLAIM}),
    Safeguard.FENCED: frozenset({P.ONE_WRITER, P.NO_FALSE_CLAIM}),
    Safeguard.LEASE_EXPIRES: frozenset({P.CONVERGES}),
    Safeguard.UNIQUE_LIVE_ITEM: frozenset({P.ONE_WRITER}),
    Safeguard.WRITER_ENDED: frozenset({P.ONE_WRITER, P.NO_FALSE_CLAIM}),
    Safeguard.TRASH_FIRST: frozenset({P.NEVER_LOST}),
    Safeguard.ERROR_IS_NOT_ABSENCE: frozenset({P.LEGAL}),
    Safeguard.CANARY_READ: frozenset({P.LEGAL}),
    Safeguard.FORMER_BARRED: frozenset({P.NO_FALSE_CLAIM, P.NEVER_LOST}),
    Safeguard.FRESH_FILE: frozenset({P.NO_FALSE_CLAIM}),
    Safeguard.LINKED_TO_TRASH: frozenset({P.NO_FALSE_CLAIM}),
    Safeguard.BARRED_BEFORE_SETTLED: frozenset({P.NO_FALSE_CLAIM, P.NEVER_LOST}),
    Safeguard.ANNOUNCEMENT_RENEWED: frozenset({P.CONVERGES}),
    Safeguard.LOOK_WAITS: frozenset({P.NO_FALSE_CLAIM}),
}
"""The promises a mutant may be found to break."""


class Broken(AssertionError):
    """A promise was broken."""

    def __init__(self, promise: Promise, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise
