"""Weighings, water and restrictions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from alyx.core import clock
from alyx.core.flags import Doubt
from datasets.imports.importer import SUBJECT, USER, Here, Importer, Made, New, ends_before_start, lived, without_time
from datasets.imports.procedures import ACTION_REFS, action
from datasets.imports.spool import Row
from datasets.imports.values import UNKNOWN, Refused, Take
from subjects.models import Subject, WaterAdministration, WaterRestriction, Weighing
from subjects.rules.plausible import REFERENCE_DAYS, reference_is_far, volume_is_absurd, weight_is_absurd

WATER_TYPE, SESSION = "actions.watertype", "actions.session"


class Weighings(Importer):
    """A weight. One that no animal has is kept and enters no number."""

    label, model = "actions.weighing", Weighing
    natural = ("subject_id", "at_wall", "weight_g", "user_id")
    refs = {"subject": SUBJECT, "user": USER}
    uncompared = frozenset({"counts", "zone", "at"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The weighing; without a weight it is none."""
        subject = animal(take, here)
        weight = take.number("weight")
        if weight is None:
            raise Refused("it has no usable weight")
        columns = moment(take, subject)
        if why := weight_is_absurd(weight, subject.species.name if subject.species else ""):
            facts = {"subject": subject.nickname, "weight": weight}
            take.doubts.append(Doubt("weight-implausible", why, facts, "correct the weight, or say that it is right"))
        columns |= {"weight_g": weight, "counts": not why and columns["at_wall"] != UNKNOWN}
        return Made(columns, lab_id=subject.lab_id, doubts=take.doubts)

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """Before the birth, after the death, in the future."""
        yield from of_lives(new, here)


