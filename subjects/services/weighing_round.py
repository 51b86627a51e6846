"""A round with a tablet: the same weighing and water as everywhere, with the doubts that only a round can have.

The tablet says what it showed when somebody typed. Where the record says otherwise by then, the person is asked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from alyx.core.errors import Conflict, Doubtful, NotFound
from alyx.core.flags import Doubt, raise_flags
from alyx.core.reading import readable
from subjects.models import Subject, WaterAdministration, Weighing
from subjects.queries.round import given_that_day, weighed_that_day
from subjects.rules.times import as_wall
from subjects.services.water import record_water, record_weight, withdraw_water, withdraw_weighing

Row = TypeVar("Row", Weighing, WaterAdministration)
_MORE_ML = 0.005
"""A difference that nobody sees."""


@dataclass(frozen=True)
class Shown:
    """What the tablet showed of the animal. None: it does not say."""

    nickname: str | None = None
    cage: str | None = None
    round_cage: str | None = None
    """The cage that was at work when this animal was scanned."""
    given_ml: float | None = None
    """The water given that day."""


@transaction.atomic
def weigh_in_round(
    *, actor: Any, subject: UUID, weight_g: Any, at: datetime, shown: Shown | None = None
) -> tuple[Weighing, bool]:
    """A weighing, and whether this call made it. A second one on a day is asked about, also when two people are as quick.

    Raises NotFound, Forbidden, Invalid; Conflict when the animal died before; Doubtful in a form.
    """
    animal, wall = _held(actor, subject, at)
    doubts = [*_changed(animal, shown or Shown()), *_weighed_already(animal, wall)]
    values = {"subject": animal, "weight": weight_g, "date_time": at}
    return _with_doubts(Weighing, animal, doubts, lambda: record_weight(actor=actor, values=values))


@transaction.atomic
def water_in_round(
    *, actor: Any, subject: UUID, volume_ml: Any, at: datetime, shown: Shown | None = None
) -> tuple[WaterAdministration, bool]:
    """A supplement, and whether this call made it. Asked about when more was given that day than the tablet knew.

    Raises NotFound, Forbidden, Invalid; Conflict when the animal died before; Doubtful in a form.
    """
    animal, wall = _held(actor, subject, at)
    shown = shown or Shown()
    doubts = [*_changed(animal, shown), *_given_meanwhile(animal, wall, shown.given_ml)]
    values = {"subject": animal, "water_administered": volume_ml, "date_time": at}
    return _with_doubts(WaterAdministration, animal, doubts, lambda: record_water(actor=actor, values=values))


def take_back(*, actor: Any, model: type[Row], key: UUID) -> None:
    """Undo either; what is withdrawn already stays so. Raises Forbidden."""
    row = model._default_manager.filter(pk=key).first()
    try:
        if isinstance(row, Weighing):
            withdraw_weighing(actor=actor, weighing=row)
        elif isinstance(row, WaterAdministration):
            withdraw_water(actor=actor, administration=row)
    except NotFound:
        return


def _held(actor: Any, key: UUID, at: datetime) -> tuple[Subject, datetime]:
    """The animal, held so that nobody else weighs it until we have, and the wall clock where it lives."""
    rows = readable(actor, Subject.objects.select_related("lab", "responsible_user", "species"))
    animal = rows.select_for_update(no_key=True, of=("self",)).filter(pk=key).first()
    if animal is None:
        raise NotFound(
            "this animal is not there, or it is of a lab whose animals you do not read: enter it for another"
        )
    if animal.withdrawn_at is not None:
        raise Conflict(f"{animal.nickname} was withdrawn from the record: enter it for another animal, or discard it")
    wall = as_wall(at, animal.lab.timezone)
    if animal.died_on is not None and wall.date() > animal.died_on:
        raise Conflict(
            f"{animal.nickname} died on {animal.died_on}, before this of {wall:%Y-%m-%d %H:%M} ({animal.lab.timezone}):"
            " enter it for another animal, correct the death, or discard it"
        )
    return animal, wall


def _changed(animal: Subject, shown: Shown) -> Iterator[Doubt]:
    """It was renamed or moved since the tablet read it, or is not of the cage at work."""
    fix = "look at the animal; if it is the right one, say so"
    if shown.nickname is not None and shown.nickname != animal.nickname:
        words = f"{shown.nickname} is called {animal.nickname} now"
        yield Doubt("renamed-meanwhile", words, {"nickname": animal.nickname}, fix, ("subject",))
    if shown.cage is not None and shown.cage.lower() != animal.cage_name.lower():
        words = f"{animal.nickname} is {_where(animal.cage_name)} now, and was {_where(shown.cage)} on the tablet"
        yield Doubt("moved-meanwhile", words, {"cage": animal.cage_name}, fix, ("subject",))
    elif shown.round_cage is not None and shown.round_cage.lower() != animal.cage_name.lower():
        words = f"{animal.nickname} is {_where(animal.cage_name)}, and {_where(shown.round_cage)} was at work"
        yield Doubt("another-cage", words, {"cage": animal.cage_name}, fix, ("subject",))


def _where(cage: str) -> str:
    return f"in cage {cage}" if cage else "in no cage"


def _weighed_already(animal: Subject, wall: datetime) -> Iterator[Doubt]:
    if not (found := weighed_that_day(animal, wall)):
        return
    key, when, grams, by = found[-1]
    words = (
        f"{by or 'somebody'} weighed {animal.nickname} that day at {when:%H:%M} ({animal.lab.timezone}): {grams:g} g"
    )
    yield Doubt("weighed-already", words, {"weighing": key}, "keep both, or discard this one", ("weight",))


def _given_meanwhile(animal: Subject, wall: datetime, known_ml: float | None) -> Iterator[Doubt]:
    if known_ml is None:
        return
    found = given_that_day(animal, wall)
    given = sum(one["value"] or 0.0 for one in found)
    if given <= known_ml + _MORE_ML:
        return
    when, by = datetime.fromisoformat(found[-1]["at_wall"]), found[-1]["by"] or "somebody"
    words = f"{given:.2f} mL were given already, last by {by} at {when:%H:%M} ({animal.lab.timezone})"
    yield Doubt("watered-meanwhile", words, {"given": given}, "keep this too, or discard it", ("water_administered",))


def _with_doubts(
    model: type[Row], animal: Subject, doubts: list[Doubt], record: Callable[[], tuple[Row, bool]]
) -> tuple[Row, bool]:
    """Both kinds of doubts are asked at once; what is there already is no second one. Raises Doubtful."""
    try:
        with transaction.atomic():
            row, is_new = record()
    except Doubtful as more:
        said: dict[str, Any] = {name: list(texts) for name, texts in more.fields.items()}
        for doubt in doubts:
            for name in doubt.fields:
                said.setdefault(name, []).append(f"{doubt.message}: {doubt.proposed_fix}")
        raise Doubtful("; ".join([*(doubt.message for doubt in doubts), more.detail]), fields=said) from None
    if is_new:
        raise_flags(model, [(row.pk, doubt) for doubt in doubts], lab_id=animal.lab_id)
    return row, is_new
