"""The end of a life: culls, the death date that follows them, and what harmed on the way.

A cull's date and the animal's death date are one fact in two places: whichever is changed, the other follows. What a death
ends (the stay in a cage, water restrictions, the mark "to be culled") is kept with the cull, so that a cull of the wrong
animal can be undone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Q, Value
from django.db.models.functions import Greatest

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Conflict, Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.core.rest.names import by_name
from alyx.core.wall_clock import WallClockField
from alyx.labs.models import Lab, User
from subjects.models import (
    AdverseEffect,
    Cull,
    CullMethod,
    CullReason,
    Housing,
    Severity,
    Stay,
    Subject,
    WaterRestriction,
    Weighing,
)
from subjects.permissions import Act, authorise_animal
from subjects.services.housing import authorise_all, end_stays, locked_animals, reopen_stays
from subjects.services.life import life_doubts
from subjects.services.restriction import close_restrictions, refresh_protocol_number

LAST_MOMENT = time(23, 59, 59)
CLOSED = "closed"
"""Key of the cull's JSON under which it is kept what ended with it."""


@transaction.atomic
def record_cull(*, actor: Any, subject: Subject, values: Mapping[str, Any]) -> Cull:
    """The animal was killed: `date` (else today), `reason`, `method`, `description`, `user` (else the actor).

    Raises Forbidden, Invalid, Conflict when it was culled already; Doubtful in a form about the date.
    """
    return cull_many(actor=actor, subjects=[subject], values=values)[0]


@transaction.atomic
def cull_many(*, actor: Any, subjects: Iterable[Subject], values: Mapping[str, Any]) -> list[Cull]:
    """The same cull of several animals, all or none."""
    animals = locked_animals(subjects)
    authorise_all(actor, animals, Act.MANAGE, what="cull")
    columns = {"user": actor, **_columns(values)}
    _refuse_culled(animals)
    on = columns.pop("culled_on", None)
    now = clock.now()
    dates = {animal.pk: on or _today(animal.lab, now) for animal in animals}
    _doubt(animals, dates, now)
    closed = _end_lives(actor, animals, dates, now)
    culls = Cull.objects.bulk_create(
        [Cull(subject=animal, culled_on=dates[animal.pk], **{**columns, "json": _json(columns, closed[animal.pk])})
         for animal in animals]
    )  # fmt: skip
    for day in set(dates.values()):
        dead = [key for key, died in dates.items() if died == day]
        Subject.objects.filter(pk__in=dead).update(died_on=day, to_be_culled=False)
    return culls


@transaction.atomic
def change_cull(*, actor: Any, cull: Cull, changes: Mapping[str, Any]) -> Cull:
    """Change what is sent; a new date moves the death date, and what ended with the life. Raises Forbidden, Invalid."""
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), cull.subject_id)
    authorise_animal(actor, subject, Act.MANAGE, what="change the cull of")
    cull = locked(Cull.objects.all(), cull.pk)
    columns = _columns(changes)
    if "culled_on" in columns and columns["culled_on"] is None:
        raise Invalid.of("date", "a cull has a date; undo it when the animal lives")
    moved = columns.get("culled_on", cull.culled_on) != cull.culled_on
    if "json" in columns:
        columns["json"] = _json(columns, (cull.json or {}).get(CLOSED))
    if moved:
        _doubt([subject], {subject.pk: columns["culled_on"]}, clock.now(), instead=True)
    store(cull, columns)
    if moved:
        store(subject, {"died_on": cull.culled_on})
        _move_ends(cull, subject)
    return cull


