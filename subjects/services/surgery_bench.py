"""A surgery as it is recorded at the table: each tap by itself, from several tablets, perhaps hours after it was made.

All keys are made by the tablets, so that what was recorded before the network came back is the same row afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Conflict, Invalid, NotFound
from alyx.core.flags import Doubt, confirmed, raise_flags
from subjects.models import Outcome, Subject, Surgery, SurgeryTemplate
from subjects.permissions import Act, authorise_animal, may_animal
from subjects.rules.surgery_fields import FIELDS, Unfit, merged, merged_columns, number
from subjects.rules.surgery_plan import NUMBERS, SAID, part_faults, plan_faults
from subjects.services.parts import PARTS
from subjects.services.surgery import change_surgery, end_surgery, preview_end, record_surgery, withdraw_surgery
from subjects.services.templates import filled_from

_RELATED = ("subject__lab", "subject__responsible_user", "subject__licence", "lab", "template")
_COLUMN = {
    "implant_weight": "implant_weight_g",
    "weight_before": "weight_before_g",
    "weight_after": "weight_after_g",
    "start_time": "started_at",
    "end_time": "ended_at",
    "location": "location_id",
}


@dataclass(frozen=True)
class Start:
    """What a tablet says when a surgery begins."""

    key: UUID
    subject: UUID
    at: datetime
    template: UUID | None = None
    nickname: str = ""
    """As the tablet showed it."""
    plan: Sequence[Mapping[str, Any]] = ()
    """The sites and parts to come, each with the key that its part will have."""


@transaction.atomic
def start_at_bench(*, actor: Any, start: Start) -> Surgery:
    """A surgery begins, at the time the tablet says. Of a template's parts and drugs nothing is done yet: they are the plan.

    Raises Forbidden, Invalid, NotFound; Conflict when the animal died before or has another name, and when the surgery was
    started already.
    """
    subject = locked(Subject.objects.select_related("lab", "responsible_user"), start.subject)
    if subject.withdrawn_at is not None:
        raise Conflict(f"{subject.nickname} was withdrawn meanwhile: start the surgery for the right animal")
    authorise_animal(actor, subject, Act.TREAT, what="record a surgery of")
    _refuse_if_changed(subject, start)
    if Surgery.objects.filter(pk=start.key).exists():
        raise Conflict("this surgery was started already")
    values: dict[str, Any] = {"start_time": start.at}
    template = None
    if start.template is not None:
        template = SurgeryTemplate.objects.select_related("lab").filter(pk=start.template).first()
        if template is None:
            raise Invalid.of("template", f"there is no template {start.template} (any more)")
        values |= {**filled_from(template)[0], "template": template}
    if faults := plan_faults(start.plan):
        raise Invalid("; ".join(faults.values()), fields=faults)
    values["json"] = {"plan": [dict(item) for item in start.plan]}
    made = record_surgery(actor=actor, subject=subject, values=values, key=start.key)
    others = Surgery.objects.shown().filter(subject=subject, ended_at__isnull=True, started_at__isnull=False)
    if other := others.exclude(pk=made.pk).order_by("-started_at").first():
        words = f"{subject.nickname} has another surgery that has not ended, since {other.started_wall:%Y-%m-%d %H:%M}"
        fix = "end that one, or withdraw one of the two"
        raise_flags(
            Surgery,
            [(made.pk, Doubt("surgery-not-ended", words, {"surgery": str(other.pk)}, fix))],
            lab_id=made.lab_id,
            standing=True,
        )
    return made


@transaction.atomic
def undo_start(*, actor: Any, surgery_id: UUID) -> None:
    """It did not begin. Whoever operates takes back what is still empty; else as withdrawing a surgery.

    Raises Forbidden, NotFound.
    """
    surgery = open_at_bench(actor, surgery_id)
    own = surgery.users.filter(pk=actor.pk).exists() and not _holds_anything(surgery)
    if own and not may_animal(actor, surgery.subject, Act.WITHDRAW):
        store(surgery, {"withdrawn_at": clock.now()})
        return
    withdraw_surgery(actor=actor, surgery=surgery)


def open_at_bench(actor: Any, key: UUID, at: datetime | None = None) -> Surgery:
    """The surgery, locked. Raises NotFound saying what became of it, Forbidden, Conflict when the animal was dead at that time."""
    surgery: Surgery = locked(Surgery.objects.select_related(*_RELATED), key)
    if surgery.withdrawn_at is not None:
        raise NotFound(f"the surgery of {surgery.subject.nickname} was withdrawn: it did not happen")
    authorise_animal(actor, surgery.subject, Act.TREAT, what="record a surgery of")
    died = surgery.subject.died_on
    if at is not None and died and not confirmed() and clock.utc_to_wall(at, surgery.zone).date() > died:
        raise Conflict(
            f"{surgery.subject.nickname} died on {died}, before this; correct the death or the time, or say that it is right"
        )
    return surgery


@transaction.atomic
def set_field(
    *, actor: Any, surgery_id: UUID, field: str, value: Any, base: Any, at: datetime | None
) -> dict[str, Any]:
    """One field, merged with what others wrote since `base`. Answers `value` and `before` as they go over the wire.

    Raises Invalid, Forbidden, NotFound; Conflict, with `theirs`, when both changed the same; Doubtful in a form.
    """
    read = FIELDS.get(field)
    if read is None:
        raise Invalid.of("field", f"a surgery has no field {field!r}; it has {', '.join(FIELDS)}")
    mine, seen = _read(field, value), _read(field, base)
    surgery = open_at_bench(actor, surgery_id, at)
    now = field_of(surgery, field)
    found = merged(field, seen, mine, now)
    if not found.agreed:
        raise Conflict(
            f"{field}: somebody changed it meanwhile; choose which of the two it is",
            fields={field: f"it says {typed(now)!r} by now, and was {typed(seen)!r} when you changed it"},
            extra={"field": field, "base": typed(seen), "mine": typed(mine), "theirs": typed(now)},
        )
    if found.value != now:
        change_surgery(actor=actor, surgery=surgery, values={field: _stored(found.value)})
    return {"field": field, "value": wire(found.value), "before": wire(now)}


@transaction.atomic
def put_part(
    *,
    actor: Any,
    surgery_id: UUID,
    kind: str,
    key: UUID,
    values: Mapping[str, Any],
    at: datetime,
    base: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A part, drug or event of this key: made, or with `base` changed, column by column. Answers `made` and `before`.

    Made by two people it is one: alike it stands, else it is a Conflict that says what the first wrote. Raises as `set_field`.
    """
    model = PARTS.get(kind)
    if model is None:
        raise Invalid.of("part", f"{kind!r} is no part of a surgery; parts are {', '.join(PARTS)}")
    if "remove" in values or "place" in values or "part" in values:
        raise Invalid.of("values", "has a word that no part has")
    surgery = open_at_bench(actor, surgery_id, at)
    there = _row(model, surgery, key)
    gone = there is None or getattr(there, "withdrawn_at", None) is not None
    if there is None or (gone and base is None):
        if base is not None:
            raise Conflict(f"somebody took this {_name(model)} out meanwhile; record it again if it is right")
        moment = _moment(kind, clock.utc_to_wall(at, surgery.zone))
        said = {**moment, **values}
        if there is not None:
            store(there, {"withdrawn_at": None})
        _write(actor, surgery, {"part": kind, "id" if there is not None else "key": key, **said})
        return {"id": str(key), "made": True}
    if gone:
        raise Conflict(f"somebody took this {_name(model)} out meanwhile; record it again if it is right")
    before = {name: wire(getattr(there, _attribute(there, name))) for name in values}
    plain = {name: wire(value) for name, value in values.items()}
    seen = {name: base.get(name) for name in plain} if base is not None else plain
    write, differ = merged_columns(seen, plain, before)
    if base is None:  # made twice: alike, or not
        write, differ = {}, {name: before[name] for name in plain if before[name] != plain[name]}
    if differ:
        listed = ", ".join(f"{name} {value}" for name, value in differ.items())
        raise Conflict(
            f"somebody recorded this {_name(model)} meanwhile, with {listed}; choose which is right",
            fields={name: f"it says {value!r} by now" for name, value in differ.items()},
            extra={"id": str(key), "mine": plain, "theirs": differ},
        )
    changed = {name: values[name] for name in write if write[name] != before[name]}
    if changed:
        _write(actor, surgery, {"part": kind, "id": key, **changed})
    after = {name: plain[name] for name in changed}
    return {"id": str(key), "made": False, "before": {name: before[name] for name in changed}, "after": after}


