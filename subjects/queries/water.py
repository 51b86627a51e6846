"""Weight and water of animals: the facts in one statement for any number of animals and days, the arithmetic in the rules.

A day is the calendar date in the zone of the animal's lab, judged by the policy of that day. Each day costs a few index
look-ups, so neither long histories nor many animals grow the memory or the number of queries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from alyx.core import clock
from alyx.core.prepared import rows_of
from subjects.models import Subject, WaterAdministration, Weighing
from subjects.rules.day import Case, Day, Restricted, Weighed
from subjects.rules.growth import Curve, curve_for
from subjects.rules.implants import Implanted
from subjects.rules.policy import Held, Policy, Window, held, policy_on
from subjects.rules.water import judged

_FACTS = """
SELECT w.id, w.weight_g, w.at_wall, i.id, i.implant_weight_g, i.started_wall,
       r.id, r.started_wall, r.reference_weight_g, ref.id, ref.weight_g, ref.at_wall,
       ri.id, ri.implant_weight_g, ri.started_wall, g.reward, g.supplement, g.adlib
FROM unnest(%(animals)s::uuid[], %(days)s::date[], %(ended_by)s::timestamp[]) WITH ORDINALITY AS a (subject_id, day, ended_by, place)
LEFT JOIN LATERAL (
    SELECT id, weight_g, at_wall FROM subjects_weighing
    WHERE subject_id = a.subject_id AND withdrawn_at IS NULL AND counts AND at_wall < a.day + 1
    ORDER BY at_wall DESC, weight_g LIMIT 1
) w ON true
LEFT JOIN LATERAL (
    SELECT id, implant_weight_g, started_wall FROM subjects_surgery
    WHERE subject_id = a.subject_id AND withdrawn_at IS NULL AND implant_weight_g >= 0 AND started_wall < a.day + 1
    ORDER BY started_wall DESC, id DESC LIMIT 1
) i ON true
LEFT JOIN LATERAL (
    SELECT id, started_wall, reference_weight_g FROM subjects_waterrestriction
    WHERE subject_id = a.subject_id AND withdrawn_at IS NULL AND started_wall < a.day + 1
      AND (ended_wall IS NULL OR ended_wall > a.ended_by)
    ORDER BY started_wall DESC, id DESC LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT id, weight_g, at_wall FROM subjects_weighing
    WHERE subject_id = a.subject_id AND withdrawn_at IS NULL AND counts AND at_wall < r.started_wall::date + 1
    ORDER BY at_wall DESC, weight_g LIMIT 1
) ref ON true
LEFT JOIN LATERAL (
    SELECT id, implant_weight_g, started_wall FROM subjects_surgery
    WHERE subject_id = a.subject_id AND withdrawn_at IS NULL AND implant_weight_g >= 0
      AND started_wall < r.started_wall::date + 1
    ORDER BY started_wall DESC, id DESC LIMIT 1
) ri ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(volume_ml) FILTER (WHERE session_id IS NOT NULL), 0) AS reward,
           coalesce(sum(volume_ml) FILTER (WHERE session_id IS NULL), 0) AS supplement,
           coalesce(bool_or(adlib), false) AS adlib
    FROM subjects_wateradministration
    WHERE subject_id = a.subject_id AND withdrawn_at IS NULL AND counts AND at_wall >= a.day AND at_wall < a.day + 1
) g ON true
ORDER BY a.place
"""

_POLICIES = """
SELECT l.id, l.name, l.timezone, l.reference_weight_pct, l.zscore_weight_pct,
       p.id, p.from_on, p.reference_weight_pct, p.zscore_weight_pct, p.floor,
       w.id, w.title, w.first_day, w.last_day, w.from_on, w.to_on, w.reference_weight_pct, w.zscore_weight_pct, w.floor
FROM labs_lab l
LEFT JOIN labs_welfarepolicy p ON p.lab_id = l.id
LEFT JOIN labs_policywindow w ON w.policy_id = p.id
WHERE l.id = ANY(%(labs)s::uuid[])
ORDER BY p.from_on NULLS FIRST, w.first_day, w.from_on, w.id
"""

_FIRST = """
SELECT least((SELECT min(at_wall) FROM subjects_weighing
              WHERE subject_id = %(key)s AND withdrawn_at IS NULL AND counts AND at_wall >= %(since)s),
             (SELECT min(at_wall) FROM subjects_wateradministration
              WHERE subject_id = %(key)s AND withdrawn_at IS NULL AND counts AND at_wall >= %(since)s),
             (SELECT min(started_wall) FROM subjects_waterrestriction
              WHERE subject_id = %(key)s AND withdrawn_at IS NULL AND started_wall >= %(since)s))
