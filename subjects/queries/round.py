"""The weighing round: which animals, in the order of the cages, and all that a tablet needs to judge a weight by itself.

A constant number of statements for any number of animals. The arithmetic is `subjects.rules.water`'s; what the tablet gets are
its inputs (`case`), so that it works the numbers out for a weight that nobody has stored yet.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from alyx.core import clock
from alyx.core.prepared import rows_of
from subjects.models import Subject, WaterRestriction
from subjects.permissions import Act, permitted
from subjects.queries.today import looked_after
from subjects.queries.water import LabRules, days_of, lab_rules
from subjects.rules import plausible, water
from subjects.rules.day import Case, Day
from subjects.rules.growth import weeks_old
from subjects.rules.implants import HEAVY

MOST = 500
"""More animals than these on one round are not read."""
MOST_KNOWN = 3000
"""So many animals a tablet knows by name, to tell whom a code that is scanned offline means."""

_TODAY = """
SELECT a.subject_id, 'weight', w.id, w.at_wall, w.at, w.weight_g, u.username, false
FROM unnest(%(animals)s::uuid[], %(days)s::date[]) AS a (subject_id, day)
JOIN subjects_weighing w ON w.subject_id = a.subject_id AND w.withdrawn_at IS NULL AND w.counts
    AND w.at_wall >= a.day AND w.at_wall < a.day + 1
LEFT JOIN labs_user u ON u.id = w.user_id
UNION ALL
SELECT a.subject_id, 'water', w.id, w.at_wall, w.at, w.volume_ml, u.username, w.session_id IS NOT NULL
FROM unnest(%(animals)s::uuid[], %(days)s::date[]) AS a (subject_id, day)
JOIN subjects_wateradministration w ON w.subject_id = a.subject_id AND w.withdrawn_at IS NULL AND w.counts
    AND w.at_wall >= a.day AND w.at_wall < a.day + 1
LEFT JOIN labs_user u ON u.id = w.user_id
ORDER BY 4, 3
"""

RULES: dict[str, float] = {
    "more_ml_per_g": water.MORE_ML_PER_G,
    "less_ml_per_g": water.LESS_ML_PER_G,
    "warning_margin": water.WARNING_MARGIN,
    "hair": water.HAIR,
    "heavy": HEAVY,
    "jump": plausible.JUMP,
    "jump_days": plausible.JUMP_DAYS,
    "least_g": plausible.LEAST_G,
}
"""The constants of the rules, which the tablet has from here and nowhere else."""


def round_animals(user: Any, *, cage: str = "", lab: str = "", also: Iterable[UUID] = ()) -> list[Subject]:
    """The restricted animals of the labs in which the user works, or all that live in a cage, and those named by key.

    Only what the user may weigh, alive, in the order of the cages ("7" before "12"); those without a cage last.
    """
    rows = looked_after(user).filter(died_on__isnull=True).select_related("lab", "responsible_user", "species")
    wanted = Q(cage_name__iexact=cage) if cage else Q(pk__in=WaterRestriction.objects.in_force().values("subject_id"))
    if lab:
        wanted &= Q(lab__name=lab)
    if keys := list(also):
        wanted |= Q(pk__in=keys)
    found = list(rows.filter(wanted))
    mine = permitted(user, found, Act.RECORD)
    return sorted((one for one in found if one.pk in mine), key=_place)


def known_animals(user: Any) -> list[dict[str, Any]]:
    """Every living animal that the user looks after, by name: `{id, nickname, cage, lab}`. One statement."""
    rows = looked_after(user).filter(died_on__isnull=True).order_by("nickname", "pk")
    found = rows.values_list("pk", "nickname", "cage_name", "lab__name", "lab__timezone")[:MOST_KNOWN]
    names = ("id", "nickname", "cage", "lab", "zone")
    return [dict(zip(names, (str(one[0]), *one[1:]), strict=True)) for one in found]


def round_rows(animals: Sequence[Subject], now: datetime) -> list[dict[str, Any]]:
    """What the tablet needs of each animal, in the order given (`_row` has the names). At most four statements."""
    if not animals:
        return []
    labs = lab_rules({one.lab_id for one in animals})
    days = [clock.utc_to_wall(now, labs[one.lab_id].timezone).date() for one in animals]
    judged = days_of(list(zip(animals, days, strict=True)), now)
    today = _today(animals, days)
    return [
        _row(animal, day, labs[animal.lab_id], today.get(animal.pk, {}))
        for animal, day in zip(animals, judged, strict=True)
    ]


def _place(animal: Subject) -> tuple[Any, ...]:
    return not animal.cage_name, natural(animal.cage_name), natural(animal.nickname)


def natural(text: str) -> list[tuple[bool, int, str]]:
    """To sort by: numbers inside as numbers."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", text.lower())]