@transaction.atomic
def undo_cull(*, actor: Any, cull: Cull) -> Subject:
    """It was another animal: this one lives, restricted and housed as it was where that is still possible.

    Its cage name is empty when its cage was closed or changed by now. The row goes, its history stays. Raises Forbidden,
    NotFound.
    """
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), cull.subject_id)
    authorise_animal(actor, subject, Act.MANAGE, what="undo the cull of")
    cull = locked(Cull.objects.all(), cull.pk)
    closed = (cull.json or {}).get(CLOSED, {})
    died = closed.get("died_on")
    store(
        subject,
        {
            "died_on": date.fromisoformat(died) if died else None,
            "to_be_culled": closed.get("to_be_culled", False),
        },
    )
    if not _open_restrictions([subject]):
        ended = WaterRestriction.objects.shown().filter(pk__in=closed.get("restrictions", []), subject=subject)
        ended.update(ended_wall=None, ended_at=None)
        refresh_protocol_number(subject)
    subject.cage_name = reopen_stays(subject, closed.get("stays", []))
    cull.delete()
    return subject


def death_date_changed(subject: Subject, *, actor: Any = None) -> None:
    """The death date of a locked animal was stored: its cull follows; what lasts for a life ends. To be called in that transaction.

    Raises Invalid when a culled animal shall live again: that is `undo_cull`.
    """
    cull = Cull.objects.select_for_update(of=("self",)).filter(subject=subject).first()
    if cull is None:
        if subject.died_on is not None:
            _end_lives(actor, [subject], {subject.pk: subject.died_on}, clock.now())
            if subject.to_be_culled:
                store(subject, {"to_be_culled": False})
        return
    if subject.died_on is None:
        raise Invalid.of("death_date", f"it was culled on {cull.culled_on}: undo the cull, if it was another animal")
    if subject.died_on != cull.culled_on:
        store(cull, {"culled_on": subject.died_on})
        _move_ends(cull, subject)


@transaction.atomic
def record_adverse_effect(*, actor: Any, subject: Subject, values: Mapping[str, Any]) -> AdverseEffect:
    """Something harmed an animal: `description`, `date_time` (the lab's wall clock, else now), `severity`, `action_taken`,
    `resolved_on`, `user` (else the actor). Raises Forbidden, Invalid; Doubtful in a form about the times.
    """
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), subject.pk)
    authorise_animal(actor, subject, Act.RECORD, what="record adverse effects of")
    columns = {"user": actor, **_effect_columns(subject, {"date_time": None, "description": "", **values})}
    effect: AdverseEffect = AdverseEffect.objects.create(subject=subject, **columns)
    _doubt_effect(effect, subject)
    return effect


@transaction.atomic
def change_adverse_effect(*, actor: Any, effect: AdverseEffect, changes: Mapping[str, Any]) -> AdverseEffect:
    """Change what is sent. Raises Forbidden, Invalid, NotFound."""
    effect, subject = _effect_and_subject(effect)
    authorise_animal(actor, subject, Act.RECORD, what="change adverse effects of")
    store(effect, _effect_columns(subject, changes))
    _doubt_effect(effect, subject)
    return effect


@transaction.atomic
def withdraw_adverse_effect(*, actor: Any, effect: AdverseEffect) -> None:
    """Take it out of every answer; the row stays. Raises Forbidden, NotFound."""
    effect, subject = _effect_and_subject(effect)
    authorise_animal(actor, subject, Act.WITHDRAW, what="withdraw adverse effects of")
    store(effect, {"withdrawn_at": clock.now()})


# Culls.


def _columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: sent[name] or "" for name in ("description", "name") if name in sent}
    if "json" in sent:
        columns["json"] = sent["json"]
    if "date" in sent:
        columns["culled_on"] = sent["date"]
    vocabularies: tuple[tuple[str, Any], ...] = (("reason", CullReason), ("method", CullMethod))
    for word, model in vocabularies:
        if word in sent:
            said = sent[word]
            columns[word] = by_name(model.objects.all(), said, field=word, what=f"{word} of culls") if said else None
    return columns | _user(sent)


def _user(sent: Mapping[str, Any]) -> dict[str, Any]:
    if "user" not in sent:
        return {}
    name = sent["user"]
    return {"user": by_name(User.objects.all(), name, field="user", what="user", column="username") if name else None}


