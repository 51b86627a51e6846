"""What an animal carries on its head. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

HEAVY = 0.20
"""From this part of the body weight on an implant's weight is not believed: it is a body weight in the wrong box."""


@dataclass(frozen=True)
class Implanted:
    """What a surgery said about the implant: its weight in grams; 0: removed."""

    implant_g: float
    at_wall: datetime
    key: UUID | None = None


def latest_implant(
    surgeries: Iterable[tuple[datetime | None, float | None, UUID | None]], day: date
) -> Implanted | None:
    """What the latest surgery on or before the day said; one without a value leaves what was, 0 removes."""
    said = [
        Implanted(value, at, key)
        for at, value, key in surgeries
        if at is not None and value is not None and value >= 0 and at.date() <= day
    ]
    return max(said, key=lambda one: (one.at_wall, str(one.key)), default=None)


def is_heavy(implant_g: float | None, body_g: float | None) -> bool:
    """Whether the implant is too heavy for the body to be true."""
    if implant_g is None or body_g is None or math.isnan(implant_g) or math.isnan(body_g) or body_g <= 0:
        return False
    return implant_g >= HEAVY * body_g
