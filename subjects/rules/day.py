"""What is known about an animal on a day, and how each number came about. Pure."""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from alyx.core.status import Status
from subjects.rules.growth import Curve
from subjects.rules.implants import Implanted
from subjects.rules.policy import Held


@dataclass(frozen=True)
class Weighed:
    """A weighing that counts."""

    weight_g: float
    at_wall: datetime
    key: UUID | None = None


@dataclass(frozen=True)
class Restricted:
    """The water restriction in force. `reference_g`: as entered with it; None or not above 0: not entered."""

    started_wall: datetime
    reference_g: float | None = None
    key: UUID | None = None


@dataclass(frozen=True)
class Case:
    """The facts about one animal on one day, before any arithmetic."""

    day: date
    policy: Held
    sex: str = "U"
    born_on: date | None = None
    curve: Curve | None = None
    weighed: Weighed | None = None
    """The last on or before the day."""
    implant: Implanted | None = None
    restricted: Restricted | None = None
    reference: Weighed | None = None
    """The last weighing on or before the restriction's start, however old."""
    reference_implant: Implanted | None = None
    reward_ml: float = 0.0
    supplement_ml: float = 0.0
    is_adlib: bool = False


@dataclass(frozen=True)
class Input:
    """A number that went into another: its symbol, what it is, and where it came from. `kind` and `key` name the record."""

    symbol: str
    label: str
    value: float | None
    unit: str
    source: str
    kind: str = ""
    key: UUID | None = None


@dataclass(frozen=True)
class Explained:
    """How a number came about. Without a value, `why_not` says why."""

    name: str
    label: str
    value: float | None
    unit: str
    formula: str
    inputs: tuple[Input, ...] = ()
    why_not: str = ""


@dataclass(frozen=True)
class Day:
    """The welfare numbers of an animal on a day. None: not available, and `why_not[name]` says why.

    `reference_g` is the reference weighing as weighed, implant included. `implant_g` is 0 when there is none.
    """

    day: date
    weight_g: float | None
    weighed_at_wall: datetime | None
    implant_g: float | None
    reference_g: float | None
    expected_g: float | None
    min_g: float | None
    percentage: float | None
    status: Status
    expected_ml: float | None
    reward_ml: float
    supplement_ml: float
    given_ml: float
    remaining_ml: float | None
    excess_ml: float | None
    is_restricted: bool
    is_adlib: bool
    why_not: dict[str, str] = field(default_factory=dict)
    warning_g: float | None = None
    """Below it the animal is shown with a warning."""
    floor_g: float | None = None
    """Below it the animal is in a critical state."""
    zscored_g: float | None = None
    """`zw`: what the growth curve says the animal would weigh, without implant."""
    z: float | None = None
    case: Case = field(default_factory=lambda: Case(date.min, Held(0, 0)), repr=False, compare=False)

    @property
    def is_first_day(self) -> bool:
        """Whether the restriction began on this day: nothing is due yet."""
        return self.case.restricted is not None and self.case.restricted.started_wall.date() == self.day

    @property
    def is_weighed(self) -> bool:
        """Whether it was weighed on this very day."""
        return self.weighed_at_wall is not None and self.weighed_at_wall.date() == self.day

    @property
    def is_weighing_missing(self) -> bool:
        """Whether a weighing is due: restricted, not weighed this day, not on the first day."""
        return self.is_restricted and not self.is_weighed and not self.is_first_day

    def explained(self) -> dict[str, Explained]:
        """By the name of the number: its formula and inputs, each with its source."""
        return {one.name: one for one in _explain(self)}


