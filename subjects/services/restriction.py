"""Restricting the water of animals, and the protocol number that follows from it.

An animal has one open restriction: a second one is refused in a form, flagged from elsewhere.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt, is_typed, raise_flags
from alyx.core.rest.names import all_by_name
from alyx.labs.models import Lab, Location, User
from alyx.labs.permissions import authorise
from subjects.models import (
    ProcedureType,
    Subject,
    Surgery,
    WaterRestriction,
    WaterType,
    Weighing,
)
from subjects.permissions import Act, authorise_animal
from subjects.rules import plausible
from subjects.rules.times import as_wall
from subjects.rules.water import protocol_number
from subjects.services.life import life_doubts
from subjects.services.welfare_body import Sent, animal_of, number_of, row_of, species_of

OWN_NUMBERS = ("", "1", "2", "3")
"""Protocol numbers that follow rule 9; anything else was typed by somebody and stays."""
_RESTRICTION = {
    "name": "name",
    "narrative": "narrative",
    "json": "json",
    "minimum_water": "minimum_water_ml",
    "ethics_review_id": "ethics_review_id",
}
_RELATED = ("subject__lab", "subject__responsible_user", "subject__species", "user")


@transaction.atomic
def restrict_water(*, actor: Any, values: Sent) -> WaterRestriction:
    """From now on the animal drinks only what it is given.

    `values`: subject; start_time (else now), end_time, reference_weight (else the last weighing, at most a week old),
    water_type, lab, location, users (else the actor), procedures, name, narrative, minimum_water, ethics_review_id, json.
    An animal has one open restriction: another one is refused in a form, flagged from elsewhere.
    Raises Invalid, Ambiguous, Forbidden; Doubtful in a form.
    """
    subject = _held(animal_of(actor, values))
    authorise_animal(actor, subject, Act.TREAT, what="restrict the water of")
    lab = row_of(Lab, values.get("lab"), "lab") or subject.lab
    if lab != subject.lab:
        authorise(actor, lab, act="restrict water")
    start = values.get("start_time") or clock.utc_to_wall(clock.now(), lab.timezone)
    restriction = WaterRestriction(
        subject=subject,
        lab=lab,
        zone=lab.timezone,
        **_times({"end_time": None, **values, "start_time": start}, lab.timezone),
        **_restriction_columns(values, subject),
    )
    restriction.save()
    restriction.users.set(_people(values["users"]) if values.get("users") else [actor])
    return _finished(restriction, {"start_time", "reference_weight", *values}, values)


@transaction.atomic
def change_restriction(*, actor: Any, restriction: WaterRestriction, values: Sent) -> WaterRestriction:
    """Change what is sent and nothing else. Raises NotFound, Invalid, Forbidden; Doubtful in a form."""
    row = _locked_restriction(restriction)
    authorise_animal(actor, row.subject, Act.TREAT, what="change a restriction of")
    if "subject" in values and animal_of(actor, values).pk != row.subject_id:
        raise Invalid.of("subject", "a restriction stays with its animal: withdraw it, and enter it for the other one")
    store(row, {**_restriction_columns(values, row.subject), **_times(values, row.zone)})
    if values.get("users"):
        row.users.set(_people(values["users"]))
    return _finished(row, set(values), values)


@transaction.atomic
def end_restriction(*, actor: Any, restriction: WaterRestriction, values: Sent | None = None) -> WaterRestriction:
    """The animal drinks freely again: now, unless `values` says an end_time. Raises NotFound, Invalid, Forbidden."""
    row = _locked_restriction(restriction)
    if row.ended_wall is not None:
        raise Invalid.of("end_time", f"this restriction ended {row.ended_wall:%Y-%m-%d %H:%M} already")
    end = (values or {}).get("end_time") or clock.utc_to_wall(clock.now(), row.zone)
    return change_restriction(actor=actor, restriction=row, values={**(values or {}), "end_time": end})


@transaction.atomic
def withdraw_restriction(*, actor: Any, restriction: WaterRestriction) -> None:
    """The animal was never restricted: out of every answer and number; the row stays. Raises NotFound, Forbidden."""
    row = _locked_restriction(restriction)
    authorise_animal(actor, row.subject, Act.WITHDRAW, what="withdraw a restriction of")
    store(row, {"withdrawn_at": clock.now()})
    refresh_protocol_number(row.subject)


@transaction.atomic
def close_restrictions(actor: Any, subject: Subject, at_wall: datetime) -> list[WaterRestriction]:
    """End what is open or planned to last longer, as the animal is dead; the caller has asked whether the actor may.

    Those ended.
    """
    subject = _held(subject)
    lasting = Q(ended_wall__isnull=True) | Q(ended_wall__gt=at_wall)
    rows = WaterRestriction.objects.shown().filter(lasting, subject=subject).order_by("started_wall")
    ended: list[WaterRestriction] = list(rows)
    for row in ended:
        wall = max(at_wall, row.started_wall) if row.started_wall else at_wall
        store(row, {"ended_wall": wall, "ended_at": clock.wall_to_utc(wall, row.zone)})
    refresh_protocol_number(subject)
    return ended


def refresh_protocol_number(subject: Subject) -> str:
    """Rule 9: after a change of restrictions or surgeries. A number that somebody typed stays."""
    found = (
        Subject.objects.filter(pk=subject.pk)
        .annotate(
            is_restricted=Exists(WaterRestriction.objects.in_force().filter(subject=OuterRef("pk"))),
            has_surgery=Exists(Surgery.objects.shown().filter(subject=OuterRef("pk"))),
        )
        .values_list("protocol_number", "is_restricted", "has_surgery")
        .get()
    )
    number, is_restricted, has_surgery = found
    right = protocol_number(is_restricted=is_restricted, has_surgery=has_surgery)
    if number in OWN_NUMBERS and number != right:
        Subject.objects.filter(pk=subject.pk).update(protocol_number=right)
        number = right
    subject.protocol_number = number
    return number


def _held(subject: Subject) -> Subject:
    """The animal, locked: what is open of it changes one call at a time."""
    return locked(Subject.objects.shown().select_related("lab", "responsible_user", "species"), subject.pk)


def _locked_restriction(restriction: WaterRestriction) -> WaterRestriction:
    _held(restriction.subject)
    related = ("subject__lab", "subject__responsible_user", "subject__species", "lab")
    row: WaterRestriction = locked(WaterRestriction.objects.shown().select_related(*related), restriction.pk)
    return row


def _people(said: Sequence[Any]) -> list[User]:
    people = [one for one in said if isinstance(one, User)]
    names = [str(one) for one in said if not isinstance(one, User)]
    return people + all_by_name(User.objects.all(), names, field="users", what="user", column="username")


def _times(values: Sent, zone: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, column in (("start_time", "started"), ("end_time", "ended")):
        if name in values:
            wall = as_wall(values[name], zone) if values[name] is not None else None
            columns[f"{column}_wall"] = wall
            columns[f"{column}_at"] = clock.wall_to_utc(wall, zone) if wall else None
    return columns


def _restriction_columns(values: Sent, subject: Subject) -> dict[str, Any]:
    columns: dict[str, Any] = {ours: values[name] for name, ours in _RESTRICTION.items() if name in values}
    if "minimum_water" in values:
        columns["minimum_water_ml"] = number_of(values, "minimum_water")
    if "reference_weight" in values:
        columns["reference_weight_g"] = reference = number_of(values, "reference_weight")
        if reference is not None and reference <= 0 and is_typed():
            raise Invalid.of("reference_weight", "a reference weight is above 0; leave it empty for the last weighing")
    if "water_type" in values:
        columns["water_type"] = row_of(WaterType, values["water_type"], "water_type")
    if "location" in values:
        columns["location"] = row_of(Location, values["location"], "location")
    return columns


def _finished(row: WaterRestriction, about: set[str], values: Sent) -> WaterRestriction:
    """Links, doubts and the protocol number, after the row is written."""
    if "procedures" in values:
        said = values["procedures"] or []
        kinds = [one for one in said if isinstance(one, ProcedureType)]
        names = [str(one) for one in said if not isinstance(one, ProcedureType)]
        row.procedures.set(
            kinds + all_by_name(ProcedureType.objects.all(), names, field="procedures", what="procedure")
        )
    doubts = [*_restriction_doubts(row, about)]
    raise_flags(WaterRestriction, [(row.pk, doubt) for doubt in doubts], lab_id=row.subject.lab_id)
    refresh_protocol_number(row.subject)
    return row


def _restriction_doubts(row: WaterRestriction, about: set[str]) -> Iterator[Doubt]:
    """Raises Invalid in a form for what it does not take."""
    walls = {"start_time": row.started_wall, "end_time": row.ended_wall}
    yield from life_doubts(row.subject, {name: wall for name, wall in walls.items() if name in about})
    if row.started_wall and row.ended_wall and row.ended_wall < row.started_wall and about & set(walls):
        yield _refused_or_doubted("restriction-ends-before-start", "end_time",
                                  f"ends {row.ended_wall}, starts {row.started_wall}",
                                  {name: str(wall) for name, wall in walls.items()})  # fmt: skip
    if row.ended_wall is None and about & set(walls):
        others = (
            WaterRestriction.objects.shown().filter(subject=row.subject, ended_wall__isnull=True).exclude(pk=row.pk)
        )
        if (other := others.first()) is not None:
            yield _refused_or_doubted("second-open-restriction", "start_time",
                                      f"{row.subject.nickname} is restricted already ({other}): end that restriction first",
                                      {"other": str(other.pk), "start_time": str(row.started_wall)})  # fmt: skip
    died = row.subject.died_on
    if died and row.ended_wall is None and about & set(walls) and row.started_wall and row.started_wall.date() <= died:
        yield Doubt("dead-animal-restricted", f"{row.subject.nickname} died {died}, and this restriction has no end",
                    {"death_date": died, "end_time": None}, "end it with the life, or correct the animal", ("end_time",))  # fmt: skip
    if about & {"start_time", "reference_weight"}:
        yield from _reference_doubts(row)


def _refused_or_doubted(rule: str, field: str, words: str, facts: dict[str, Any]) -> Doubt:
    if is_typed():
        raise Invalid.of(field, words)
    return Doubt(
        rule, words, facts, "correct or end one of them" if "second" in rule else "correct one of the two", (field,)
    )


def _reference_doubts(row: WaterRestriction) -> Iterator[Doubt]:
    reference, field = row.reference_weight_g, ("reference_weight",)
    if row.started_wall is None:
        return
    end_of_day = datetime.combine(row.started_wall.date(), datetime.min.time()) + timedelta(days=1)
    weighed = Weighing.objects.shown().filter(subject=row.subject, counts=True, at_wall__lt=end_of_day)
    last = weighed.order_by("-at_wall").first()
    facts = {"reference_weight": reference, "start_time": row.started_wall.isoformat()}
    if reference is not None and reference > 0:
        words = plausible.weight_is_absurd(reference, species_of(row.subject)) or plausible.reference_is_far(
            reference, last.weight_g if last else None
        )
        if words:
            yield Doubt("reference-weight-implausible", words, facts, "correct it, or say that it is right", field)
        return
    if last is None or (row.started_wall.date() - last.at_wall.date()).days > plausible.REFERENCE_DAYS:
        words = f"no reference weight, and no weighing in the {plausible.REFERENCE_DAYS} days before the restriction"
        yield Doubt("no-reference-weight", words, facts, "weigh the animal, or enter its reference weight", field)