def _json(columns: Mapping[str, Any], closed: Mapping[str, Any] | None) -> Any:
    said = columns.get("json")
    if not closed:
        return said
    return {**(said if isinstance(said, dict) else {"said": said} if said is not None else {}), CLOSED: closed}


def _refuse_culled(animals: Sequence[Subject]) -> None:
    known = Cull.objects.filter(subject__in=[animal.pk for animal in animals]).select_related("subject")
    if culled := [f"{cull.subject.nickname} on {cull.culled_on}" for cull in known.order_by("subject__nickname")]:
        raise Conflict(
            f"culled already: {', '.join(culled)}; change that record instead",
            fields={"subject": "it was culled already: change that record"},
        )


def _today(lab: Lab, now: datetime) -> date:
    return clock.utc_to_wall(now, lab.timezone).date()


def _last_moment(on: date, lab: Lab, now: datetime) -> datetime:
    """When a life that ended on this date was over: now, if it is today; else at the end of the day."""
    return clock.utc_to_wall(now, lab.timezone) if on == _today(lab, now) else datetime.combine(on, LAST_MOMENT)


def _doubt(animals: Sequence[Subject], dates: Mapping[UUID, date], now: datetime, *, instead: bool = False) -> None:
    """Ask or flag, by lab. `instead`: the date takes the place of the death date that is stored."""
    last_seen = _last_seen(animals)
    for lab in sorted({animal.lab for animal in animals}, key=lambda lab: lab.pk):
        today = _today(lab, now)
        doubts = [
            (animal.pk, doubt)
            for animal in animals
            if animal.lab_id == lab.pk
            for doubt in _doubts(animal, dates[animal.pk], today, last_seen.get(animal.pk, {}), instead)
        ]
        raise_flags(Subject, doubts, lab_id=lab.pk)


def _doubts(animal: Subject, on: date, today: date, last_seen: Mapping[str, date], instead: bool) -> Iterator[Doubt]:
    name, about = animal.nickname, ("date",)
    if animal.born_on and on < animal.born_on:
        facts = {"birth_date": animal.born_on, "date": on}
        yield Doubt(
            "death-before-birth", f"{name} died {on}, born {animal.born_on}", facts, "correct one of the two", about
        )
    for what, last in last_seen.items():
        if on < last:
            facts = {"date": on, what: last}
            yield Doubt("recorded-after-death", f"{name} {what} {last}, after {on}", facts, "correct the date", about)
    if on > today:
        yield Doubt("date-in-the-future", f"{on} lies in the future", {"date": on}, "correct the date", about)
    if animal.died_on is not None and animal.died_on != on and not instead:
        facts = {"death_date": animal.died_on, "date": on}
        yield Doubt(
            "other-death-date", f"{name} is said to have died {animal.died_on}", facts, "see which date is right", about
        )


def _last_seen(animals: Sequence[Subject]) -> dict[UUID, dict[str, date]]:
    """What each animal did last, and on which date of its lab."""
    sessions: Any = Subject._meta.get_field("sessions").related_model
    keys = [animal.pk for animal in animals]
    found: dict[UUID, dict[str, date]] = {}
    for what, rows, column in (
        ("was weighed", Weighing.objects.shown(), "at_wall"),
        ("had a session", sessions.objects.filter(withdrawn_at__isnull=True), "started_wall"),
    ):
        last = rows.filter(subject__in=keys).order_by().values("subject_id").annotate(last=Max(column))
        for row in last:
            found.setdefault(row["subject_id"], {})[what] = row["last"].date()
    return found


def _open_restrictions(animals: Sequence[Subject]) -> list[WaterRestriction]:
    rows = WaterRestriction.objects.shown().filter(subject__in=[animal.pk for animal in animals])
    return list(rows.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=clock.AlyxNow())).order_by("subject_id"))