"""

_LAST_RESTRICTIONS = """
SELECT a.subject_id, r.started_wall
FROM unnest(%(animals)s::uuid[]) AS a (subject_id)
CROSS JOIN LATERAL (
    SELECT started_wall FROM subjects_waterrestriction
    WHERE subject_id = a.subject_id AND withdrawn_at IS NULL AND started_wall IS NOT NULL
    ORDER BY started_wall DESC LIMIT 1
) r
"""

_GROWTH = """
SELECT g.strain_id, s.name, g.sex, g.age_weeks, g.mean_g, g.sd_g
FROM subjects_growthpoint g JOIN subjects_strain s ON s.id = g.strain_id WHERE g.strain_id = ANY(%(strains)s::uuid[])
"""


@dataclass(frozen=True)
class LabRules:
    """A lab's zone and how it judged, through time."""

    name: str
    timezone: str
    fallback: Policy
    policies: Sequence[Policy]

    def held(self, day: date, restricted_since: date | None) -> Held:
        """The numbers that hold on a day."""
        return held(policy_on(self.policies, self.fallback, day), day, restricted_since)


@dataclass(frozen=True)
class SubjectNumbers:
    """The welfare numbers of an animal's REST record; what is not available is 0 there, as clients expect."""

    reference_weight: float
    last_water_restriction: datetime | None
    expected_water: float
    remaining_water: float
    day: Day


def welfare_today(subjects: Iterable[Subject], now: datetime | None = None) -> dict[UUID, Day]:
    """Each animal's numbers on today's date in the zone of its lab. At most five queries."""
    animals = list(subjects)
    if not animals:
        return {}
    now = now or clock.now()
    labs = lab_rules({one.lab_id for one in animals})
    days = [clock.utc_to_wall(now, labs[one.lab_id].timezone).date() for one in animals]
    return _by_key(animals, _judged(animals, days, labs, now))


def welfare_on(subjects: Iterable[Subject], day: date, now: datetime | None = None) -> dict[UUID, Day]:
    """Each animal's numbers on a day."""
    animals = list(subjects)
    return _by_key(animals, days_of([(animal, day) for animal in animals], now))


def welfare_of(
    subjects: Iterable[Subject], first: date, last: date, now: datetime | None = None
) -> dict[UUID, list[Day]]:
    """Each animal's numbers on each day from `first` to `last`, both included."""
    animals, days = list(subjects), _between(first, last)
    found = iter(days_of([(animal, day) for animal in animals for day in days], now))
    return {animal.pk: [next(found) for _ in days] for animal in animals}


def water_days(subject: Subject, first: date, last: date, now: datetime | None = None) -> list[Day]:
    """One animal's numbers on each day from `first` to `last`, both included."""
    return days_of([(subject, day) for day in _between(first, last)], now)


def days_of(pairs: Iterable[tuple[Subject, date]], now: datetime | None = None) -> list[Day]:
    """The numbers of each animal on the day beside it, in the order given: for lists and week grids."""
    asked = list(pairs)
    if not asked:
        return []
    animals, days = [animal for animal, _ in asked], [day for _, day in asked]
    return _judged(animals, days, lab_rules({one.lab_id for one in animals}), now or clock.now())


def _between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


def today_of(subject: Subject, now: datetime | None = None) -> date:
    """Today's date where the animal lives."""
    return clock.utc_to_wall(now or clock.now(), subject.lab.timezone).date()


def first_day(subject: Subject, since: date = date.min) -> date | None:
    """The day of the first record about the animal's weight and water, of those not older than `since`."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, {"key": subject.pk, "since": since})
        found: datetime | None = cursor.fetchone()[0]
    return found.date() if found else None


def subject_numbers(rows: Iterable[Subject], now: datetime | None = None) -> dict[UUID, SubjectNumbers]:
    """What the REST records of the animals say about weight and water."""
    animals = list(rows)
    days = welfare_today(animals, now)
    last = last_restrictions(days)
    return {key: numbers_of(day, last.get(key)) for key, day in days.items()}


def numbers_of(day: Day, last_restriction: datetime | None) -> SubjectNumbers:
    """The numbers of a record from those of the day and the start of the last restriction, ended or not."""
    return SubjectNumbers(
        reference_weight=day.reference_g or 0.0,
        last_water_restriction=last_restriction,
        expected_water=day.expected_ml or 0.0,
        remaining_water=day.remaining_ml or 0.0,
        day=day,
    )


def last_restrictions(keys: Iterable[UUID]) -> dict[UUID, datetime]:
    """The start of each animal's last restriction, ended or not."""
    wanted = list(keys)
    if not wanted:
        return {}
    return dict(rows_of(_LAST_RESTRICTIONS, {"animals": wanted}))


def weighing_record(row: Weighing, nickname: str, base_url: str) -> dict[str, Any]:
    """A weighing on the wire."""
    return {
        "subject": nickname,
        "date_time": row.at_wall,
        "weight": row.weight_g,
        "user": row.user.username if row.user else None,
        "url": f"{base_url}/weighings/{row.pk}",
    }