@transaction.atomic
def take_part(*, actor: Any, surgery_id: UUID, kind: str, key: UUID) -> dict[str, Any] | None:
    """The part was not done: out of every answer; the history keeps it. Taken out already is fine: None, else what it said
    and when it was (`values`, `at`). Raises Invalid, Forbidden, NotFound."""
    model = PARTS.get(kind)
    if model is None:
        raise Invalid.of("part", f"{kind!r} is no part of a surgery; parts are {', '.join(PARTS)}")
    surgery = open_at_bench(actor, surgery_id)
    row = _row(model, surgery, key)
    if row is None or getattr(row, "withdrawn_at", None) is not None:
        return None
    values = {name: wire(getattr(row, _attribute(row, name))) for name in SAID[kind]}
    wall = row.started_wall if kind == "implant" else row.at_wall
    _write(actor, surgery, {"part": kind, "id": key, "remove": True})
    at = clock.wall_to_utc(wall, surgery.zone).isoformat() if wall else None
    return {"values": {name: value for name, value in values.items() if value is not None}, "at": at}


@transaction.atomic
def set_column(
    *, actor: Any, surgery_id: UUID, kind: str, key: UUID, column: str, value: Any, base: Any, at: datetime
) -> dict[str, Any]:
    """One column of a part, done or planned, as a field: merged with what others wrote since `base`.

    Raises Invalid, Forbidden, NotFound; Conflict, with `theirs`, when both changed it.
    """
    mine, seen = (_read_column(kind, column, one) for one in (value, base))
    surgery = open_at_bench(actor, surgery_id, at)
    row = _row(PARTS[kind], surgery, key)
    planned = next((one for one in plan_of(surgery) if one["id"] == str(key)), None)
    if row is None and planned is None:
        raise Conflict("somebody took this site out meanwhile; plan or record it again if it is right")
    now = wire(getattr(row, _attribute(row, column))) if row is not None else (planned or {}).get(column)
    found = merged(column, seen, mine, now)
    name = f"{key}.{column}"
    if not found.agreed:
        raise Conflict(
            f"{column}: somebody changed it meanwhile; choose which of the two it is",
            fields={column: f"it says {typed(now)!r} by now, and was {typed(seen)!r} when you changed it"},
            extra={"field": name, "base": typed(seen), "mine": typed(mine), "theirs": typed(now)},
        )
    if found.value != now:
        if row is not None:
            _write(actor, surgery, {"part": kind, "id": key, column: found.value})
        else:
            plan_part(actor=actor, surgery_id=surgery_id, item={**(planned or {}), column: found.value})
    return {"id": str(key), "part": kind, "column": column, "field": name, "value": found.value, "before": now}


