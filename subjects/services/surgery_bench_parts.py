"""The parts, drugs, events and planned sites of a surgery as they are recorded at the table, by keys that tablets made."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model

from alyx.core import clock
from alyx.core.changes import store
from alyx.core.errors import Conflict, Invalid
from subjects.models import Surgery
from subjects.rules.surgery_fields import Unfit, merged, merged_columns, number
from subjects.rules.surgery_plan import NUMBERS, SAID, part_faults, plan_faults
from subjects.services.parts import PARTS
from subjects.services.surgery import change_surgery
from subjects.services.surgery_bench import open_at_bench, typed, wire


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
