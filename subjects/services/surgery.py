"""Recording, changing, ending and withdrawing surgeries."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model, QuerySet

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.labs.models import Lab, Location, User
from alyx.labs.permissions import authorise
from subjects.models import DrugUse, Outcome, ProcedureType, Subject, Surgery, SurgeryTemplate, TimelineEntry
from subjects.permissions import Act, authorise_animal
from subjects.rules.surgery import Done, check_days, implausible_implant, missing_at_end
from subjects.rules.template import days_after
from subjects.rules.times import as_wall
from subjects.services.checks import schedule_checks
from subjects.services.drugs import last_weight_g
from subjects.services.life import life_doubts
from subjects.services.parts import imply_procedures, write_parts
from subjects.services.restriction import refresh_protocol_number

Parts = Sequence[Mapping[str, Any]]
_COLUMNS = {
    "name": "name",
    "narrative": "narrative",
    "json": "json",
    "outcome_type": "outcome_type",
    "severity": "severity",
    "implant_weight": "implant_weight_g",
    "weight_before": "weight_before_g",
    "weight_after": "weight_after_g",
    "anaesthetic": "anaesthetic",
    "anaesthesia_min": "anaesthesia_min",
    "anaesthesia_level": "anaesthesia_level",
    "ethics_review_id": "ethics_review_id",
}
"""Word of the wire (and, beyond it, ours in its style) → column."""


@transaction.atomic
def record_surgery(
    *, actor: Any, subject: Subject, values: Mapping[str, Any], parts: Parts = (), key: UUID | None = None
) -> Surgery:
    """A new surgery with its parts, all or nothing; the actor operated unless `users` says who did.

    `values` are the wire's words (keys of other records as UUIDs or rows), `parts` as in `subjects.services.parts`, `key` the
    one that a tablet gave it before the registry heard of it.
    Raises Forbidden, Invalid; Doubtful in a form.
    """
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), subject.pk)
    authorise_animal(actor, subject, Act.TREAT, what="record a surgery of")
    lab = _row(Lab, values.get("lab"), "lab") or subject.lab
    if lab != subject.lab:
        authorise(actor, lab, act="record surgeries")
    columns, doubts = _columns(values)
    own_key = {"pk": key} if key else {}
    surgery = Surgery(subject=subject, lab=lab, zone=lab.timezone, **own_key, **columns, **_times(values, lab.timezone))
    surgery.save(force_insert=True)
    surgery.users.set(_people(values["users"]) if "users" in values else [actor])
    return _finished(actor, surgery, values, parts, doubts)


@transaction.atomic
def change_surgery(*, actor: Any, surgery: Surgery, values: Mapping[str, Any], parts: Parts = ()) -> Surgery:
    """Change what is said and nothing else. `values` may name another `subject` (a row): it was entered for the wrong animal.

    Raises Forbidden, Invalid, NotFound; Doubtful in a form.
    """
    surgery = locked(Surgery.objects.shown().select_related(*_RELATED), surgery.pk)
    authorise_animal(actor, surgery.subject, Act.TREAT, what="change a surgery of")
    columns, doubts = _columns(values)
    before = surgery.subject
    if "subject" in values and values["subject"].pk != surgery.subject_id:
        moved = Subject.objects.select_related("lab", "responsible_user").get(pk=values["subject"].pk)
        authorise_animal(actor, moved, Act.TREAT, what="record a surgery of")
        columns["subject"] = moved
    lab = _row(Lab, values["lab"], "lab") if values.get("lab") else surgery.lab
    if lab is not None and lab.pk != surgery.lab_id:
        if lab.pk != surgery.subject.lab_id:
            authorise(actor, lab, act="record surgeries")
        columns |= {"lab": lab, "zone": lab.timezone}
    zone = columns.get("zone", surgery.zone)
    asked = {name: values[name] for name in ("start_time", "end_time") if name in values}
    if zone != surgery.zone:
        asked = {"start_time": surgery.started_wall, "end_time": surgery.ended_wall, **asked}
    store(surgery, {**columns, **_times(asked, zone)})
    if "users" in values:
        surgery.users.set(_people(values["users"]))
    if "subject" in columns:
        surgery.drugs_given.update(subject=surgery.subject)
        surgery.implants.update(subject=surgery.subject)
        refresh_protocol_number(before)
    return _finished(actor, surgery, values, parts, doubts)


@transaction.atomic
def end_surgery(
    *, actor: Any, surgery: Surgery, values: Mapping[str, Any], days: Sequence[int] | None = None
) -> Surgery:
    """The surgery is over: now, unless `values` says when; recovery, unless they say otherwise. Its checks are scheduled.

    `days` after the end replace those of the template. Raises Forbidden, Invalid, NotFound; Doubtful in a form.
    """
    said = {"end_time": clock.now(), "outcome_type": surgery.outcome_type or Outcome.RECOVERY, **values}
    ended = change_surgery(actor=actor, surgery=surgery, values=said)
    if days is not None:
        schedule_checks(ended, days)
    return ended


@transaction.atomic
def withdraw_surgery(*, actor: Any, surgery: Surgery) -> None:
    """It did not happen: out of every answer, with its drugs and implants. Raises Forbidden, NotFound."""
    surgery = locked(Surgery.objects.shown().select_related(*_RELATED), surgery.pk)
    authorise_animal(actor, surgery.subject, Act.WITHDRAW, what="withdraw a surgery of")
    now = clock.now()
    store(surgery, {"withdrawn_at": now})
    surgery.drugs_given.filter(withdrawn_at__isnull=True).update(withdrawn_at=now)
    surgery.implants.filter(withdrawn_at__isnull=True).update(withdrawn_at=now)
    refresh_protocol_number(surgery.subject)


@transaction.atomic
def add_to_timeline(*, actor: Any, surgery: Surgery, values: Mapping[str, Any]) -> TimelineEntry:
    """A line of the timeline: `what`, and `value`, `unit`, `date_time` (else now). Raises Forbidden, Invalid, NotFound."""
    surgery = locked(Surgery.objects.shown().select_related(*_RELATED), surgery.pk)
    authorise_animal(actor, surgery.subject, Act.TREAT, what="write the timeline of a surgery of")
    what = str(values.get("what", "")).strip()
    if not what:
        raise Invalid.of("what", "say what happened")
    wall = as_wall(values.get("date_time") or clock.now(), surgery.zone)
    made: TimelineEntry = TimelineEntry.objects.create(
        surgery=surgery,
        at_wall=wall,
        at=clock.wall_to_utc(wall, surgery.zone),
        what=what,
        value=values.get("value"),
        unit=values.get("unit") or "",
        user=values.get("user", actor),
    )
    return made


@dataclass(frozen=True)
class Ending:
    """What ending a surgery now would mean."""

    missing: Mapping[str, str]
    checks_on: Sequence[date]
    implant_before_g: float
    implant_after_g: float

    @property
    def weights_shift_g(self) -> float:
        """By how much expected and minimum weight move: both carry the implant."""
        return self.implant_after_g - self.implant_before_g


def preview_end(surgery: Surgery, on: date | None = None) -> Ending:
    """What is missing, the checks to come, and what becomes of the implant weight. Writes nothing."""
    end = surgery.ended_wall.date() if surgery.ended_wall else on
    content = surgery.template.content if surgery.template else {}
    recovers = surgery.outcome_type in {"", Outcome.RECOVERY}
    before = implant_before_g(surgery)
    after = before if surgery.implant_weight_g is None else surgery.implant_weight_g
    return Ending(
        missing=missing_at_end(_done(surgery)),
        checks_on=check_days(end, days_after(content)) if end and recovers else [],
        implant_before_g=before,
        implant_after_g=after,
    )


def implant_before_g(surgery: Surgery) -> float:
    """What earlier surgeries left on the animal: the latest that says, 0 when none does."""
    earlier = Surgery.objects.shown().filter(subject=surgery.subject_id, implant_weight_g__isnull=False)
    if surgery.started_wall:
        earlier = earlier.filter(started_wall__lt=surgery.started_wall)
    said: float | None = (
        earlier.exclude(pk=surgery.pk).order_by("-started_wall").values_list("implant_weight_g", flat=True).first()
    )
    return max(said or 0.0, 0.0)


_RELATED = ("subject__lab", "subject__responsible_user", "subject__licence", "lab", "template")


def _done(surgery: Surgery) -> Done:
    drugs = surgery.drugs_given.filter(withdrawn_at__isnull=True)
    return Done(
        started=surgery.started_wall is not None,
        ended=surgery.ended_wall is not None,
        outcome=surgery.outcome_type,
        procedures=surgery.procedures.count(),
        surgeons=surgery.users.count(),
        implant_weight_g=surgery.implant_weight_g,
        leaves_something=surgery.headplate_set.exists() or surgery.implants.filter(withdrawn_at__isnull=True).exists(),
        analgesia=drugs.filter(drug__use__in=(DrugUse.ANALGESIC, DrugUse.ANTI_INFLAMMATORY)).exists(),
    )


def _finished(actor: Any, surgery: Surgery, values: Mapping[str, Any], parts: Parts, doubts: list[Doubt]) -> Surgery:
    """Procedures, parts, checks; then what is doubtful about the whole."""
    if "procedures" in values:
        rows, unknown = _procedures(values["procedures"])
        surgery.procedures.set(rows)
        doubts += [_left_out("procedures", ProcedureType, unknown)] if unknown else []
    body_g = surgery.weight_before_g or last_weight_g(surgery.subject, surgery.started_wall)
    written = write_parts(actor, surgery, parts, body_g)
    imply_procedures(surgery, written.new_kinds)
    if not values.keys().isdisjoint({"end_time", "outcome_type", "template"}):
        schedule_checks(surgery)
    found = [*doubts, *written.doubts, *_doubts(surgery, values, body_g)]
    raise_flags(Surgery, [(surgery.pk, doubt) for doubt in found], lab_id=surgery.lab_id)
    refresh_protocol_number(surgery.subject)
    return surgery


def _doubts(surgery: Surgery, values: Mapping[str, Any], body_g: float | None) -> Iterator[Doubt]:
    walls = {"start_time": surgery.started_wall, "end_time": surgery.ended_wall}
    if "subject" not in values:
        walls = {name: wall for name, wall in walls.items() if name in values}
    yield from life_doubts(surgery.subject, walls)
    start, end = surgery.started_wall, surgery.ended_wall
    if start and end and end < start and walls:
        facts = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        yield Doubt("end-before-start", f"it ends {end}, before it starts {start}", facts, "correct one", ("end_time",))
    if "implant_weight" in values and (words := implausible_implant(surgery.implant_weight_g, body_g)):
        facts = {"implant_weight": surgery.implant_weight_g, "body_weight": body_g}
        fix = "type the weight of headplate and implants alone"
        yield Doubt("implant-weight-implausible", words, facts, fix, ("implant_weight",))
    if "start_time" in values and start and _others_at(surgery, start).exists():
        facts = {"start_time": start.isoformat()}
        words = f"{surgery.subject.nickname} has another surgery that starts {start}"
        yield Doubt("surgery-twice", words, facts, "withdraw one of the two, or correct the time", ("start_time",))


def _others_at(surgery: Surgery, start: datetime) -> QuerySet[Any]:
    rows: QuerySet[Any] = (
        Surgery.objects.shown().filter(subject=surgery.subject_id, started_wall=start).exclude(pk=surgery.pk)
    )
    return rows


def _columns(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Doubt]]:
    """Our columns for what was said. A location that is unknown is left out and doubted. Raises Invalid."""
    columns = {ours: values[word] for word, ours in _COLUMNS.items() if word in values}
    for word, ours in _COLUMNS.items():
        if isinstance(columns.get(ours), float) and not math.isfinite(columns[ours]):
            raise Invalid.of(word, "NaN and infinity cannot be stored")
    doubts = []
    if "location" in values:
        columns["location"], unknown = _or_unknown(Location, values["location"])
        doubts += [_left_out("location", Location, [unknown])] if unknown else []
    if "template" in values:
        columns["template"] = _row(SurgeryTemplate, values["template"], "template")
    return columns, doubts


def _times(values: Mapping[str, Any], zone: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for word, ours in (("start_time", "started"), ("end_time", "ended")):
        if word in values:
            wall = as_wall(values[word], zone) if values[word] else None
            columns |= {f"{ours}_wall": wall, f"{ours}_at": clock.wall_to_utc(wall, zone) if wall else None}
    return columns


def _row(model: type[Model], said: Any, field: str) -> Any:
    """The row meant by a key or a row. Raises Invalid."""
    row, unknown = _or_unknown(model, said)
    if unknown:
        raise Invalid.of(field, f"there is no {model._meta.verbose_name} {unknown}")
    return row


def _or_unknown(model: type[Model], said: Any) -> tuple[Any, Any]:
    if said is None or isinstance(said, Model):
        return said, None
    found = model._default_manager.filter(pk=said).first()
    return found, (None if found else said)


def _people(said: Sequence[Any]) -> list[User]:
    keys = [getattr(one, "pk", one) for one in said]
    found = list(User.objects.filter(pk__in=keys))
    if missing := sorted(str(key) for key in set(keys) - {one.pk for one in found}):
        raise Invalid.of("users", f"there is no user {missing[0]}")
    return found


def _procedures(said: Sequence[Any]) -> tuple[list[ProcedureType], list[UUID]]:
    keys = [getattr(one, "pk", one) for one in said]
    found = list(ProcedureType.objects.filter(pk__in=keys))
    return found, sorted(set(keys) - {one.pk for one in found})


def _left_out(field: str, model: type[Model], keys: Sequence[Any]) -> Doubt:
    listed = ", ".join(str(key) for key in keys)
    words = f"{field}: there is no {model._meta.verbose_name} {listed}; it was left out"
    return Doubt(f"unknown-{field}", words, {field: [str(key) for key in keys]}, "enter it, then add it", (field,))
