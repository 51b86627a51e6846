"""What can be said about a surgery without a database: volumes to draw up, doses, checks afterwards, what is missing at the end."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from alyx.core.status import Status

DRAWN_UP_ML = 0.01
"""The finest mark of the syringes in use."""
IMPLANT_SHARE = 0.2
"""An implant of this share of the body weight or more is no implant: somebody typed the body weight."""
RATE_TOLERANCE = 0.05
"""By how much rate × duration may miss the volume."""
POST_OP_DAYS = (1, 2, 3)
MOST_DAYS_AFTER = 60
SCORE_SHEET: tuple[dict[str, Any], ...] = (
    {"key": "activity", "question": "Activity: 0 normal, 3 does not move when touched", "highest": 3},
    {"key": "posture", "question": "Posture and coat: 0 normal, 3 hunched, coat on end", "highest": 3},
    {"key": "wound", "question": "Wound: 0 clean, 3 open or infected", "highest": 3},
    {"key": "eating", "question": "Eating and drinking: 0 normal, 3 none", "highest": 3},
)
"""What is asked when neither the template nor anybody else says more. 0 is always the healthy end."""


@dataclass(frozen=True)
class Volume:
    """The volume of a drug with what it was computed from."""

    dose_mg_per_kg: float
    weight_g: float
    concentration_mg_per_ml: float

    @property
    def exact_ml(self) -> float:
        """mg/kg × g / 1000 / (mg/mL)."""
        return self.dose_mg_per_kg * self.weight_g / 1000 / self.concentration_mg_per_ml

    @property
    def ml(self) -> float:
        """As drawn up: to 0.01 mL, halves upwards (`static/alyx/surgery.js` does the same)."""
        return drawn_up(self.exact_ml)

    @property
    def explained(self) -> str:
        """The formula with its inputs."""
        return (
            f"{self.dose_mg_per_kg:g} mg/kg × {self.weight_g:g} g / 1000 / {self.concentration_mg_per_ml:g} mg/mL"
            f" = {self.exact_ml:.4g} mL, drawn up {self.ml:.2f} mL"
        )


def drawn_up(exact_ml: float) -> float:
    """To the finest mark of the syringe."""
    return math.floor(exact_ml * 100 + 0.5) / 100


def volume_of(
    dose_mg_per_kg: float | None, weight_g: float | None, concentration_mg_per_ml: float | None
) -> Volume | None:
    """The volume, when all three inputs are there and make sense."""
    inputs = (dose_mg_per_kg, weight_g, concentration_mg_per_ml)
    if any(value is None or not math.isfinite(value) or value <= 0 for value in inputs):
        return None
    return Volume(*(float(value) for value in inputs if value is not None))


def dose_given(volume_ml: float, weight_g: float, concentration_mg_per_ml: float) -> float:
    """mg/kg that this volume is."""
    return volume_ml * concentration_mg_per_ml * 1000 / weight_g


def overdose(dose_mg_per_kg: float | None, highest_mg_per_kg: float | None) -> str | None:
    """What to say when a dose is above the drug's highest."""
    if dose_mg_per_kg is None or not highest_mg_per_kg or dose_mg_per_kg <= highest_mg_per_kg * (1 + 1e-9):
        return None
    return f"{dose_mg_per_kg:.4g} mg/kg is above the highest dose, {highest_mg_per_kg:g} mg/kg"


def implausible_implant(implant_g: float | None, body_g: float | None) -> str | None:
    """What to say of an implant's weight that no implant has."""
    if implant_g is None:
        return None
    if implant_g < 0:
        return f"an implant does not weigh {implant_g:g} g"
    if body_g and implant_g >= IMPLANT_SHARE * body_g:
        return f"an implant of {implant_g:g} g is {100 * implant_g / body_g:.0f} % of the body weight, {body_g:g} g"
    return None


def completed_injection(
    volume_nl: float | None, rate_nl_per_min: float | None, duration_min: float | None
) -> dict[str, float]:
    """The third of volume, rate and duration, when two are there."""
    given = {"volume_nl": volume_nl, "rate_nl_per_min": rate_nl_per_min, "duration_min": duration_min}
    known = {name: value for name, value in given.items() if value is not None and value > 0}
    if len(known) != 2:
        return {}
    if "volume_nl" not in known:
        return {"volume_nl": known["rate_nl_per_min"] * known["duration_min"]}
    if "rate_nl_per_min" not in known:
        return {"rate_nl_per_min": known["volume_nl"] / known["duration_min"]}
    return {"duration_min": known["volume_nl"] / known["rate_nl_per_min"]}


