"""The typed parts of a surgery: headplate, craniotomy, injection, implant, perfusion, drugs given, events.

A caller gives each part as a mapping: `part` (what it is), our columns, `id` of an existing one, `key`
for a new one that a tablet made, `remove` to take it out, and `place`, the
prefix under which a form hears what is wrong with it (default `<part>-<number>`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Model

from alyx.core import clock
from alyx.core.changes import store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt
from subjects.models import (
    Craniotomy,
    Drug,
    DrugGiven,
    Headplate,
    Implant,
    Injection,
    Perfusion,
    ProbeModel,
    ProcedureType,
    Surgery,
    TimelineEntry,
    VirusBatch,
)
from subjects.rules.surgery import completed_injection, contradicting_injection
from subjects.services.drugs import drug_columns, drug_doubts

PARTS: dict[str, type[Model]] = {
    "headplate": Headplate,
    "craniotomy": Craniotomy,
    "injection": Injection,
    "implant": Implant,
    "perfusion": Perfusion,
    "drug": DrugGiven,
    "event": TimelineEntry,
}
_RELATIONS: dict[str, type[Model]] = {
    "virus_batch": VirusBatch,
    "probe_model": ProbeModel,
    "drug": Drug,
    "procedure": ProcedureType,
}
_DERIVED = {"id", "created_at", "updated_at", "surgery", "subject", "lab", "zone", "at", "started_at", "withdrawn_at"}
_IMPLIED = {
    "headplate": ("headplate", "Headplate implant"),
    "craniotomy": ("craniotomy", "Craniotomy"),
    "injection": ("injection", "Virus injection"),
    "perfusion": ("perfusion", "Perfusion"),
    "probe": ("probe", "Ephys recording with chronic probe(s)"),
    "fibre": ("fib", "Optical-fiber implant"),
    "cannula": ("cannula", "Cannula implant"),
}
"""Kind of part (or of implant) → what a chosen procedure is recognised by, and the one that is meant when none is chosen."""


@dataclass
class Written:
    """What writing the parts of a surgery brought to light."""

    doubts: list[Doubt] = field(default_factory=list)
    new_kinds: list[str] = field(default_factory=list)
    """Kinds of parts that were added; of implants, their kind."""


def write_parts(actor: Any, surgery: Surgery, parts: Sequence[Mapping[str, Any]], weight_g: float | None) -> Written:
    """Add, change and take out parts; the caller's transaction makes it all or nothing. Raises Invalid naming the part."""
    written = Written()
    for number, part in enumerate(parts):
        said = dict(part)
        kind, key, place = said.pop("part"), said.pop("id", None), said.pop("place", f"{part['part']}-{number}")
        own_key = said.pop("key", None)
        model = PARTS[kind]
        existing = _existing(model, surgery, key, place) if key else None
        if said.pop("remove", False):
            if existing is not None:
                _take_out(existing)
            continue
        columns = _columns(model, said, place)
        columns |= _derived(kind, actor, surgery, columns, existing, weight_g, place)
        if existing is None:
            made = {"pk": own_key} if own_key else {}
            row = model._default_manager.create(**made, **columns, **_owner(kind, surgery))
            kind_of_it = getattr(row, "kind", kind)
            written.new_kinds.append(str(kind_of_it))
        else:
            row = existing
            store(row, columns)
        written.doubts += [_at_place(doubt, place) for doubt in _doubts(kind, row)]
    return written


def imply_procedures(surgery: Surgery, kinds: Sequence[str]) -> None:
    """Name the procedures that new parts are, unless one like it is chosen: nobody says the same thing twice."""
    chosen = [name.lower() for name in surgery.procedures.values_list("name", flat=True)]
    names = [
        name
        for kind in kinds
        for mark, name in [_IMPLIED.get(kind, ("", ""))]
        if name and not any(mark in one for one in chosen)
    ]
    if names:
        surgery.procedures.add(*ProcedureType.objects.filter(name__in=names))


