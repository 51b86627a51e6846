"""What is said about weights, waters and restrictions, read: names or rows, numbers that can be stored."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model

from alyx.core.errors import Invalid, NotFound
from alyx.core.rest.names import by_name
from subjects.models import (
    Subject,
)
from subjects.queries.subject import animals_named
from subjects.services.lookup import the_one_meant

Sent = Mapping[str, Any]
M = TypeVar("M", bound=Model)


def animal_of(actor: Any, values: Sent) -> Subject:
    """The animal meant: a row, or a nickname (with `lab` where several have it). Raises Invalid, Ambiguous."""
    said = values.get("subject")
    if isinstance(said, Subject):
        if said.withdrawn_at is not None:
            raise Invalid.of("subject", f"subject {said.nickname} was withdrawn")
        return said
    if not said:
        raise Invalid.of("subject", "which animal?")
    labs = [str(values["lab"])] if values.get("lab") else []
    named = [(one, one.lab_id, one.lab.name) for one in animals_named(str(said))]
    try:
        return the_one_meant(named, actor=actor, nickname=str(said), labs=labs)
    except NotFound as error:
        raise Invalid.of("subject", error.detail) from None


def row_of(model: type[M], said: Any, field: str) -> M | None:
    """A row given as such, by its name, or not at all. Raises Invalid."""
    if not said or isinstance(said, model):
        return said or None
    return by_name(model._default_manager.all(), str(said), field=field, what=field.replace("_", " "))


def number_of(values: Sent, name: str) -> float | None:
    """A finite number, or none. Raises Invalid."""
    said = values.get(name)
    if said is None or said == "":
        return None
    try:
        number = float(said)
    except (TypeError, ValueError):
        raise Invalid.of(name, f"{str(said)[:80]!r} is not a number") from None
    if not math.isfinite(number):
        raise Invalid.of(name, "NaN and infinity cannot be stored")
    return number


def species_of(subject: Subject) -> str:
    """Its Latin name, or nothing."""
    return subject.species.name if subject.species else ""
