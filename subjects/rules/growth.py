"""What an animal of some sex and age weighs. Pure; the default table is a file of the code, curves of strains are passed in."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
DEFAULT_FILE = Path(__file__).parent.parent / "vocabulary" / "growth_curve.csv"
SEXES = {"M": "male", "F": "female"}


@dataclass(frozen=True, eq=False)
class Curve:
    """Mean and standard deviation of the weight in grams by age in whole weeks, clamped at both ends."""

    title: str
    weeks: Numbers
    means: Numbers
    sds: Numbers

    @classmethod
    def of(cls, title: str, points: Iterable[tuple[int, float, float]]) -> "Curve":
        """From (week, mean, sd), in any order."""
        weeks, means, sds = (np.asarray(column, dtype=float) for column in zip(*sorted(points), strict=True))
        return cls(title, weeks, means, sds)

    def at(self, weeks: Any) -> tuple[Numbers, Numbers]:
        """Mean and standard deviation at these ages; a missing age (NaN) has none."""
        ages = np.asarray(weeks, dtype=float)
        mean, sd = np.interp(ages, self.weeks, self.means), np.interp(ages, self.weeks, self.sds)
        return np.where(np.isnan(ages), np.nan, mean), np.where(np.isnan(ages), np.nan, sd)


@cache
def default_curves() -> dict[str, Curve]:
    """The table for every animal whose strain has none of its own, by sex; read once."""
    points: dict[str, list[tuple[int, float, float]]] = {}
    with DEFAULT_FILE.open(newline="") as file:
        for row in csv.DictReader(file):
            points.setdefault(row["sex"], []).append((int(row["age_weeks"]), float(row["mean_g"]), float(row["sd_g"])))
    return {sex: Curve.of(f"default growth curve, {SEXES[sex]}", found) for sex, found in points.items()}


def curve_for(sex: str, own: "dict[str, Curve] | None" = None) -> Curve | None:
    """The curve for a sex: the strain's own, else the default. None when the sex is not known: no sex is assumed."""
    if own and sex in own:
        return own[sex]
    return default_curves().get(sex)


def weeks_old(born_on: date | None, day: date) -> float:
    """Age in whole weeks; NaN without a birth date or before it."""
    if born_on is None or day < born_on:
        return float("nan")
    return float((day - born_on).days // 7)
