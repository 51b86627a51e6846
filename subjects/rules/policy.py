"""Which percentages a lab judges by on a day: its policy of that day, and an exception window of it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from alyx.labs.percent import DEFAULT_FLOOR, fraction


@dataclass(frozen=True)
class Window:
    """Other numbers in some days of a restriction (its first is 0), or between two dates, ends included. None: as the policy."""

    title: str
    first_day: int | None = None
    last_day: int | None = None
    from_on: date | None = None
    to_on: date | None = None
    reference_pct: float | None = None
    zscore_pct: float | None = None
    floor: float | None = None

    def holds(self, day: date, restricted_since: date | None) -> bool:
        """Whether it holds on a day."""
        if self.from_on is not None and self.to_on is not None:
            return self.from_on <= day <= self.to_on
        if self.first_day is None or self.last_day is None or restricted_since is None:
            return False
        return self.first_day <= (day - restricted_since).days <= self.last_day


@dataclass(frozen=True)
class Policy:
    """What a lab decided, from a day on (None: always)."""

    reference_pct: float
    zscore_pct: float
    floor: float = DEFAULT_FLOOR
    from_on: date | None = None
    windows: Sequence[Window] = ()
    key: UUID | None = None
    """None: the lab has no policy; these are its own columns."""
    lab: str = ""


@dataclass(frozen=True)
class Held:
    """The numbers that hold on a day, as fractions, and whose they are."""

    reference_pct: float
    zscore_pct: float
    floor: float = DEFAULT_FLOOR
    source: str = ""
    key: UUID | None = field(default=None, compare=False)

    @property
    def threshold(self) -> float:
        """`S`: the fraction of the expected weight below which an animal is underweight; 0: none."""
        return self.reference_pct + self.zscore_pct


def policy_on(policies: Iterable[Policy], fallback: Policy, day: date) -> Policy:
    """The policy in force on a day: the latest begun by then, else the lab's columns."""
    begun = [one for one in policies if one.from_on is None or one.from_on <= day]
    return max(begun, key=lambda one: one.from_on or date.min, default=fallback)


def held(policy: Policy, day: date, restricted_since: date | None) -> Held:
    """The policy's numbers on a day; a window of days of the restriction comes before one of dates."""
    by_kind = sorted(policy.windows, key=lambda one: one.first_day is None)
    window = next((one for one in by_kind if one.holds(day, restricted_since)), None)
    numbers = {
        name: _believed(own if window is None or (other := getattr(window, name)) is None else other)
        for name, own in (
            ("reference_pct", policy.reference_pct),
            ("zscore_pct", policy.zscore_pct),
            ("floor", policy.floor),
        )
    }
    return Held(**numbers, source=_source(policy, window), key=policy.key)


def _believed(value: float) -> float:
    """A stored fraction; nonsense in an old column is no threshold, and no page falls over it."""
    try:
        return fraction(value)
    except ValueError:
        return 0.0


def _source(policy: Policy, window: Window | None) -> str:
    whose = f"lab {policy.lab}" if policy.lab else "the lab"
    if policy.key is None:
        text = f"percentages of {whose} (it has no policy with history)"
    elif policy.from_on is None:
        text = f"policy of {whose}, from the beginning"
    else:
        text = f"policy of {whose} from {policy.from_on}"
    return f"{text}; window “{window.title}”" if window else text