def _explain(day: Day) -> list[Explained]:  # one entry per number, in the order of the rules
    w, iw, s = _weight(day), _implant(day), _policy(day)
    given = (
        Input("reward", "reward", day.reward_ml, "mL", "administrations of the day in sessions"),
        Input("supplement", "supplement", day.supplement_ml, "mL", "administrations of the day outside sessions"),
    )
    ew = Input("ew", "expected weight", day.expected_g, "g", day.why_not.get("expected_g", "calculated"))
    need = Input("expected", "expected water", day.expected_ml, "mL", day.why_not.get("expected_ml", "calculated"))
    sum_given = Input("given", "given", day.given_ml, "mL", "reward + supplement")
    parts = (*s[:2], *_zscored(day), *_reference(day), iw)

    def one(name: str, label: str, unit: str, formula: str, *inputs: Input) -> Explained:
        return Explained(name, label, getattr(day, name), unit, formula, inputs, day.why_not.get(name, ""))

    return [
        one("weight_g", "weight", "g", "w = last weighing on or before the day", w),
        one("implant_g", "implant weight", "g", "iw = the latest surgery's value, 0 without one", iw),
        one("reference_g", "reference weighing", "g", _reference_formula(day), *_reference(day)),
        one("zscored_g", "z-scored weight", "g", "z = (rw − m(then)) / s(then); zw = s(now)·z + m(now)", *_growth(day)),
        one("expected_g", "expected weight", "g", "ew = (Zp/S)·zw + (Rp/S)·rw + iw, S = Rp + Zp", *parts),
        one("percentage", "per cent of the expected weight", "%", "pct = 100·(w − iw)/(ew − iw)", w, iw, ew),
        one("min_g", "minimum weight", "g", "min = Zp·zw + Rp·rw + iw", *parts),
        one("expected_ml", "expected water", "mL", "0.05·(w − iw) if w < S·(ew − iw) + iw else 0.04·(w − iw)", w, iw, ew, *s[:2]),
        one("given_ml", "given", "mL", "reward + supplement", *given),
        one("remaining_ml", "remaining", "mL", "remaining = expected − given", need, sum_given),
        one("excess_ml", "excess", "mL", "excess = given − expected", need, sum_given),
        one("warning_g", "warning below", "g", "(S + 0.02)·(ew − iw) + iw", *s[:2], ew, iw),
        one("floor_g", "critical below", "g", "floor·(ew − iw) + iw", s[2], ew, iw),
    ]  # fmt: skip


def _weight(day: Day) -> Input:
    found = day.case.weighed
    source = f"weighing of {found.at_wall:%Y-%m-%d %H:%M}" if found else day.why_not.get("weight_g", "")
    return Input("w", "weight", day.weight_g, "g", source, "weighing", found.key if found else None)


def _implant(day: Day) -> Input:
    return _implanted("iw", "implant weight", day.case.implant)


def _implanted(symbol: str, label: str, found: Implanted | None) -> Input:
    if found is None:
        return Input(symbol, label, 0.0, "g", "no surgery with an implant weight by then")
    what = "surgery of" if found.implant_g else "removed in the surgery of"
    return Input(symbol, label, found.implant_g, "g", f"{what} {found.at_wall:%Y-%m-%d}", "surgery", found.key)


def _policy(day: Day) -> tuple[Input, Input, Input]:
    held = day.case.policy
    return (
        Input("Rp", "part of the reference weight", held.reference_pct, "", held.source, "policy", held.key),
        Input("Zp", "part of the z-scored weight", held.zscore_pct, "", held.source, "policy", held.key),
        Input("floor", "absolute floor", held.floor, "", held.source, "policy", held.key),
    )


def _reference_formula(day: Day) -> str:
    restricted = day.case.restricted
    if restricted and restricted.reference_g and restricted.reference_g > 0:
        return "the reference weight entered with the restriction; rw = reference − ref_iw"
    return "the last weighing on or before the restriction's start, at most 7 days older; rw = reference − ref_iw"


def _reference(day: Day) -> tuple[Input, ...]:
    restricted, weighed = day.case.restricted, day.case.reference
    if restricted is None:
        return (Input("reference", "reference weighing", None, "g", day.why_not.get("reference_g", "")),)
    began = f"{restricted.started_wall:%Y-%m-%d}"
    if restricted.reference_g and restricted.reference_g > 0:
        found = Input("reference", "reference weight", day.reference_g, "g", f"entered with the restriction of {began}",
                      "restriction", restricted.key)  # fmt: skip
    elif day.reference_g is not None and weighed is not None:
        found = Input("reference", "reference weighing", day.reference_g, "g",
                      f"weighing of {weighed.at_wall:%Y-%m-%d %H:%M}, the last by the start of the restriction ({began})",
                      "weighing", weighed.key)  # fmt: skip
    else:
        found = Input("reference", "reference weighing", None, "g", day.why_not.get("reference_g", ""))
    return (found, _implanted("ref_iw", "implant weight at the start", day.case.reference_implant))


def _zscored(day: Day) -> tuple[Input, ...]:
    return (Input("zw", "z-scored weight", day.zscored_g, "g", day.why_not.get("zscored_g", "calculated")),)


def _growth(day: Day) -> tuple[Input, ...]:
    case = day.case
    if case.curve is None or case.born_on is None or case.restricted is None:
        return _reference(day)
    inputs: list[Input] = [*_reference(day)]
    for when, at in (("then", case.restricted.started_wall.date()), ("now", day.day)):
        weeks = (at - case.born_on).days // 7
        mean, sd = case.curve.at(weeks)
        source = f"{case.curve.title}, {weeks} weeks (born {case.born_on})"
        inputs += [
            Input(f"m({when})", "mean", float(mean), "g", source),
            Input(f"s({when})", "deviation", float(sd), "g", source),
        ]
    return (*inputs, Input("z", "z-score", day.z, "", day.why_not.get("zscored_g", "calculated")))
