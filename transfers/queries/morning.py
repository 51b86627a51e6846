"""What the data manager sees in the morning: the nights of the labs they read, and what must be done. For page, mail and REST."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from alyx.core import clock
from alyx.labs.models import Lab
from transfers.models import Scan
from transfers.queries.holds import Held, held
from transfers.queries.needs import Need, needs
from transfers.queries.nights import Night, nights, unprotected_since
from transfers.queries.scans import Unregistered, last_scans, unregistered
from transfers.services.hours import closed_places


@dataclass(frozen=True)
class Morning:
    """Nights, needs, and what lies unregistered, as of one moment."""

    at: datetime
    nights: list[Night]
    needs: list[Need]
    left: list[Unregistered]
    """What the last scans could not register, by lab and reason; what needs somebody first."""
    scans: list[Scan]
    """The last look through each repository."""
    holds: list[Held]
    """What waits for the hours of its places."""

    @property
    def mine(self) -> list[Need]:
        """What waits for a person."""
        return [need for need in self.needs if need.needs_a_person]

    @property
    def by_itself(self) -> list[Need]:
        """What is tried again without anybody."""
        return [need for need in self.needs if not need.needs_a_person and not need.is_ignored]

    @property
    def ignored(self) -> list[Need]:
        """What somebody decided to leave."""
        return [need for need in self.needs if need.is_ignored]


def morning(labs: Sequence[Lab], on: date | None = None) -> Morning:
    """The night of this date (None: each lab's latest), and everything that is still in trouble; some ten statements
    for any number of labs and files."""
    at = clock.now()
    closed = closed_places(at)
    found, open_needs, oldest = nights(labs, on, closed), needs(labs), unprotected_since([lab.pk for lab in labs])
    for night in found:
        night.unprotected_since = oldest.get(night.lab)
        night.needs = sum(need.needs_a_person and need.key.lab == night.lab for need in open_needs)
    keys = [lab.pk for lab in labs]
    holds = held(at, labs=keys, closed=closed)
    return Morning(at, found, open_needs, unregistered(keys), list(last_scans(keys)), holds)


NAMED_AT_MOST = 3


def _names(places: Sequence[str]) -> str:
    """`a, b and c`; of many the first, and how many more."""
    shown = list(places) if len(places) <= NAMED_AT_MOST else [*places[:2], f"{len(places) - 2} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def sentence(night: Night) -> str:
    """One lab's night in a line: `41 sessions expected, 39 verified, 1 failed; 1 thing needs you`."""
    if not night.windows:
        return "no night was opened yet"
    unit = "session" if night.expected.sessions else "file"

    def some(part: str, word: str) -> str:
        counted = getattr(night, part)
        number = counted.sessions if unit == "session" else counted.files
        return f"{number} {word}" if number or part in {"expected", "verified"} else ""

    expected = night.expected.sessions or night.expected.files
    parts = [
        f"{expected} {unit}{'' if expected == 1 else 's'} expected",
        some("verified", "verified"),
        some("moving", "still moving"),
        some("not_begun", "not begun"),
        some("waiting", f"waiting for {_names(night.held_by)}"),
        some("failed", "failed"),
    ]
    said = ", ".join(part for part in parts if part) if expected else "nothing was to be brought"
    waits = f"; {night.needs} thing{'' if night.needs == 1 else 's'} need{'s' if night.needs == 1 else ''} you"
    return said + (waits if night.needs else "")