def _end_lives(
    actor: Any, animals: Sequence[Subject], dates: Mapping[UUID, date], now: datetime
) -> dict[UUID, dict[str, Any]]:
    """End what lasts as long as a life; per animal what was ended."""
    closed: dict[UUID, dict[str, Any]] = {
        animal.pk: {
            "to_be_culled": animal.to_be_culled,
            "died_on": animal.died_on.isoformat() if animal.died_on else None,
            "stays": [],
            "restrictions": [],
        }
        for animal in animals
    }
    walls = {animal.pk: _last_moment(dates[animal.pk], animal.lab, now) for animal in animals}
    by_key = {animal.pk: animal for animal in animals}
    for key in sorted({restriction.subject_id for restriction in _open_restrictions(animals)}):
        ended = close_restrictions(actor=actor, subject=by_key[key], at_wall=walls[key])
        closed[key]["restrictions"] = [str(restriction.pk) for restriction in ended]
    for wall, zone in sorted({(walls[animal.pk], animal.lab.timezone) for animal in animals}):
        its = [animal for animal in animals if (walls[animal.pk], animal.lab.timezone) == (wall, zone)]
        for key, stay in end_stays(its, wall, zone):
            closed[key]["stays"].append(str(stay))
    return closed


def _move_ends(cull: Cull, subject: Subject) -> None:
    """What ended with the life ends on the corrected date; never before it began."""
    closed = (cull.json or {}).get(CLOSED, {}) if isinstance(cull.json, dict) else {}
    wall = _last_moment(cull.culled_on, subject.lab, clock.now())
    columns = {
        "ended_wall": Greatest(F("started_wall"), Value(wall, WallClockField())),
        "ended_at": Greatest(F("started_at"), clock.wall_to_utc(wall, subject.lab.timezone)),
    }
    stays = Stay.objects.filter(pk__in=closed.get("stays", []), subject=subject).select_related("housing")
    emptied = [stay.housing_id for stay in stays if stay.housing.ended_at == stay.ended_at]
    stays.update(**columns)
    Housing.objects.filter(pk__in=emptied).update(**columns)
    WaterRestriction.objects.filter(pk__in=closed.get("restrictions", []), subject=subject).update(**columns)


# Adverse effects.


def _effect_and_subject(effect: AdverseEffect) -> tuple[AdverseEffect, Subject]:
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), effect.subject_id)
    return locked(AdverseEffect.objects.shown(), effect.pk), subject


def _effect_columns(subject: Subject, sent: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: sent[name] for name in ("resolved_on", "json") if name in sent}
    if "action_taken" in sent:
        columns["action_taken"] = sent["action_taken"] or ""
    if "description" in sent:
        columns["description"] = (sent["description"] or "").strip()
        if not columns["description"]:
            raise Invalid.of("description", "say what harmed the animal")
    if "severity" in sent:
        if sent["severity"] is not None and sent["severity"] not in Severity.values:
            raise Invalid.of("severity", f"one of {', '.join(str(one.label) for one in Severity)}")
        columns["severity"] = sent["severity"]
    if "date_time" in sent:
        columns |= _moment(subject, sent["date_time"])
    return columns | _user(sent)


def _moment(subject: Subject, said: datetime | None) -> dict[str, Any]:
    zone = subject.lab.timezone
    wall = clock.utc_to_wall(said or clock.now(), zone) if said is None or said.tzinfo else said
    return {"at_wall": wall, "zone": zone, "at": clock.wall_to_utc(wall, zone)}


def _doubt_effect(effect: AdverseEffect, subject: Subject) -> None:
    doubts = [(effect.pk, doubt) for doubt in life_doubts(subject, {"date_time": effect.at_wall})]
    if effect.resolved_on is not None and effect.resolved_on < effect.at_wall.date():
        facts = {"resolved_on": effect.resolved_on, "date_time": effect.at_wall}
        text = f"resolved {effect.resolved_on}, before it was seen on {effect.at_wall:%Y-%m-%d}"
        fix = "correct one of the two"
        doubts.append((effect.pk, Doubt("resolved-before-it-began", text, facts, fix, ("resolved_on",))))
    raise_flags(AdverseEffect, doubts, lab_id=subject.lab_id)