@transaction.atomic
def plan_part(
    *, actor: Any, surgery_id: UUID, item: Mapping[str, Any], remove: bool = False
) -> Mapping[str, Any] | None:
    """A site or part to come, by its key: added, changed or taken out. Answers what it was. Raises Invalid, Forbidden, NotFound."""
    if faults := plan_faults([item]):
        raise Invalid("; ".join(faults.values()), fields=faults)
    surgery = open_at_bench(actor, surgery_id)
    plan = plan_of(surgery)
    before = next((one for one in plan if one["id"] == str(item["id"])), None)
    rest = [one for one in plan if one is not before]
    kept = [*rest, dict(item)] if before is None else [dict(item) if one is before else one for one in plan]
    content = surgery.json if isinstance(surgery.json, dict) else {}
    change_surgery(actor=actor, surgery=surgery, values={"json": {**content, "plan": rest if remove else kept}})
    return before


def plan_of(surgery: Surgery) -> list[dict[str, Any]]:
    """The plan as stored; what is not one is left out."""
    content = surgery.json if isinstance(surgery.json, dict) else {}
    plan = content.get("plan")
    return [one for one in plan if not plan_faults([one])] if isinstance(plan, list) else []


@transaction.atomic
def end_at_bench(*, actor: Any, surgery_id: UUID, values: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The surgery is over, at that time; answers what is still to be said, the checks, and what was before, for the undo.

    What stays in the animal has to be weighed. Raises Invalid, Forbidden, NotFound; Conflict when somebody ended it already.
    """
    said = {name: _stored(_read(name, value)) for name, value in values.items()}
    surgery = open_at_bench(actor, surgery_id, at)
    outcome = said.get("outcome_type") or surgery.outcome_type or Outcome.RECOVERY
    before = {name: wire(field_of(surgery, name)) for name in ("end_time", "outcome_type", *values)}
    if surgery.ended_at is not None:
        if surgery.outcome_type != outcome:
            raise Conflict(
                f"somebody ended it already, at {surgery.ended_wall:%H:%M} with the outcome {surgery.get_outcome_type_display()}"
            )
        return {"before": {}, **_ending(surgery)}
    weighed = said.get("implant_weight", surgery.implant_weight_g)
    stays = "implant_weight" in preview_end(surgery).missing and outcome != Outcome.NON_RECOVERY
    if stays and weighed is None:
        raise Invalid.of("implant_weight", "say how much the headplate and implants weigh, cement included")
    ended = end_surgery(actor=actor, surgery=surgery, values={"end_time": at, **said, "outcome_type": outcome})
    return {"before": before, **_ending(ended)}


@transaction.atomic
def undo_end(*, actor: Any, surgery_id: UUID, before: Mapping[str, Any]) -> None:
    """It is not over: as it was, without the checks that nobody has done. Raises Forbidden, NotFound."""
    if before:
        surgery = open_at_bench(actor, surgery_id)
        values = {name: _stored(_read(name, value)) for name, value in before.items()}
        change_surgery(actor=actor, surgery=surgery, values=values)


def field_of(surgery: Surgery, field: str) -> Any:
    """What a field says, as `FIELDS` gives it."""
    if field in {"users", "procedures"}:
        return frozenset(getattr(surgery, field).values_list("pk", flat=True))
    return getattr(surgery, _COLUMN.get(field, field))


def wire(value: Any) -> Any:
    """As JSON says it."""
    if isinstance(value, frozenset | set | list | tuple):
        return sorted(str(one) for one in value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Model):
        return str(value.pk)
    return str(value) if isinstance(value, UUID) else value


def typed(value: Any) -> str:
    """As a person would type it: what a screen shows side by side."""
    said = wire(value)
    return "" if said is None else f"{said:g}" if isinstance(said, float) else str(said)


def _ending(surgery: Surgery) -> dict[str, Any]:
    ending = preview_end(surgery)
    return {"missing": dict(ending.missing), "checks_on": [day.isoformat() for day in ending.checks_on]}


def _refuse_if_changed(subject: Subject, start: Start) -> None:
    """What happened to the animal between the tap and now, unless somebody has said that it is right."""
    if confirmed():
        return
    if start.nickname and start.nickname != subject.nickname:
        raise Conflict(
            f"{start.nickname} is called {subject.nickname} by now: look whether it is the same animal, then say that it is right",
            fields={"nickname": f"now {subject.nickname}"},
        )
    if subject.died_on and clock.utc_to_wall(start.at, subject.lab.timezone).date() > subject.died_on:
        raise Conflict(
            f"{subject.nickname} died on {subject.died_on}, before this surgery: correct the death, or start it for the right animal",
            fields={"subject": f"died on {subject.died_on}"},
        )


def _read(field: str, value: Any) -> Any:
    read = FIELDS.get(field)
    if read is None:
        raise Invalid.of(field, f"a surgery has no field {field!r}")
    try:
        return read(value)
    except Unfit as unfit:
        raise Invalid.of(field, str(unfit)) from None


def _stored(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, frozenset) else value


def _read_column(kind: str, column: str, value: Any) -> Any:
    said = value
    try:
        if column.endswith(NUMBERS):
            said = number(value)
        elif value in (None, ""):
            said = None
    except Unfit as unfit:
        raise Invalid.of(column, str(unfit)) from None
    if faults := part_faults(kind, {column: said}):
        raise Invalid("; ".join(faults.values()), fields=faults)
    return said


def _row(model: type[Model], surgery: Surgery, key: UUID) -> Any:
    row: Any = model._default_manager.filter(pk=key).first()
    if row is not None and row.surgery_id != surgery.pk:
        raise Invalid.of("id", f"this {_name(model)} belongs to another surgery")
    return row


def _moment(kind: str, wall: datetime) -> dict[str, Any]:
    return {"started_wall": wall} if kind == "implant" else {"at_wall": wall}


def _attribute(row: Any, name: str) -> str:
    """The column's attribute; Invalid for what is none."""
    known = {one.name: one.attname for one in row._meta.concrete_fields}
    if name not in known:
        raise Invalid.of(name, f"a {_name(type(row))} has no {name!r}")
    attribute: str = known[name]
    return attribute


def _name(model: type[Model]) -> str:
    return str(model._meta.verbose_name)


def _write(actor: Any, surgery: Surgery, part: Mapping[str, Any]) -> None:
    try:
        change_surgery(actor=actor, surgery=surgery, values={}, parts=[{"place": "part", **part}])
    except Invalid as refused:
        fields = {name.removeprefix("part-"): text for name, text in refused.fields.items()}
        raise Invalid(refused.detail.replace("part-", "", 1), fields=fields) from None


def _holds_anything(surgery: Surgery) -> bool:
    kinds = [model._default_manager.filter(surgery=surgery) for model in PARTS.values()]
    return any(rows.exists() for rows in kinds)
