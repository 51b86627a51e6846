"""Which animals are to be looked at after a surgery."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet

from alyx.core import clock
from subjects.models import PostOpCheck, Subject

_A_DAY = timedelta(days=1)


def open_checks(animals: QuerySet[Subject]) -> QuerySet[PostOpCheck]:
    """Checks not yet done, of those of the animals that live."""
    living = animals.filter(withdrawn_at__isnull=True, died_on__isnull=True)
    return PostOpCheck.objects.filter(
        done_wall__isnull=True, surgery__withdrawn_at__isnull=True, surgery__subject__in=living
    )


def due_checks(animals: QuerySet[Subject]) -> list[PostOpCheck]:
    """Those due today or before, by the clock of each animal's lab, oldest first; in a constant number of queries."""
    now = clock.now()
    rows = (
        open_checks(animals)
        .filter(due_on__lte=now.date() + _A_DAY)  # somewhere it is tomorrow already
        .select_related("surgery__subject__lab", "surgery__subject__responsible_user", "surgery__lab")
        .prefetch_related("surgery__procedures")
        .order_by("due_on", "surgery__subject__nickname", "id")
    )
    return [check for check in rows if check.due_on <= clock.utc_to_wall(now, check.surgery.zone).date()]


def next_due(checks: Iterable[Any], today: date) -> tuple[int, date | None]:
    """How many of a surgery's checks are due by today, and when the next one is (of those not done)."""
    days = sorted(check.due_on for check in checks if check.done_wall is None)
    return sum(day <= today for day in days), (days[0] if days else None)