def contradicting_injection(
    volume_nl: float | None, rate_nl_per_min: float | None, duration_min: float | None
) -> str | None:
    """What to say when rate × duration is not the volume."""
    if not volume_nl or not rate_nl_per_min or not duration_min:
        return None
    flown = rate_nl_per_min * duration_min
    if abs(flown - volume_nl) <= RATE_TOLERANCE * volume_nl:
        return None
    return f"{rate_nl_per_min:g} nL/min for {duration_min:g} min is {flown:.4g} nL, not {volume_nl:g} nL"


def check_days(ended_on: date, days_after: Sequence[int] = POST_OP_DAYS) -> list[date]:
    """When the animal is to be looked at after a surgery, each day once."""
    return [ended_on + timedelta(days=days) for days in sorted({days for days in days_after if days >= 0})]


@dataclass(frozen=True)
class Score:
    """A filled score sheet."""

    total: int
    highest: int
    unanswered: tuple[str, ...]
    status: Status

    @property
    def words(self) -> str:
        """For a badge."""
        return f"{self.total} of {self.highest}"


def score_of(sheet: Iterable[Mapping[str, Any]], scores: Mapping[str, Any]) -> Score:
    """The total and what it means.

    Critical: an item at its highest, or half of what the sheet can reach. Warning: a quarter, or an item at half of its
    highest or more. An item that is not on the sheet says nothing.
    """
    total = highest = 0
    unanswered: list[str] = []
    worst = 0.0
    for item in sheet:
        most = int(item["highest"])
        highest += most
        value = scores.get(item["key"])
        if value is None:
            unanswered.append(str(item["key"]))
            continue
        total += int(value)
        worst = max(worst, int(value) / most)
    if total and (worst >= 1 or 2 * total >= highest):
        status = Status.CRITICAL
    elif total and (worst >= 0.5 or 4 * total >= highest):
        status = Status.WARNING
    else:
        status = Status.NEUTRAL if unanswered else Status.FINE
    return Score(total, highest, tuple(unanswered), status)


def score_faults(sheet: Iterable[Mapping[str, Any]], scores: Mapping[str, Any]) -> dict[str, str]:
    """Key of the item → what is wrong with its score."""
    highest = {str(item["key"]): int(item["highest"]) for item in sheet}
    faults: dict[str, str] = {}
    for key, value in scores.items():
        if key not in highest:
            faults[key] = f"the score sheet has no item {key!r}; it has {', '.join(highest) or 'none'}"
        elif value is None:
            continue
        elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest[key]:
            faults[key] = f"{key}: {value!r} is not a score from 0 to {highest[key]}"
    return faults


@dataclass(frozen=True)
class Done:
    """What is known of a surgery when it ends."""

    started: bool = False
    ended: bool = False
    outcome: str = ""
    procedures: int = 0
    surgeons: int = 0
    implant_weight_g: float | None = None
    leaves_something: bool = False
    """A headplate was fixed, or something implanted."""
    analgesia: bool = False


def missing_at_end(surgery: Done) -> dict[str, str]:
    """Wire field → what is still to be said before a surgery is done. Nothing stays in an animal that did not recover."""
    stays = surgery.leaves_something and surgery.outcome != "n"
    asked = {
        "start_time": (surgery.started, "when it started"),
        "end_time": (surgery.ended, "when it ended"),
        "users": (surgery.surgeons > 0, "who operated"),
        "procedures": (surgery.procedures > 0, "what was done: at least one procedure"),
        "outcome_type": (bool(surgery.outcome), "how it ended: recovery, acute or non-recovery"),
        "implant_weight": (
            not stays or surgery.implant_weight_g is not None,
            "how much the headplate and implants weigh, cement included",
        ),
        "drugs": (surgery.analgesia, "which analgesic was given"),
    }
    return {field: words for field, (is_said, words) in asked.items() if not is_said}
