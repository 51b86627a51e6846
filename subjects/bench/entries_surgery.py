"""What tablets record in a surgery: each kind of entry calls one service and says what it did, so that it can be undone."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from alyx.core.clock import utc_to_wall
from alyx.core.errors import Invalid
from alyx.core.journal.kinds import Applied, Result, as_uuid, register
from alyx.core.models import Note
from alyx.core.notes import add_note, withdraw_note
from subjects.models import Subject, Surgery
from subjects.rules.surgery_fields import Unfit, instant
from subjects.rules.surgery_plan import part_faults
from subjects.services.surgery_bench import (
    Start,
    end_at_bench,
    open_at_bench,
    set_field,
    start_at_bench,
    undo_end,
    undo_start,
)
from subjects.services.surgery_bench_parts import plan_part, put_part, set_column, take_part
from subjects.services.surgery_bench_photos import show_photo, take_photo


def start(applied: Applied) -> Result:
    """`{subject, template, nickname, plan}`: it begins, under the key that the tablet gave it."""
    plan = applied.said("plan", list, [])
    made = start_at_bench(
        actor=applied.actor,
        start=Start(
            key=applied.subject_of(),
            subject=applied.said("subject", UUID),
            at=applied.at,
            template=applied.said("template", UUID, None),
            nickname=applied.said("nickname", str, ""),
            plan=plan,
        ),
    )
    return {"surgery": str(made.pk), "subject": str(made.subject_id)}


def un_start(applied: Applied, result: Result) -> Result:
    """It did not begin."""
    undo_start(actor=applied.actor, surgery_id=UUID(result["surgery"]))
    return {"undone": "surgery.start"}


def field(applied: Applied) -> Result:
    """`{field, value, base}`: one field, from what it said (`base`) to what it says now."""
    name = applied.said("field", str)
    surgery = applied.subject_of()
    done = set_field(
        actor=applied.actor,
        surgery_id=surgery,
        field=name,
        value=applied.body.get("value"),
        base=applied.body.get("base"),
        at=applied.at,
    )
    return {"surgery": str(surgery), **done}


def un_field(applied: Applied, result: Result) -> Result:
    """It says again what it said; what others changed since stays."""
    done = set_field(
        actor=applied.actor,
        surgery_id=UUID(result["surgery"]),
        field=result["field"],
        value=result["before"],
        base=result["value"],
        at=None,
    )
    return {"undone": "surgery.field", "value": done["value"]}


def _put(kind: str, applied: Applied, values: Mapping[str, Any]) -> Result:
    base = applied.said("base", dict, None)
    if faults := part_faults(kind, values):
        raise Invalid("; ".join(faults.values()), fields=faults)
    surgery = applied.subject_of()
    done = put_part(
        actor=applied.actor,
        surgery_id=surgery,
        kind=kind,
        key=applied.said("id", UUID),
        values=values,
        at=_moment(applied),
        base=base,
    )
    return {"surgery": str(surgery), "part": kind, **done}


def event(applied: Applied) -> Result:
    """`{id, what, value, unit, at?, base?}`: a line of the timeline, or with `base` a correction of it."""
    return _put("event", applied, _some(applied, ("what", "value", "unit")))


def drug(applied: Applied) -> Result:
    """`{id, values: {drug, dose_mg_per_kg, weight_g, concentration_mg_per_ml, volume_ml, …}, at?, base?}`: a drug given."""
    return _put("drug", applied, applied.said("values", dict))


def part(applied: Applied) -> Result:
    """`{id, part, values, at?, base?}`: a headplate, craniotomy, injection, implant or perfusion."""
    return _put(_kind(applied), applied, applied.said("values", dict))


def un_part(applied: Applied, result: Result) -> Result:
    """What was made is taken out, what was corrected is as before, what somebody else had made stays."""
    surgery, kind, key = UUID(result["surgery"]), result["part"], UUID(result["id"])
    if result["made"]:
        take_part(actor=applied.actor, surgery_id=surgery, kind=kind, key=key)
    elif result["before"]:
        put_part(
            actor=applied.actor,
            surgery_id=surgery,
            kind=kind,
            key=key,
            values=result["before"],
            at=applied.at,
            base=result["after"],
        )
    return {"undone": f"surgery.{kind}"}


def column(applied: Applied) -> Result:
    """`{id, part, column, value, base}`: one coordinate or other column of a part that is done or planned."""
    surgery = applied.subject_of()
    done = set_column(
        actor=applied.actor,
        surgery_id=surgery,
        kind=_kind(applied),
        key=applied.said("id", UUID),
        column=applied.said("column", str),
        value=applied.body.get("value"),
        base=applied.body.get("base"),
        at=applied.at,
    )
    return {"surgery": str(surgery), **done}


def un_column(applied: Applied, result: Result) -> Result:
    """It says again what it said."""
    done = set_column(
        actor=applied.actor,
        surgery_id=UUID(result["surgery"]),
        kind=result["part"],
        key=UUID(result["id"]),
        column=result["column"],
        value=result["before"],
        base=result["value"],
        at=applied.at,
    )
    return {"undone": "surgery.column", "value": done["value"]}


def take(applied: Applied) -> Result:
    """`{part, id}`: what somebody else, or another tablet, recorded did not happen."""
    surgery, kind, key = applied.subject_of(), applied.said("part", str), applied.said("id", UUID)
    if kind == "photo":
        shown = take_photo(actor=applied.actor, surgery_id=surgery, key=key)
        return {"surgery": str(surgery), "part": kind, "id": str(key), "taken": {} if shown else None}
    taken = take_part(actor=applied.actor, surgery_id=surgery, kind=kind, key=key)
    return {"surgery": str(surgery), "part": kind, "id": str(key), "taken": taken}


def un_take(applied: Applied, result: Result) -> Result:
    """It did happen."""
    if result["part"] == "photo":
        if result["taken"] is not None:
            show_photo(actor=applied.actor, surgery_id=UUID(result["surgery"]), key=UUID(result["id"]))
    elif taken := result["taken"]:
        put_part(
            actor=applied.actor,
            surgery_id=UUID(result["surgery"]),
            kind=result["part"],
            key=UUID(result["id"]),
            values=taken["values"],
            at=instant(taken["at"]) if taken["at"] else applied.at,
        )
    return {"undone": "surgery.take"}


def _kind(applied: Applied) -> str:
    kind = applied.said("part", str)
    if kind in {"drug", "event"}:
        raise Invalid.of("part", f"a {kind} is recorded as surgery.{kind}")
    return kind


def plan(applied: Applied) -> Result:
    """`{id, part, values, remove?}`: a site or part that is to come."""
    item = {**applied.said("values", dict, {}), "id": str(applied.said("id", UUID)), "part": applied.said("part", str)}
    remove = applied.said("remove", bool, False)
    before = plan_part(actor=applied.actor, surgery_id=applied.subject_of(), item=item, remove=remove)
    return {"surgery": str(applied.about), "item": item, "before": before, "removed": remove}


def un_plan(applied: Applied, result: Result) -> Result:
    """The plan is as it was."""
    before = result["before"]
    item = before or result["item"]
    plan_part(actor=applied.actor, surgery_id=UUID(result["surgery"]), item=item, remove=before is None)
    return {"undone": "surgery.plan"}


def photo(applied: Applied) -> Result:
    """`{picture: <sha256>, text?}`: a photo from the camera, kept as a note of the surgery."""
    surgery = open_at_bench(applied.actor, applied.subject_of())
    note = add_note(
        actor=applied.actor,
        about=surgery,
        text=applied.said("text", str, ""),
        image=applied.picture(applied.said("picture", str)),
        at_wall=utc_to_wall(applied.at, surgery.zone),
        zone=surgery.zone,
    )
    return {"surgery": str(surgery.pk), "note": str(note.pk), "url": f"/media/{note.image.name}"}


def un_photo(applied: Applied, result: Result) -> Result:
    """It is shown no more."""
    note = Note.objects.filter(pk=UUID(result["note"]), withdrawn_at__isnull=True).first()
    if note is not None:
        withdraw_note(actor=applied.actor, note=note)
    return {"undone": "surgery.photo"}


def end(applied: Applied) -> Result:
    """`{outcome_type?, implant_weight?, weight_after?}`: it is over, at the time of the tap."""
    values = _some(applied, ("outcome_type", "implant_weight", "weight_after", "severity"))
    surgery = applied.subject_of()
    return {
        "surgery": str(surgery),
        **end_at_bench(actor=applied.actor, surgery_id=surgery, values=values, at=_moment(applied)),
    }


def un_end(applied: Applied, result: Result) -> Result:
    """It goes on."""
    undo_end(actor=applied.actor, surgery_id=UUID(result["surgery"]), before=result["before"])
    return {"undone": "surgery.end"}


def lab_of(about: UUID | None, body: Mapping[str, Any]) -> UUID | None:
    """The lab of the surgery, or of the animal it was to begin with."""
    of_surgery = Surgery.objects.filter(pk=about) if about else Surgery.objects.none()
    found: UUID | None = of_surgery.values_list("subject__lab", flat=True).first()
    if found is None and (subject := as_uuid(body.get("subject"))):
        found = Subject.objects.filter(pk=subject).values_list("lab", flat=True).first()
    return found


def _some(applied: Applied, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: applied.body[name] for name in names if name in applied.body}


def _moment(applied: Applied) -> Any:
    """When it happened: as corrected by the person, else when it was tapped. Never after it was tapped."""
    said = applied.body.get("happened_at")
    if said is None:
        return applied.at
    try:
        moment = instant(said)
    except Unfit as unfit:
        raise Invalid.of("happened_at", str(unfit)) from None
    if moment > applied.at:
        raise Invalid.of("happened_at", "is later than the entry itself")
    return moment


register("surgery.start", start, undo=un_start, lab_of=lab_of, label="start of a surgery")
register("surgery.field", field, undo=un_field, lab_of=lab_of, label="field of a surgery")
register("surgery.event", event, undo=un_part, lab_of=lab_of, label="event of a surgery")
register("surgery.drug", drug, undo=un_part, lab_of=lab_of, label="drug in a surgery")
register("surgery.part", part, undo=un_part, lab_of=lab_of, label="part of a surgery")
register("surgery.column", column, undo=un_column, lab_of=lab_of, label="coordinate in a surgery")
register("surgery.take", take, undo=un_take, lab_of=lab_of, label="taking back in a surgery")
register("surgery.plan", plan, undo=un_plan, lab_of=lab_of, label="planned site of a surgery")
register("surgery.photo", photo, undo=un_photo, lab_of=lab_of, label="photo of a surgery")
register("surgery.end", end, undo=un_end, lab_of=lab_of, label="end of a surgery")
