"""Weighing and giving water.

What a rig or an import sends is kept; what cannot be true is flagged and counts in no number. A person is asked instead.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt, confirmed, decide_flag, is_typed, raise_flags
from alyx.core.models import FlagState, ReviewFlag
from alyx.core.rest.names import by_name
from alyx.labs.models import User
from alyx.labs.permissions import Right, authorise_anywhere
from subjects.models import (
    Subject,
    WaterAdministration,
    WaterRestriction,
    WaterType,
    Weighing,
)
from subjects.permissions import Act, authorise_animal
from subjects.queries.weighing import Known, known_of
from subjects.rules import plausible
from subjects.rules.times import as_wall
from subjects.services import notices
from subjects.services.life import life_doubts
from subjects.services.welfare_body import Sent, animal_of, number_of, row_of, species_of

PLAIN_WATER = {"id": UUID("2127f637-0770-4639-8c22-3d73a94eecc3"), "name": "Water"}
"""As in the shipped vocabulary, should that not be loaded."""
ABSURD = ("weight-implausible", "volume-implausible")
"""The doubts that keep a value out of the numbers."""
_RELATED = ("subject__lab", "subject__responsible_user", "subject__species", "user")
P = ParamSpec("P")
R = TypeVar("R")


def _found_if_raced(act: Callable[P, R]) -> Callable[P, R]:
    """Once more where another call made the same row first: then it is found. Raises IntegrityError for anything else."""

    @wraps(act)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except IntegrityError:
            return act(*args, **kwargs)

    return again


@_found_if_raced
@transaction.atomic
def record_weight(*, actor: Any, values: Sent) -> tuple[Weighing, bool]:
    """A weighing, and whether this call made it: the same animal, time, weight and person is the same weighing.

    `values`: subject, weight; date_time (else now), user (else the actor), json. Names or rows. An absurd weight is kept
    and counts only when a person says that it is right. Raises Invalid, Ambiguous, Forbidden; Doubtful in a form.
    """
    subject = animal_of(actor, values)
    authorise_animal(actor, subject, Act.RECORD, what="weigh")
    weight = number_of(values, "weight")
    if weight is None:
        raise Invalid.of("weight", "how many grams?")
    if weight <= 0 and is_typed():
        raise Invalid.of("weight", plausible.weight_is_absurd(weight))
    moment = _moment(values.get("date_time"), subject.lab.timezone)
    person = _person(actor, values)
    known = known_of(subject.pk, at_wall=moment["at_wall"], weight_g=weight, user=person.pk)
    if known.same is not None:
        return Weighing.objects.select_related("subject", "user").get(pk=known.same), False
    absurd = plausible.weight_is_absurd(weight, species_of(subject))
    life = life_doubts(subject, {"date_time": moment["at_wall"]}, known.now)
    doubts = [*_weight_doubts(known, weight, moment["at_wall"], absurd), *life]
    columns = {**moment, "json": values.get("json"), "counts": not absurd or confirmed()}
    made = Weighing.objects.create(subject=subject, weight_g=weight, user=person, **columns)
    raise_flags(Weighing, [(made.pk, doubt) for doubt in doubts], lab_id=subject.lab_id)
    notices.weight_recorded(made, was_restricted=known.was_restricted)
    return made, True


@_found_if_raced
@transaction.atomic
def record_water(*, actor: Any, values: Sent) -> tuple[WaterAdministration, bool]:
    """Water given, and whether this call made it: the same animal, time, volume, person and kind is the same water.

    `values`: subject, water_administered (mL; None only *ad lib*), date_time (else now), user (else the actor), water_type
    (else that of the last restriction, else Water), adlib, session (one of this animal: then it is reward), json.
    Raises Invalid, Ambiguous, Forbidden; Doubtful in a form.
    """
    subject = animal_of(actor, values)
    authorise_animal(actor, subject, Act.RECORD, what="give water to")
    volume, adlib = number_of(values, "water_administered"), bool(values.get("adlib"))
    session = _session_of(subject, values.get("session"))
    moment = _moment(values.get("date_time"), subject.lab.timezone)
    same = {
        "subject": subject,
        "at_wall": moment["at_wall"],
        "volume_ml": volume,
        "user": _person(actor, values),
        "adlib": adlib,
    }
    doubts = [*_volume_doubts(subject, volume, adlib), *_life(subject, moment["at_wall"])]
    columns = {
        **same,
        **moment,
        "json": values.get("json"),
        "session_id": session,
        "counts": _volume_counts(subject, volume),
        "water_type": _water_type(values.get("water_type"), subject),
    }
    known = WaterAdministration.objects.shown().filter(**same).first()
    made = known if known is not None else WaterAdministration.objects.create(**columns)
    if known is None:
        raise_flags(WaterAdministration, [(made.pk, doubt) for doubt in doubts], lab_id=subject.lab_id)
    elif session is not None and made.session_id is None:
        store(made, {"session_id": session})
    notices.water_recorded(made)
    return made, known is None


@transaction.atomic
def change_water(*, actor: Any, administration: WaterAdministration, values: Sent) -> WaterAdministration:
    """Change what is sent and nothing else. Raises NotFound, Invalid, Forbidden; Doubtful in a form."""
    row: WaterAdministration = locked(WaterAdministration.objects.shown().select_related(*_RELATED), administration.pk)
    subject = row.subject
    authorise_animal(actor, subject, Act.RECORD, what="change the water of")
    if "subject" in values and animal_of(actor, values).pk != subject.pk:
        raise Invalid.of("subject", "water stays with its animal: withdraw it, and enter it for the other one")
    columns: dict[str, Any] = {"json": values["json"]} if "json" in values else {}
    doubts: list[Doubt] = []
    if values.get("date_time"):
        columns |= _moment(values["date_time"], row.zone) | {"zone": row.zone}
        doubts += _life(subject, columns["at_wall"])
    if values.get("user"):
        columns["user"] = _person(actor, values)
    if values.get("water_type"):
        columns["water_type"] = _water_type(values["water_type"], subject)
    if "session" in values:
        columns["session_id"] = _session_of(subject, values["session"])
    if "adlib" in values:
        columns["adlib"] = bool(values["adlib"])
    if "water_administered" in values:
        columns["volume_ml"] = number_of(values, "water_administered")
        columns["counts"] = _volume_counts(subject, columns["volume_ml"])
    if {"volume_ml", "adlib"} & columns.keys():
        doubts += _volume_doubts(subject, columns.get("volume_ml", row.volume_ml), columns.get("adlib", row.adlib))
    try:
        with transaction.atomic():
            store(row, columns)
    except IntegrityError:
        raise Invalid.of("date_time", "the same water is there already: same time, volume and person") from None
    raise_flags(WaterAdministration, [(row.pk, doubt) for doubt in doubts], lab_id=subject.lab_id)
    notices.water_recorded(row)
    return row


@transaction.atomic
def withdraw_weighing(*, actor: Any, weighing: Weighing) -> None:
    """It was no weighing of this animal: out of every answer and number; the row stays. Raises NotFound, Forbidden."""
    row: Weighing = locked(Weighing.objects.shown().select_related(*_RELATED), weighing.pk)
    _withdraw(actor, row, "withdraw a weighing of")


@transaction.atomic
def withdraw_water(*, actor: Any, administration: WaterAdministration) -> None:
    """It was not given: out of every answer and number; the row stays. Raises NotFound, Forbidden."""
    row: WaterAdministration = locked(WaterAdministration.objects.shown().select_related(*_RELATED), administration.pk)
    _withdraw(actor, row, "withdraw water of")


@transaction.atomic
def let_count(*, actor: Any, row: Weighing | WaterAdministration) -> None:
    """Somebody says that a doubted weight or volume is right: it enters the numbers. Raises NotFound, Forbidden."""
    found: Any = locked(type(row).objects.shown().select_related(*_RELATED), row.pk)
    authorise_animal(actor, found.subject, Act.TREAT, what="confirm a value of")
    store(found, {"counts": True})
    for flag in ReviewFlag.objects.filter(object_id=found.pk, rule__in=ABSURD, state=FlagState.OPEN):
        decide_flag(actor=actor, flag=flag, state=FlagState.RESOLVED, decision="the value is right")
    tell = notices.weight_recorded if isinstance(found, Weighing) else notices.water_recorded
    tell(found)


@transaction.atomic
def create_water_type(*, actor: Any, values: Sent) -> WaterType:
    """A new word for what is drunk. Raises Forbidden, Invalid when the name is taken."""
    authorise_anywhere(actor, act="extend the vocabulary of waters", to=Right.MANAGE)
    try:
        with transaction.atomic():
            return WaterType.objects.create(**values)
    except IntegrityError:
        raise Invalid.of("name", f"there is a type of water named {values['name']!r} already") from None


def _person(actor: Any, values: Sent) -> User:
    said = values.get("user")
    if not said or isinstance(said, User):
        return said or actor
    return by_name(User.objects.all(), str(said), field="user", what="user", column="username")


def _moment(said: datetime | None, zone: str) -> dict[str, Any]:
    wall = as_wall(said or clock.now(), zone)
    return {"at_wall": wall, "zone": zone, "at": clock.wall_to_utc(wall, zone)}


def _session_of(subject: Subject, said: Any) -> UUID | None:
    """The key of a session of this animal. Raises Invalid for any other, withdrawn ones included."""
    if not said:
        return None
    key = getattr(said, "pk", said)
    sessions: Any = getattr(subject, "sessions")  # noqa: B009  (the relation belongs to the sessions app)
    if not sessions.filter(pk=key, withdrawn_at__isnull=True).exists():
        raise Invalid.of("session", f"subject {subject.nickname} has no session {key}")
    return UUID(str(key))


def _water_type(said: Any, subject: Subject) -> WaterType:
    """The one named, else that of the last restriction, else plain water. Raises Invalid for an unknown name."""
    if (named := row_of(WaterType, said, "water_type")) is not None:
        return named
    last = (
        WaterRestriction.objects.shown()
        .filter(subject=subject, water_type__isnull=False)
        .order_by(F("started_wall").desc(nulls_last=True))
        .select_related("water_type")
        .first()
    )
    if last is not None:
        kind: WaterType = last.water_type
        return kind
    return WaterType.objects.get_or_create(name=PLAIN_WATER["name"], defaults=PLAIN_WATER)[0]


def _life(subject: Subject, wall: datetime) -> list[Doubt]:
    return list(life_doubts(subject, {"date_time": wall}))


def _weight_doubts(known: Known, weight: float, wall: datetime, absurd: str) -> Iterator[Doubt]:
    facts = {"weight": weight, "date_time": wall.isoformat()}
    if absurd:
        yield Doubt("weight-implausible", absurd, facts, "correct it, or say that it is right", ("weight",))
        return
    if known.last_g is None or known.last_wall is None:
        return
    if words := plausible.weight_jumps(weight, wall, known.last_g, known.last_wall):
        fix = "weigh again, or say that it is right"
        yield Doubt("weight-jumps", words, {**facts, "previous": known.last_g}, fix, ("weight",))


def _volume_doubts(subject: Subject, volume: float | None, adlib: bool) -> Iterator[Doubt]:
    """Raises Invalid in a form for what is no volume."""
    field = "water_administered"
    if volume is None:
        if adlib:
            return
        if is_typed():
            raise Invalid.of(field, "how many millilitres? Without a measure it is ad libitum")
        yield Doubt("water-without-volume", "water was given, nobody said how much", {field: None}, "say how much")
        return
    if not (absurd := plausible.volume_is_absurd(volume, species_of(subject))):
        return
    if volume < 0 and is_typed():
        raise Invalid.of(field, absurd)
    yield Doubt("volume-implausible", absurd, {field: volume}, "correct it, or say that it is right", (field,))


def _volume_counts(subject: Subject, volume: float | None) -> bool:
    return volume is None or not plausible.volume_is_absurd(volume, species_of(subject)) or confirmed()


def _withdraw(actor: Any, row: Weighing | WaterAdministration, what: str) -> None:
    """Who entered it takes it back; others' entries are for those who may withdraw."""
    authorise_animal(actor, row.subject, Act.RECORD if row.user_id == actor.pk else Act.WITHDRAW, what=what)
    store(row, {"withdrawn_at": clock.now()})
