"""Weeks of training in a lab: restricted animals with weights, rewards and supplements, and those about which little is known."""

import math
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from alyx.core.audit import acting
from alyx.core.clock import now, utc_to_wall
from alyx.labs.models import Lab, User
from subjects.models import Subject, WaterType
from tests.factories.animals import a_restriction, a_surgery, a_water, a_weighing
from tests.factories.records import a_session, a_subject


@dataclass(frozen=True)
class WaterWeeks:
    """The animals, by what is the matter with them."""

    trained: Subject
    """Restricted for weeks, weighed and watered on most days; today neither."""
    thin: Subject
    """Restricted, below its minimum."""
    done: Subject
    """Restricted; weighed and watered today."""
    fresh: Subject
    """Restricted, never weighed."""
    dead: Subject
    unknown: Subject
    """Neither sex nor birth date, never restricted."""

    @property
    def restricted(self) -> list[Subject]:
        """Those on the round."""
        return [self.trained, self.thin, self.done, self.fresh]


def some_weeks(lab: Lab, people: list[User], days: int = 40) -> WaterWeeks:
    """`people`: who weighs, and the rig."""
    today = utc_to_wall(now(), lab.timezone).date()
    born = today - timedelta(days=150)
    with acting(actor=people[0], path="command tests", reason="weeks to look at"):
        made = [
            a_subject(lab, name, sex=sex, born_on=born, cage_name=cage, responsible_user=people[0])
            for name, sex, cage in (
                ("WA_001", "M", "12"), ("WA_002", "F", "12"), ("WA_003", "F", "7"), ("WA_004", "M", "7"), ("WA_005", "F", ""),
            )
        ]  # fmt: skip
        made.append(a_subject(lab, "WA_006", sex="U", born_on=None))
        weeks = WaterWeeks(*made)
        start = datetime.combine(today - timedelta(days=days), time(9, 0))
        for subject in (weeks.trained, weeks.thin, weeks.done):
            a_surgery(subject, start - timedelta(days=10), implant_weight_g=1.4)
            a_weighing(subject, 25.6, start - timedelta(hours=1), user=people[0])
        for place, subject in enumerate((weeks.trained, weeks.thin, weeks.done)):
            a_restriction(subject, start, reference_weight_g=25.6 if place else None)
            _train(subject, start, days, people, falling=0.13 * (place == 1))
        a_restriction(weeks.fresh, start + timedelta(days=days - 3))
        a_weighing(weeks.done, 24.4, datetime.combine(today, time(0, 5)), user=people[0])
        a_water(weeks.done, 1.4, datetime.combine(today, time(0, 10)), user=people[0])
        a_restriction(weeks.dead, start, start + timedelta(days=20), reference_weight_g=25.6)
        _train(weeks.dead, start, 20, people, falling=0.1)
        Subject.objects.filter(pk=weeks.dead.pk).update(died_on=(start + timedelta(days=20)).date())
    return weeks


def _train(subject: Subject, start: datetime, days: int, people: list[User], falling: float) -> None:
    water = WaterType.objects.first()
    for day in range(days):
        morning = start + timedelta(days=day, minutes=7 * (day % 5))
        if day % 9 != 8:
            weight = round(25.2 - falling * day + 0.5 * math.sin(day / 2.3), 1)
            a_weighing(subject, weight, morning + timedelta(minutes=20), user=people[0])
        if morning.weekday() < 5:
            session = a_session(subject, start=morning + timedelta(hours=1))
            drunk = round(0.55 + 0.25 * math.sin(day / 3), 3)
            a_water(
                subject, drunk, morning + timedelta(hours=2), user=people[1], session_id=session.pk, water_type=water
            )
        a_water(
            subject, round(0.3 + 0.05 * (day % 4), 2), morning + timedelta(hours=8), user=people[0], water_type=water
        )