def _today(animals: Sequence[Subject], days: Sequence[date]) -> dict[UUID, dict[str, list[dict[str, Any]]]]:
    """What counts of the day beside each animal, the oldest first."""
    found: dict[UUID, dict[str, list[dict[str, Any]]]] = {}
    for subject, kind, key, wall, at, value, by, reward in rows_of(
        _TODAY, {"animals": [one.pk for one in animals], "days": list(days)}
    ):
        one = {
            "id": str(key),
            "at_wall": wall.isoformat(),
            "at": at.isoformat(),
            "value": value,
            "by": by,
            "reward": reward,
        }
        found.setdefault(subject, {"weight": [], "water": []})[kind].append(one)
    return found


def _row(animal: Subject, day: Day, lab: LabRules, today: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    case = day.case
    last = case.weighed
    species = animal.species.name if animal.species else ""
    return {
        "id": str(animal.pk),
        "nickname": animal.nickname,
        "cage": animal.cage_name,
        "lab": lab.name,
        "zone": lab.timezone,
        "responsible": animal.responsible_user.username if animal.responsible_user else None,
        "sex": animal.sex,
        "day": day.day.isoformat(),
        "most_g": plausible.MOST_G if plausible.is_mouse(species) else plausible.MOST_G_OTHERS,
        "species": "a mouse" if plausible.is_mouse(species) else species,
        "last": {"id": str(last.key), "g": last.weight_g, "at_wall": last.at_wall.isoformat()} if last else None,
        "weighings": today.get("weight", []),
        "waters": today.get("water", []),
        "case": case_of(case),
        "why_not": day.why_not,
        "sources": _sources(day),
    }


def case_of(case: Case) -> dict[str, Any]:
    """The inputs of the rules as plain numbers, None for what there is not. Of `case.weighed` only the weight.

    `reference_g` is what rule 1 finds without a weighing still to come; `reference_is_entered` says whether one of the first
    day would replace it. Implants are as recorded: whether they are believed depends on the weight.
    """
    restricted = case.restricted
    then = weeks_old(case.born_on, restricted.started_wall.date()) if restricted else float("nan")
    now = weeks_old(case.born_on, case.day)
    grown: list[float | None] = [None] * 4
    if case.curve is not None:
        grown = [_number(value) for week in (then, now) for value in case.curve.at(week)]
    return {
        "weight_g": case.weighed.weight_g if case.weighed else None,
        "implant_g": case.implant.implant_g if case.implant else 0.0,
        "is_restricted": restricted is not None,
        "is_first_day": restricted is not None and restricted.started_wall.date() == case.day,
        "reference_g": water.reference_of(case),
        "reference_is_entered": bool(restricted and restricted.reference_g is not None and restricted.reference_g > 0),
        "reference_implant_g": case.reference_implant.implant_g if case.reference_implant else 0.0,
        **dict(zip(("mean_then", "sd_then", "mean_now", "sd_now"), grown, strict=True)),
        "reference_pct": case.policy.reference_pct,
        "zscore_pct": case.policy.zscore_pct,
        "floor": case.policy.floor,
        "reward_ml": case.reward_ml,
        "supplement_ml": case.supplement_ml,
        "is_adlib": case.is_adlib,
    }


def _number(value: Any) -> float | None:
    found = float(value)
    return found if found == found else None  # noqa: PLR0124  (not a number)


def _sources(day: Day) -> dict[str, str]:
    """Where the inputs came from, for people."""
    explained = day.explained()
    found = {one.symbol: one.source for name in ("percentage", "min_g", "zscored_g") for one in explained[name].inputs}
    names = {"implant": "iw", "reference": "reference", "policy": "Rp", "growth": "m(now)"}
    return {name: found[symbol] for name, symbol in names.items() if symbol in found}


def weighed_that_day(subject: Subject, wall: datetime) -> list[tuple[UUID, datetime, float, str | None]]:
    """The animal's weighings that count of a calendar day: key, wall clock, grams, by whom."""
    return [
        (UUID(one["id"]), datetime.fromisoformat(one["at_wall"]), one["value"], one["by"])
        for one in _today([subject], [wall.date()]).get(subject.pk, {}).get("weight", [])
    ]


def given_that_day(subject: Subject, wall: datetime) -> list[dict[str, Any]]:
    """The water that counts of a calendar day: `at_wall`, `value` in mL, `by`, the oldest first."""
    return _today([subject], [wall.date()]).get(subject.pk, {}).get("water", [])