def administration_record(row: WaterAdministration, nickname: str, base_url: str) -> dict[str, Any]:
    """Water given, on the wire."""
    return {
        "subject": nickname,
        "date_time": row.at_wall,
        "water_administered": row.volume_ml,
        "water_type": row.water_type.name if row.water_type else None,
        "user": row.user.username if row.user else None,
        "url": f"{base_url}/water-administrations/{row.pk}",
        "session": row.session_id,
        "adlib": row.adlib,
    }


def lab_rules(keys: Iterable[UUID]) -> dict[UUID, LabRules]:
    """Zone and policies of the labs, in one query."""
    rows = rows_of(_POLICIES, {"labs": list(keys)})
    labs: dict[UUID, tuple[Any, ...]] = {}
    policies: dict[UUID, dict[UUID, tuple[Any, ...]]] = {}
    windows: dict[UUID, list[Window]] = {}
    for row in rows:
        lab, policy, window = row[:5], row[5:10], row[10:]
        labs[lab[0]] = lab
        if policy[0] is not None:
            policies.setdefault(lab[0], {})[policy[0]] = policy
        if window[0] is not None:
            windows.setdefault(policy[0], []).append(Window(*window[1:]))
    return {
        key: LabRules(
            name=name,
            timezone=zone,
            fallback=Policy(reference, zscore, lab=name),
            policies=[
                Policy(own_reference, own_zscore, floor, since, tuple(windows.get(policy, ())), policy, name)
                for policy, since, own_reference, own_zscore, floor in policies.get(key, {}).values()
            ],
        )
        for key, name, zone, reference, zscore in labs.values()
    }


def _by_key(animals: Sequence[Subject], days: Sequence[Day]) -> dict[UUID, Day]:
    return {animal.pk: day for animal, day in zip(animals, days, strict=True)}


def _judged(animals: Sequence[Subject], days: Sequence[date], labs: dict[UUID, LabRules], now: datetime) -> list[Day]:
    """The numbers of each animal on the day beside it."""
    curves = _own_curves({one.strain_id for one in animals if one.strain_id})
    ended_by = [
        _ended_by(day, clock.utc_to_wall(now, labs[one.lab_id].timezone))
        for one, day in zip(animals, days, strict=True)
    ]
    rows = rows_of(_FACTS, {"animals": [one.pk for one in animals], "days": list(days), "ended_by": ended_by})
    return judged(
        [
            _case(animal, day, row, labs[animal.lab_id], curves.get(animal.strain_id) if animal.strain_id else None)
            for animal, day, row in zip(animals, days, rows, strict=True)
        ]
    )


def _ended_by(day: date, now_wall: datetime) -> datetime:
    """Restrictions that ended by then are not in force: on a past day one counts to the day of its end, today until it ends."""
    midnight = datetime.combine(day, datetime.min.time())
    if day == now_wall.date():
        return now_wall
    return midnight - timedelta(microseconds=1) if day > date.min else midnight


def _case(animal: Subject, day: date, row: Sequence[Any], lab: LabRules, own: dict[str, Curve] | None) -> Case:
    weighed, implant, restriction, reference, then, water = row[:3], row[3:6], row[6:9], row[9:12], row[12:15], row[15:]
    is_restricted = restriction[0] is not None and (animal.died_on is None or day <= animal.died_on)
    since = restriction[1].date() if is_restricted else None
    return Case(
        day=day,
        policy=lab.held(day, since),
        sex=animal.sex,
        born_on=animal.born_on,
        curve=curve_for(animal.sex, own),
        weighed=_weighed(weighed),
        implant=_implanted(implant),
        restricted=Restricted(restriction[1], restriction[2], restriction[0]) if is_restricted else None,
        reference=_weighed(reference) if is_restricted else None,
        reference_implant=_implanted(then) if is_restricted else None,
        reward_ml=water[0],
        supplement_ml=water[1],
        is_adlib=water[2],
    )


def _weighed(found: Sequence[Any]) -> Weighed | None:
    key, weight, at = found
    return None if key is None else Weighed(weight, at, key)


def _implanted(found: Sequence[Any]) -> Implanted | None:
    key, weight, at = found
    return None if key is None else Implanted(weight, at, key)


def _own_curves(strains: Iterable[UUID]) -> dict[UUID, dict[str, Curve]]:
    """The growth curves loaded for these strains, by sex."""
    wanted = list(strains)
    if not wanted:
        return {}
    points: dict[tuple[UUID, str, str], list[tuple[int, float, float]]] = {}
    for strain, name, sex, week, mean, sd in rows_of(_GROWTH, {"strains": wanted}):
        points.setdefault((strain, name, sex), []).append((week, mean, sd))
    curves: dict[UUID, dict[str, Curve]] = {}
    for (strain, name, sex), found in points.items():
        curves.setdefault(strain, {})[sex] = Curve.of(f"growth curve of strain {name}, {sex}", found)
    return curves
