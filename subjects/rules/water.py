"""Weight and water: the arithmetic of the welfare rules. Pure, vectorised over days and animals; NaN: not available.

`judged` turns facts (`Case`) into numbers (`Day`); nothing here knows which day is today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alyx.core.status import Status
from subjects.rules.day import Case, Day
from subjects.rules.growth import Curve, weeks_old
from subjects.rules.implants import HEAVY, is_heavy
from subjects.rules.plausible import REFERENCE_DAYS

Array = NDArray[np.float64]
MORE_ML_PER_G = 0.05
LESS_ML_PER_G = 0.04
WARNING_MARGIN = 0.02
DUE_AFTER = timedelta(hours=23)
HAIR = 1e-9
"""Exactly on a threshold is not below it, whatever the last binary digit says."""
ORDER = (Status.NEUTRAL, Status.FINE, Status.WARNING, Status.FAILED, Status.CRITICAL)


@dataclass(frozen=True)
class Inputs:
    """One column per input of the rules, weights in grams."""

    weight: Array
    implant: Array
    reference: Array
    reference_implant: Array
    mean_then: Array
    sd_then: Array
    mean_now: Array
    sd_now: Array
    reference_pct: Array
    zscore_pct: Array
    floor: Array
    is_restricted: NDArray[np.bool_]

    @classmethod
    def of(cls, **columns: Any) -> "Inputs":
        """From numbers or lists, None for what is missing."""
        restricted = np.asarray(columns.pop("is_restricted", True), dtype=bool)
        return cls(
            **{name: np.asarray(column, dtype=float) for name, column in columns.items()}, is_restricted=restricted
        )


@dataclass(frozen=True)
class Numbers:
    """One column per number of the rules."""

    z: Array
    zscored: Array
    expected: Array
    percentage: Array
    minimum: Array
    warning: Array
    critical: Array
    expected_ml: Array
    status: NDArray[np.int_]
    """Places in `ORDER`."""


def numbers(given: Inputs) -> Numbers:
    """Rules 2 to 8."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rp, zp = given.reference_pct, given.zscore_pct
        threshold = rp + zp
        rw = given.reference - given.reference_implant
        rw = np.where(given.is_restricted & (rw > 0), rw, np.nan)
        z = (rw - given.mean_then) / given.sd_then
        zw = given.sd_now * z + given.mean_now
        net = given.weight - given.implant
        # a part that weighs nothing needs no value
        base = np.where(zp > 0, zp * zw, 0.0) + np.where(rp > 0, rp * rw, 0.0) + rw * 0
        base = np.where((threshold > 0) & (base > 0), base, np.nan)
        body = base / threshold
        minimum = base + given.implant
        water = np.where(given.weight < minimum - HAIR, MORE_ML_PER_G, LESS_ML_PER_G) * net
        return Numbers(
            z=z,
            zscored=zw,
            expected=body + given.implant,
            percentage=100 * net / body,
            minimum=minimum,
            warning=(threshold + WARNING_MARGIN) * body + given.implant,
            critical=given.floor * body + given.implant,
            expected_ml=np.maximum(water, 0.0),
            status=_statuses(net / body, threshold, given.floor, given.is_restricted),
        )


