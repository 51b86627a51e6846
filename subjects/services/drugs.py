"""Drugs: given to an animal, in a surgery or outside, and kept on a lab's list."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.labs.models import Lab
from alyx.labs.permissions import Right, authorise, authorise_anywhere
from subjects.models import Drug, DrugGiven, Subject, Surgery, Weighing
from subjects.permissions import Act, authorise_animal
from subjects.rules.surgery import DRAWN_UP_ML, dose_given, overdose, volume_of
from subjects.rules.times import as_wall
from subjects.services.life import life_doubts

_COMPUTED_FROM = ("drug", "dose_mg_per_kg", "weight_g", "concentration_mg_per_ml")


@transaction.atomic
def give_drug(*, actor: Any, subject: Subject, values: Mapping[str, Any], surgery: Surgery | None = None) -> DrugGiven:
    """Record a drug given. `values`: `drug`, `date_time` (else now), and columns of DrugGiven.

    Without a weight the last one that counts is taken, without a dose the drug's usual one; the volume follows.
    Raises Forbidden, Invalid; Doubtful in a form for a dose above the highest.
    """
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), subject.pk)
    authorise_animal(actor, subject, Act.TREAT, what="give a drug to")
    said = dict(values)
    zone = surgery.zone if surgery else subject.lab.timezone
    wall: datetime = as_wall(said.pop("date_time", None) or clock.now(), zone)
    columns = {**said, **drug_columns(said, None, last_weight_g(subject, wall))}
    columns.setdefault("user", actor)
    given: DrugGiven = DrugGiven.objects.create(
        subject=subject, surgery=surgery, at_wall=wall, at=clock.wall_to_utc(wall, zone), zone=zone, **columns
    )
    doubts = [*drug_doubts(given), *life_doubts(subject, {"date_time": wall})]
    raise_flags(DrugGiven, [(given.pk, doubt) for doubt in doubts], lab_id=subject.lab_id)
    return given


@transaction.atomic
def withdraw_drug(*, actor: Any, given: DrugGiven) -> None:
    """Take a drug out of every answer: it was not given. Raises Forbidden, NotFound."""
    given = locked(DrugGiven.objects.shown().select_related("subject__lab", "subject__responsible_user"), given.pk)
    if given.user_id != actor.pk:
        authorise_animal(actor, given.subject, Act.WITHDRAW, what="withdraw drugs of")
    authorise_animal(actor, given.subject, Act.TREAT, what="withdraw drugs of")
    store(given, {"withdrawn_at": clock.now()})


def last_weight_g(subject: Subject, wall: datetime | None) -> float | None:
    """The last weight that counts, at that time."""
    rows = Weighing.objects.shown().filter(subject=subject, counts=True, weight_g__gt=0)
    if wall is not None:
        rows = rows.filter(at_wall__lte=wall)
    value: float | None = rows.order_by("-at_wall").values_list("weight_g", flat=True).first()
    return value


def drug_columns(said: Mapping[str, Any], existing: DrugGiven | None, weight_g: float | None) -> dict[str, Any]:
    """The inputs of the volume, filled where they can be, and the volume. A volume that somebody typed stays.

    Raises Invalid without a drug.
    """
    known = {
        name: said.get(name, getattr(existing, name, None)) for name in (*_COMPUTED_FROM, "volume_ml", "dose_percent")
    }
    drug = known["drug"]
    if isinstance(drug, str | UUID):
        drug = Drug.objects.filter(pk=drug).first()
    if drug is None:
        raise Invalid.of("drug", "say which drug")
    is_other_drug = existing is not None and existing.drug_id != drug.pk
    columns: dict[str, Any] = {"drug": drug}
    for name, usual in (
        ("concentration_mg_per_ml", drug.concentration_mg_per_ml),
        ("weight_g", weight_g if drug.dose_percent is None else None),
    ):
        columns[name] = known[name] if known[name] is not None and not is_other_drug else said.get(name) or usual
    dose, volume = known["dose_mg_per_kg"], known["volume_ml"]
    if existing is not None and volume == existing.volume_ml and _inputs_changed(existing, columns, dose):
        volume = None  # it was the old inputs' volume
    if volume is None and dose is None and known["dose_percent"] is None:
        dose, columns["dose_percent"] = drug.dose_mg_per_kg, drug.dose_percent
    inputs = (columns["weight_g"], columns["concentration_mg_per_ml"])
    if volume is None:
        computed = volume_of(dose, *inputs)
        volume = computed.ml if computed else None
    elif dose is None and inputs[0] and inputs[1]:
        dose = dose_given(volume, *inputs)
    columns |= {"dose_mg_per_kg": dose, "volume_ml": volume}
    if "route" in said or existing is not None:
        return columns
    return {**columns, "route": drug.route}


def _inputs_changed(existing: DrugGiven, columns: Mapping[str, Any], dose: float | None) -> bool:
    fresh = {**columns, "dose_mg_per_kg": dose}
    return any(getattr(existing, name) != fresh[name] for name in _COMPUTED_FROM)


def drug_doubts(given: DrugGiven) -> Iterator[Doubt]:
    """Too much; another volume than the dose; less than can be drawn up."""
    computed = volume_of(given.dose_mg_per_kg, given.weight_g, given.concentration_mg_per_ml)
    dose = given.dose_mg_per_kg
    if given.volume_ml is not None and given.weight_g and given.concentration_mg_per_ml:
        drawn = dose_given(max(given.volume_ml - DRAWN_UP_ML / 2, 0), given.weight_g, given.concentration_mg_per_ml)
        dose = max(dose or 0, drawn)
    facts = {"drug": str(given.drug), "dose_mg_per_kg": dose, "volume_ml": given.volume_ml, "weight_g": given.weight_g}
    if words := overdose(dose, given.drug.max_dose_mg_per_kg):
        yield Doubt(
            "overdose", f"{given.drug.name}: {words}", facts, "correct the dose or the weight", ("dose_mg_per_kg",)
        )
    if computed is None or given.volume_ml is None:
        return
    if abs(given.volume_ml - computed.exact_ml) > DRAWN_UP_ML + 0.02 * computed.exact_ml:
        yield Doubt(
            "volume-is-not-the-dose",
            f"{given.drug.name}: {given.volume_ml:g} mL, but {computed.explained}",
            facts,
            "correct the volume or the dose",
            ("volume_ml",),
        )
    elif given.volume_ml == 0:
        yield Doubt(
            "too-little-to-draw-up",
            f"{given.drug.name}: {computed.exact_ml:.4f} mL cannot be drawn up",
            facts,
            "dilute it and write the concentration as injected",
            ("concentration_mg_per_ml",),
        )


@transaction.atomic
def create_drug(*, actor: Any, values: Mapping[str, Any]) -> Drug:
    """A drug on a lab's list (no lab: everybody's). Raises Forbidden, Invalid."""
    _authorise_list(actor, values.get("lab"))
    return _stored(Drug(), values)


@transaction.atomic
def change_drug(*, actor: Any, drug: Drug, values: Mapping[str, Any]) -> Drug:
    """Change a drug on the list; what was given keeps the numbers it was given with. Raises Forbidden, Invalid."""
    drug = locked(Drug.objects.select_related("lab"), drug.pk)
    _authorise_list(actor, drug.lab)
    if "lab" in values:
        _authorise_list(actor, values["lab"])
    return _stored(drug, values)


def _authorise_list(actor: Any, lab: Lab | None) -> None:
    if lab is None:
        authorise_anywhere(actor, act="change the drugs of all labs", to=Right.MANAGE)
    else:
        authorise(actor, lab, act="change the list of drugs", to=Right.REGISTER)


def _stored(drug: Drug, values: Mapping[str, Any]) -> Drug:
    for name, value in values.items():
        setattr(drug, name, value)
    for name in ("concentration_mg_per_ml", "dose_mg_per_kg", "dose_percent", "max_dose_mg_per_kg"):
        value = getattr(drug, name)
        if value is not None and value <= 0:
            raise Invalid.of(name, f"{value:g} is not above 0; leave it empty when it does not apply")
    if drug.dose_mg_per_kg and drug.max_dose_mg_per_kg and drug.dose_mg_per_kg > drug.max_dose_mg_per_kg:
        raise Invalid.of("max_dose_mg_per_kg", "the highest dose is below the usual one")
    try:
        with transaction.atomic():
            drug.save()
    except IntegrityError:
        raise Invalid.of("name", "the lab has this drug in this concentration already") from None
    return drug
