"""A surgery as it is recorded at the table: its start, its fields, its end; each tap by itself, perhaps hours after it was made.

All keys are made by the tablets, so that what was recorded before the network came back is the same row afterwards. Several people
may be at it. The parts are in `subjects.services.surgery_bench_parts`.
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
from subjects.rules.surgery_fields import FIELDS, Unfit, merged
from subjects.rules.surgery_plan import plan_faults
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


def _holds_anything(surgery: Surgery) -> bool:
    kinds = [model._default_manager.filter(surgery=surgery) for model in PARTS.values()]
    return any(rows.exists() for rows in kinds)
