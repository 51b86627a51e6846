"""Procedures that are no surgery, batches of viruses, and the vocabulary of procedures."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.labs.models import Lab, User
from alyx.labs.permissions import Right, authorise, authorise_anywhere
from subjects.models import OtherProcedure, ProcedureType, Subject, Surgery, VirusBatch
from subjects.permissions import Act, authorise_animal
from subjects.rules.times import as_wall
from subjects.services.life import life_doubts

_COLUMNS = ("name", "narrative", "json", "location", "severity", "ethics_review_id")


@transaction.atomic
def create_procedure_type(*, actor: Any, values: Mapping[str, Any]) -> ProcedureType:
    """A new kind of procedure. Raises Forbidden, Invalid when the name is taken."""
    authorise_anywhere(actor, act="extend the vocabulary of procedures", to=Right.MANAGE)
    try:
        with transaction.atomic():
            return ProcedureType.objects.create(**values)
    except IntegrityError:
        raise Invalid.of("name", f"there is a procedure named {values['name']!r} already") from None


@transaction.atomic
def record_other_procedure(*, actor: Any, subject: Subject, values: Mapping[str, Any]) -> OtherProcedure:
    """Something done to an animal that is no surgery; the actor did it unless `users` says who.

    `values`: `start_time` (else now), `end_time`, `procedures`, `users`, `lab` (rows), and columns. Raises Forbidden;
    Doubtful in a form.
    """
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), subject.pk)
    authorise_animal(actor, subject, Act.TREAT, what="record a procedure of")
    lab: Lab = values.get("lab") or subject.lab
    said = {"start_time": clock.now(), **values}
    made = OtherProcedure(subject=subject, lab=lab, zone=lab.timezone, **_columns(said), **_times(said, lab.timezone))
    made.save()
    made.users.set(_rows(said, "users", [actor]))
    made.procedures.set(_rows(said, "procedures", []))
    _flag(made, said)
    return made


@transaction.atomic
def change_other_procedure(*, actor: Any, procedure: OtherProcedure, values: Mapping[str, Any]) -> OtherProcedure:
    """Change what is said and nothing else. Raises Forbidden, NotFound; Doubtful in a form."""
    rows = OtherProcedure.objects.shown().select_related("subject__lab", "subject__responsible_user", "lab")
    procedure = locked(rows, procedure.pk)
    authorise_animal(actor, procedure.subject, Act.TREAT, what="change a procedure of")
    store(procedure, {**_columns(values), **_times(values, procedure.zone)})
    for name in ("users", "procedures"):
        if name in values:
            getattr(procedure, name).set(values[name])
    _flag(procedure, values)
    return procedure


@transaction.atomic
def withdraw_other_procedure(*, actor: Any, procedure: OtherProcedure) -> None:
    """It did not happen. Raises Forbidden, NotFound."""
    rows = OtherProcedure.objects.shown().select_related("subject__lab", "subject__responsible_user")
    procedure = locked(rows, procedure.pk)
    authorise_animal(actor, procedure.subject, Act.WITHDRAW, what="withdraw a procedure of")
    store(procedure, {"withdrawn_at": clock.now()})


def ethics_of(action: Surgery | OtherProcedure) -> tuple[str, str]:
    """Under which ethics review it was done, and who says so: itself, the animal's licence or the lab."""
    licence = action.subject.licence
    said = (
        (action.ethics_review_id, "said here"),
        (licence.ethics_review_id if licence else "", f"licence {licence}"),
        (action.lab.ethics_review_id, f"lab {action.lab}"),
    )
    return next(((number, source) for number, source in said if number), ("", "nobody says"))


@transaction.atomic
def create_virus_batch(*, actor: Any, values: Mapping[str, Any]) -> VirusBatch:
    """A batch of a lab (no lab: everybody's). Raises Forbidden, Invalid."""
    _authorise_batch(actor, values.get("lab"))
    return _stored_batch(VirusBatch(), values)


@transaction.atomic
def change_virus_batch(*, actor: Any, batch: VirusBatch, values: Mapping[str, Any]) -> VirusBatch:
    """Change what is said of a batch. Raises Forbidden, Invalid."""
    batch = locked(VirusBatch.objects.select_related("lab"), batch.pk)
    _authorise_batch(actor, batch.lab)
    if "lab" in values:
        _authorise_batch(actor, values["lab"])
    return _stored_batch(batch, values)


def _authorise_batch(actor: Any, lab: Lab | None) -> None:
    if lab is None:
        authorise_anywhere(actor, act="change virus batches of all labs", to=Right.MANAGE)
    else:
        authorise(actor, lab, act="change virus batches")


def _stored_batch(batch: VirusBatch, values: Mapping[str, Any]) -> VirusBatch:
    for name, value in values.items():
        setattr(batch, name, value)
    if batch.titer_gc_per_ml is not None and batch.titer_gc_per_ml <= 0:
        raise Invalid.of("titer_gc_per_ml", "a titre is above 0; leave it empty when it is not known")
    if batch.made_on and batch.expires_on and batch.expires_on < batch.made_on:
        raise Invalid.of("expires_on", "it expires before it was made")
    try:
        with transaction.atomic():
            batch.save()
    except IntegrityError:
        raise Invalid.of("name", "the lab has a batch of this name and lot already") from None
    return batch


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _COLUMNS if name in values}


def _times(values: Mapping[str, Any], zone: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for word, ours in (("start_time", "started"), ("end_time", "ended")):
        if word in values:
            wall = as_wall(values[word], zone) if values[word] else None
            columns |= {f"{ours}_wall": wall, f"{ours}_at": clock.wall_to_utc(wall, zone) if wall else None}
    return columns


def _rows(values: Mapping[str, Any], name: str, default: Sequence[User | ProcedureType]) -> list[Any]:
    return list(values[name]) if values.get(name) is not None else list(default)


def _flag(procedure: OtherProcedure, values: Mapping[str, Any]) -> None:
    walls = {"start_time": procedure.started_wall, "end_time": procedure.ended_wall}
    doubts = list(life_doubts(procedure.subject, {name: wall for name, wall in walls.items() if name in values}))
    start, end = procedure.started_wall, procedure.ended_wall
    if start and end and end < start and not values.keys().isdisjoint(walls):
        facts = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        doubts.append(
            Doubt("end-before-start", f"it ends {end}, before it starts {start}", facts, "correct one", ("end_time",))
        )
    raise_flags(OtherProcedure, [(procedure.pk, doubt) for doubt in doubts], lab_id=procedure.lab_id)
