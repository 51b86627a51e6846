"""When each round of the timetable was last made."""

from datetime import datetime, timedelta

from alyx.core import clock
from transfers.models import Pulse

LATE_AFTER = timedelta(minutes=5)
"""A round that is made every minute and was not heard for so long is late."""


def beat(name: str) -> None:
    """A round was made."""
    Pulse.objects.bulk_create(
        [Pulse(name=name, at=clock.now())], update_conflicts=True, update_fields=["at"], unique_fields=["name"]
    )


def heard(name: str) -> datetime | None:
    """When it was last made; None: never."""
    return Pulse.objects.filter(name=name).values_list("at", flat=True).first()


def age(name: str) -> timedelta | None:
    """How long ago; None: never."""
    at = heard(name)
    return clock.now() - at if at is not None else None