class Waters(Importer):
    """Water given, in a session or outside of one."""

    label, model = "actions.wateradministration", WaterAdministration
    natural = ("subject_id", "at_wall", "volume_ml", "user_id", "adlib")
    refs = {"subject": SUBJECT, "user": USER, "water_type": WATER_TYPE, "session": SESSION}
    uncompared = frozenset({"counts", "zone", "at"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The administration."""
        subject = animal(take, here)
        volume = take.number("water_administered")
        adlib = take.yes("adlib")
        columns = moment(take, subject)
        why = volume_is_absurd(volume, subject.species.name if subject.species else "") if volume is not None else ""
        facts = {"subject": subject.nickname, "water_administered": volume}
        if why:
            fix = "correct it, or say that it is right"
            take.doubts.append(Doubt("volume-implausible", why, facts, fix, ("water_administered",)))
        if volume is None and not adlib:
            words = "water was given, nobody said how much"
            take.doubts.append(Doubt("water-without-volume", words, facts, "say how much", ("water_administered",)))
        columns |= {
            "volume_ml": volume,
            "adlib": adlib,
            "water_type_id": take.link("water_type", WATER_TYPE),
            "session_id": take.link("session", SESSION),
            "counts": not why and columns["at_wall"] != UNKNOWN,
        }
        return Made(columns, lab_id=subject.lab_id, doubts=take.doubts)

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """Before the birth, after the death, in the future."""
        yield from of_lives(new, here)


class Restrictions(Importer):
    """A water restriction. A reference weight of 0 says nothing."""

    label, model = "actions.waterrestriction", WaterRestriction
    refs = {**ACTION_REFS, "water_type": WATER_TYPE}
    uncompared = frozenset({"zone", "started_at", "ended_at"})
    whole_groups = True

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of an animal together, in order of time."""
        return str(fields.get("subject") or ""), str(fields.get("start_time") or "")

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The restriction."""
        made = action(take, here)
        reference = take.number("reference_weight")
        if reference is not None and reference < 0:
            take.odd("reference_weight", reference, "is no weight")
        made.columns |= {
            "reference_weight_g": reference if reference is not None and reference > 0 else None,
            "water_type_id": take.link("water_type", WATER_TYPE),
        }
        return made

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """No usable reference weight, a second open one, an end before the start, beside the animal's life."""
        animals = {one.columns["subject_id"] for one in new}
        weights = weights_of(animals)
        open_ones: dict[UUID, list[UUID]] = {}
        rows = WaterRestriction.objects.shown().filter(subject__in=animals, ended_wall__isnull=True)
        for key, subject_id in rows.order_by("started_wall", "pk").values_list("pk", "subject_id"):
            open_ones.setdefault(subject_id, []).append(key)
        for one in new:
            columns, subject = one.columns, here.subject(one.columns["subject_id"])
            start = columns["started_wall"]
            yield from ((one.key, doubt) for doubt in _reference(columns, subject, weights.get(subject.pk, [])))
            if columns["ended_wall"] is None and one.key in open_ones.get(subject.pk, [])[1:]:
                words = f"{subject.nickname} has another open restriction, begun before"
                facts = {"subject": subject.nickname, "open": list(map(str, open_ones[subject.pk]))}
                yield one.key, Doubt("second-open-restriction", words, facts, "end one of them")
            if columns["ended_wall"] is None and subject.died_on:
                words = f"{subject.nickname} died {subject.died_on} and is still restricted"
                died = {"subject": subject.nickname, "death_date": subject.died_on}
                yield one.key, Doubt("open-after-death", words, died, "end it on the day of the death", ("end_time",))
            yield from ((one.key, doubt) for doubt in ends_before_start(columns))
            yield from (
                (one.key, doubt) for doubt in lived(subject, {"start_time": start}, here.today(columns["lab_id"]))
            )


def _reference(
    columns: Mapping[str, Any], subject: Subject, weights: Sequence[tuple[datetime, float]]
) -> Iterator[Doubt]:
    """Its own, or a weighing in the days before its start."""
    start, reference = columns["started_wall"], columns["reference_weight_g"]
    last = next(((at, weight) for at, weight in reversed(weights) if start and at.date() <= start.date()), None)
    if reference is not None:
        species = subject.species.name if subject.species else ""
        why = weight_is_absurd(reference, species) or reference_is_far(reference, last[1] if last else None)
        if why:
            facts = {"reference_weight": reference, "last_weight": last and last[1]}
            fix = "correct it, or say that it is right"
            yield Doubt("reference-weight-implausible", why, facts, fix, ("reference_weight",))
        return
    if start and last and (start.date() - last[0].date()).days <= REFERENCE_DAYS:
        return
    words = f"{subject.nickname} has no reference weight, and no weighing in the {REFERENCE_DAYS} days before the restriction"
    facts = {"subject": subject.nickname, "start_time": start and start.isoformat()}
    yield Doubt("no-reference-weight", words, facts, "enter the reference weight", ("reference_weight",))


def weights_of(animals: set[UUID]) -> dict[UUID, list[tuple[datetime, float]]]:
    """The weighings of these animals that count, in order of time."""
    found: dict[UUID, list[tuple[datetime, float]]] = {}
    rows = Weighing.objects.shown().filter(subject__in=animals, counts=True).order_by("at_wall")
    for subject_id, at, weight in rows.values_list("subject_id", "at_wall", "weight_g"):
        found.setdefault(subject_id, []).append((at, weight))
    return found


def animal(take: Take, here: Here) -> Subject:
    """Whom it happened to. Raises Refused."""
    key = take.link("subject", SUBJECT, needed=True)
    if key is None:
        raise Refused("it names no subject")
    return here.subject(key)


def moment(take: Take, subject: Subject) -> dict[str, Any]:
    """Whose, when, by whom. Their records of weight and water name no lab: it is the animal's."""
    zone = subject.lab.timezone
    wall = take.wall("date_time", zone)
    if wall is None:
        take.doubts.append(without_time("date_time"))
    take.raw("name")
    return {
        "subject_id": subject.pk,
        "at_wall": wall or UNKNOWN,
        "zone": zone,
        "at": clock.wall_to_utc(wall or UNKNOWN, zone),
        "user_id": take.link("user", USER),
        "json": take.json(),
    }


def of_lives(new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
    """Moments beside the animals' lives."""
    for one in new:
        subject, wall = here.subject(one.columns["subject_id"]), one.columns["at_wall"]
        if wall != UNKNOWN:
            found = lived(subject, {"date_time": wall}, here.today(subject.lab_id))
            yield from ((one.key, doubt) for doubt in found)