def _statuses(part: Array, threshold: Array, floor: Array, is_restricted: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Rule 8, the only place: `part` is the weight without implant, as a part of the expected one."""
    known = is_restricted & np.isfinite(part)
    found: NDArray[np.int_] = np.select(
        [
            ~known,
            part < floor - HAIR,
            part < threshold - HAIR,
            part < threshold + WARNING_MARGIN - HAIR,
        ],
        [ORDER.index(one) for one in (Status.NEUTRAL, Status.CRITICAL, Status.FAILED, Status.WARNING)],
        ORDER.index(Status.FINE),
    )
    return found


def judged(cases: Sequence[Case]) -> list[Day]:
    """The welfare numbers of each case."""
    if not cases:
        return []
    found = numbers(_inputs(cases))
    columns = {name: getattr(found, name).tolist() for name in found.__dataclass_fields__}
    return [_day(case, {name: column[at] for name, column in columns.items()}) for at, case in enumerate(cases)]


def reference_of(case: Case) -> float | None:
    """Rule 1: what the restriction says, else the last weighing by its start, if that is not older than a week."""
    if case.restricted is None:
        return None
    if case.restricted.reference_g is not None and case.restricted.reference_g > 0:
        return case.restricted.reference_g
    if case.reference is None:
        return None
    age = case.restricted.started_wall.date() - case.reference.at_wall.date()
    return case.reference.weight_g if age <= timedelta(days=REFERENCE_DAYS) else None


def believed_implant(case: Case) -> float | None:
    """The implant's weight; None when it is too heavy for the animal (without a weighing: for the reference) to be true."""
    implant = case.implant.implant_g if case.implant else 0.0
    body = case.weighed.weight_g if case.weighed else reference_of(case)
    return None if is_heavy(implant, body) else implant


def believed_reference_implant(case: Case) -> float | None:
    """The implant's weight when the restriction began, likewise."""
    implant = case.reference_implant.implant_g if case.reference_implant else 0.0
    return None if is_heavy(implant, reference_of(case)) else implant


def _inputs(cases: Sequence[Case]) -> Inputs:
    mean_then, sd_then = _grown([(case.curve, _age_at_start(case)) for case in cases])
    mean_now, sd_now = _grown([(case.curve, weeks_old(case.born_on, case.day)) for case in cases])
    return Inputs.of(
        weight=[case.weighed.weight_g if case.weighed else None for case in cases],
        implant=[believed_implant(case) for case in cases],
        reference=[reference_of(case) for case in cases],
        reference_implant=[believed_reference_implant(case) for case in cases],
        mean_then=mean_then,
        sd_then=sd_then,
        mean_now=mean_now,
        sd_now=sd_now,
        reference_pct=[case.policy.reference_pct for case in cases],
        zscore_pct=[case.policy.zscore_pct for case in cases],
        floor=[case.policy.floor for case in cases],
        is_restricted=[case.restricted is not None for case in cases],
    )


def _age_at_start(case: Case) -> float:
    return weeks_old(case.born_on, case.restricted.started_wall.date()) if case.restricted else float("nan")


def _grown(asked: Sequence[tuple[Curve | None, float]]) -> tuple[Array, Array]:
    """Mean and deviation for each; one look-up per curve."""
    means, sds = np.full(len(asked), np.nan), np.full(len(asked), np.nan)
    places: dict[int, list[int]] = {}
    curves: dict[int, Curve] = {}
    for at, (curve, _) in enumerate(asked):
        if curve is not None:
            places.setdefault(id(curve), []).append(at)
            curves[id(curve)] = curve
    for key, at_all in places.items():
        means[at_all], sds[at_all] = curves[key].at([asked[at][1] for at in at_all])
    return means, sds


def _day(case: Case, found: Mapping[str, Any]) -> Day:
    is_restricted = case.restricted is not None
    expected_ml = _known(found["expected_ml"])
    given_ml = case.reward_ml + case.supplement_ml
    has_rest = expected_ml is not None and is_restricted and not case.is_adlib
    remaining_ml = expected_ml - given_ml if has_rest and expected_ml is not None else None
    values = {
        "weight_g": case.weighed.weight_g if case.weighed else None,
        "implant_g": believed_implant(case),
        "reference_g": reference_of(case),
        "zscored_g": _known(found["zscored"]),
        "expected_g": _known(found["expected"]),
        "min_g": _known(found["minimum"]),
        "warning_g": _known(found["warning"]),
        "floor_g": _known(found["critical"]),
        "percentage": _known(found["percentage"]),
        "expected_ml": expected_ml,
        "remaining_ml": remaining_ml,
        "excess_ml": None if remaining_ml is None else -remaining_ml,
    }
    return Day(
        day=case.day,
        weighed_at_wall=case.weighed.at_wall if case.weighed else None,
        status=ORDER[found["status"]],
        reward_ml=case.reward_ml,
        supplement_ml=case.supplement_ml,
        given_ml=given_ml,
        is_restricted=is_restricted,
        is_adlib=case.is_adlib,
        z=_known(found["z"]),
        why_not=_reasons(case, values),
        case=case,
        **values,
    )


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _reasons(case: Case, values: Mapping[str, float | None]) -> dict[str, str]:
    """A sentence for each number that is not available."""
    missing = [name for name, value in values.items() if value is None]
    if not missing:
        return {}
    no_weight = "" if case.weighed else f"no weighing on or before {case.day}"
    no_implant = _heavy_sentence(case)
    no_reference = _why_no_reference(case)
    no_growth = no_reference or _why_no_growth(case)
    no_expected = no_implant or no_reference or _why_no_threshold(case)
    no_rest = _why_no_rest(case)
    why = {
        "weight_g": no_weight,
        "implant_g": no_implant,
        "reference_g": no_reference,
        "zscored_g": no_growth,
        "expected_g": no_expected,
        "min_g": no_expected,
        "warning_g": no_expected,
        "floor_g": no_expected,
        "percentage": no_weight or no_expected,
        "expected_ml": no_weight or no_implant,
        "remaining_ml": no_rest or no_weight or no_implant,
        "excess_ml": no_rest or no_weight or no_implant,
    }
    return {name: why[name] or "the inputs contradict each other" for name in missing}


def _heavy_sentence(case: Case) -> str:
    if believed_implant(case) is not None or case.implant is None:
        return ""
    return (
        f"the implant weight {case.implant.implant_g:g} g of the surgery of {case.implant.at_wall:%Y-%m-%d} is"
        f" {HEAVY:.0%} of the body weight or more: correct the surgery"
    )


def _why_no_reference(case: Case) -> str:
    if case.restricted is None:
        return "not water restricted on that day: there is no reference weight"
    if reference_of(case) is None:
        return (
            f"the restriction of {case.restricted.started_wall:%Y-%m-%d} has no reference weight,"
            f" and there is no weighing in the {REFERENCE_DAYS} days before it"
        )
    if believed_reference_implant(case) is None:
        return f"the implant weight at the restriction's start is {HEAVY:.0%} of the reference weight or more: correct the surgery"
    return ""


def _why_no_growth(case: Case) -> str:
    if case.curve is None:
        return "the sex is not known: there is no growth curve for the z-score"
    if case.born_on is None:
        return "there is no birth date: no age for the z-score"
    if case.restricted and min(case.day, case.restricted.started_wall.date()) < case.born_on:
        return f"before its birth ({case.born_on}) the animal has no age for the z-score"
    return ""


def _why_no_threshold(case: Case) -> str:
    if not case.policy.threshold:
        return "the lab's policy has no threshold: both percentages are 0"
    return _why_no_growth(case) if case.policy.zscore_pct else ""


def _why_no_rest(case: Case) -> str:
    if case.restricted is None:
        return "not water restricted on that day: it drinks as it likes"
    return "water ad libitum on that day" if case.is_adlib else ""


def is_water_due(day: Day, *, last_given_at: datetime | None, restricted_at: datetime | None, now: datetime) -> bool:
    """Whether water is still to be given and the animal has waited for it 23 hours, counted from the restriction's start
    when it was given none since. Never on the first day, nor on one *ad lib*.
    """
    if day.remaining_ml is None or day.remaining_ml <= HAIR or day.is_first_day:
        return False
    waits_since = max((at for at in (last_given_at, restricted_at) if at is not None), default=None)
    return waits_since is not None and now - waits_since >= DUE_AFTER


def protocol_number(*, is_restricted: bool, has_surgery: bool) -> str:
    """Rule 9."""
    if is_restricted:
        return "3"
    return "2" if has_surgery else "1"
