"""The week of the restricted animals: who was weighed, watered and trained on each day, and what is still due today.

A fixed number of statements, whatever the number of animals: only the restricted ones are looked at.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from alyx.core.clock import utc_to_wall
from alyx.core.status import Status
from alyx.labs.models import User
from sessions.models import Session
from subjects.models import Subject, WaterAdministration, WaterRestriction, Weighing
from subjects.queries.water import welfare_of
from subjects.rules.day import Day

DAYS = 7


@dataclass
class Cell:
    """One animal on one day. None: nothing is known, or nothing is asked."""

    day: date
    is_restricted: bool = False
    is_today: bool = False
    is_past: bool = False
    weight_g: float | None = None
    given_ml: float = 0.0
    is_watered: bool = False
    is_adlib: bool = False
    expected_ml: float | None = None
    sessions: list[UUID] = field(default_factory=list)


@dataclass
class Row:
    """One animal's week. `percentage`, `status` and what is due are of today; no week but this one has something due."""

    subject: Subject
    cells: list[Cell]
    percentage: float | None = None
    status: Status = Status.NEUTRAL
    weigh: bool = False
    give_ml: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether somebody must do something today."""
        return self.weigh or self.give_ml > 0

    @property
    def rank(self) -> tuple[bool, bool, float, str]:
        """What is due first: not weighed, then the most water still to give."""
        return (not self.is_due, not self.weigh, -self.give_ml, self.subject.nickname)


def monday(day: date) -> date:
    """The first day of its week."""
    return day - timedelta(days=day.weekday())


def restricted_in(first: date, animals: QuerySet[Subject]) -> list[Subject]:
    """Those of the animals that were restricted on some day of the week, by name."""
    start, end = datetime.combine(first, time()), datetime.combine(first + timedelta(days=DAYS), time())
    spans = WaterRestriction.objects.shown().filter(Q(ended_wall__isnull=True) | Q(ended_wall__gte=start))
    spans = spans.filter(Q(started_wall__isnull=True) | Q(started_wall__lt=end))
    lasting = Q(died_on__isnull=True) | Q(died_on__gte=first)
    subjects = animals.filter(lasting, pk__in=spans.values("subject_id"))
    return list(subjects.select_related("lab", "responsible_user", "strain").order_by("nickname", "id"))


def week_of(subjects: Sequence[Subject], first: date, now: datetime, trained: QuerySet[Session]) -> list[Row]:
    """The week from `first` on of these animals, what is due today first.

    `now` is the instant of the page; `trained` the sessions that may be shown.
    """
    days = [first + timedelta(days=number) for number in range(DAYS)]
    keys = [subject.pk for subject in subjects]
    within = {"subject_id__in": keys, **_between(days)}
    judged = welfare_of(subjects, days[0], days[-1], now)
    rows = {subject.pk: _row(subject, days, judged[subject.pk], now) for subject in subjects}
    cells = {(key, cell.day): cell for key, row in rows.items() for cell in row.cells}
    weights = Weighing.objects.shown().filter(counts=True, **within).order_by("at_wall")
    for key, at, weight in weights.values_list("subject_id", "at_wall", "weight_g"):
        cells[key, at.date()].weight_g = weight
    _pour(cells, within)
    trained = trained.filter(subject_id__in=keys, path_date__range=(days[0], days[-1]))
    for key, day, session in trained.order_by("number").values_list("subject_id", "path_date", "id"):
        cells[key, day].sessions.append(session)
    for key, row in rows.items():
        _say_due(row, judged[key])
    return sorted(rows.values(), key=lambda row: row.rank)


def _between(days: Sequence[date]) -> dict[str, datetime]:
    return {
        "at_wall__gte": datetime.combine(days[0], time()),
        "at_wall__lt": datetime.combine(days[-1] + timedelta(days=1), time()),
    }


def _row(subject: Subject, days: Iterable[date], judged: Iterable[Day], now: datetime) -> Row:
    today = utc_to_wall(now, subject.lab.timezone).date()
    known = {one.day: one for one in judged}
    cells = [
        Cell(
            day,
            is_restricted=bool(day in known and known[day].is_restricted),
            is_today=day == today,
            is_past=day < today,
            expected_ml=known[day].expected_ml if day in known else None,
        )
        for day in days
    ]
    return Row(subject, cells)


def _pour(cells: dict[tuple[UUID, date], Cell], within: dict[str, Any]) -> None:
    given: dict[tuple[UUID, date], float] = defaultdict(float)
    waters = WaterAdministration.objects.shown().filter(counts=True, **within)
    for key, at, volume, adlib in waters.values_list("subject_id", "at_wall", "volume_ml", "adlib"):
        cell = cells[key, at.date()]
        cell.is_watered = True
        cell.is_adlib = cell.is_adlib or adlib
        given[key, at.date()] += volume or 0.0
    for place, volume in given.items():
        cells[place].given_ml = volume


def _say_due(row: Row, judged: Iterable[Day]) -> None:
    """Today's numbers, where the week holds today."""
    cell = next((cell for cell in row.cells if cell.is_today), None)
    day = next((one for one in judged if cell is not None and one.day == cell.day), None)
    if cell is None or day is None:
        return
    row.percentage, row.status = day.percentage, day.status
    if day.is_restricted and not row.subject.died_on:
        row.weigh = day.is_weighing_missing
        row.give_ml = max(day.remaining_ml or 0.0, 0.0) if not day.is_adlib else 0.0


def keepers(subjects: Iterable[Subject]) -> list[User]:
    """Who is responsible for them, by name."""
    found = {subject.responsible_user for subject in subjects if subject.responsible_user}
    return sorted(found, key=lambda user: user.username)