def _existing(model: type[Model], surgery: Surgery, key: UUID, place: str) -> Model:
    found = model._default_manager.select_for_update(of=("self",), no_key=True).filter(pk=key, surgery=surgery).first()
    if found is None:
        raise Invalid.of(place, f"there is no such {model._meta.verbose_name} in this surgery (any more)")
    return found


def _take_out(row: Model) -> None:
    """Gone from every answer; the history keeps it."""
    if hasattr(row, "withdrawn_at"):
        store(row, {"withdrawn_at": clock.now()})
    else:
        row.delete()


def _columns(model: type[Model], said: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The columns said, checked. Raises Invalid naming the place."""
    columns: dict[str, Any] = {}
    for name, value in said.items():
        known = {one.name for one in model._meta.concrete_fields} - _DERIVED
        if name not in known:
            raise Invalid.of(f"{place}-{name}", f"a {model._meta.verbose_name} has no {name!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise Invalid.of(f"{place}-{name}", "NaN and infinity cannot be stored")
        if name in _RELATIONS and value is not None and not isinstance(value, Model):
            related = _RELATIONS[name]
            value = related._default_manager.filter(pk=value).first()  # noqa: PLW2901
            if value is None:
                raise Invalid.of(f"{place}-{name}", f"there is no such {related._meta.verbose_name}")
        columns[name] = value
    return columns


def _owner(kind: str, surgery: Surgery) -> dict[str, Any]:
    if kind == "implant":
        return {"surgery": surgery, "subject": surgery.subject, "lab": surgery.lab}
    if kind == "drug":
        return {"surgery": surgery, "subject": surgery.subject}
    return {"surgery": surgery}


def _derived(
    kind: str,
    actor: Any,
    surgery: Surgery,
    columns: Mapping[str, Any],
    existing: Any,
    weight_g: float | None,
    place: str,
) -> dict[str, Any]:
    """What follows from what was said and from the surgery."""
    if kind == "injection":
        names = ("volume_nl", "rate_nl_per_min", "duration_min")
        return completed_injection(*(columns.get(name, getattr(existing, name, None)) for name in names))
    if kind == "implant":
        wall = columns.get("started_wall") or getattr(existing, "started_wall", None) or surgery.started_wall
        at = clock.wall_to_utc(wall, surgery.zone) if wall else None
        return {"zone": surgery.zone, "started_wall": wall, "started_at": at}
    if kind not in {"drug", "event"}:
        return {}
    wall = columns.get("at_wall") or getattr(existing, "at_wall", None) or surgery.started_wall
    if wall is None:
        raise Invalid.of(f"{place}-at_wall", "say when: the surgery has no start either")
    moment = {"at_wall": wall, "at": clock.wall_to_utc(wall, surgery.zone)}
    who = {} if existing is not None else {"user": columns.get("user") or actor}
    if kind == "event":
        return {**moment, **who}
    try:
        return {**moment, **who, "zone": surgery.zone, **drug_columns(columns, existing, weight_g)}
    except Invalid as error:
        raise Invalid(error.detail, fields={f"{place}-{name}": text for name, text in error.fields.items()}) from None


def _doubts(kind: str, row: Any) -> Iterator[Doubt]:
    if kind == "injection":
        words = contradicting_injection(row.volume_nl, row.rate_nl_per_min, row.duration_min)
        if words:
            yield Doubt(
                "injection-contradicts-itself",
                words,
                {"volume_nl": row.volume_nl, "rate_nl_per_min": row.rate_nl_per_min, "duration_min": row.duration_min},
                "correct one of the three",
                fields=("volume_nl",),
            )
    elif kind == "drug":
        yield from drug_doubts(row)


def _at_place(doubt: Doubt, place: str) -> Doubt:
    fields = tuple(f"{place}-{name}" for name in doubt.fields)
    return Doubt(doubt.rule, doubt.message, doubt.facts, doubt.proposed_fix, fields)
