"""Doubts about the time of something that happened to an animal."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from alyx.core import clock
from alyx.core.flags import Doubt
from subjects.models import Subject


def life_doubts(subject: Subject, walls: Mapping[str, datetime | None], now: datetime | None = None) -> Iterator[Doubt]:
    """For each wire field's wall clock: before the birth, after the death, or still to come."""
    today = clock.utc_to_wall(now or clock.now(), subject.lab.timezone).date()
    for name, wall in walls.items():
        if wall is None:
            continue
        on, facts = wall.date(), {name: wall.isoformat()}
        if subject.born_on and on < subject.born_on:
            words = f"{on} is before the birth of {subject.nickname}, {subject.born_on}"
            yield Doubt("before-birth", words, {**facts, "born": subject.born_on}, "correct the date", (name,))
        if subject.died_on and on > subject.died_on:
            words = f"{on} is after the death of {subject.nickname}, {subject.died_on}"
            yield Doubt("after-death", words, {**facts, "died": subject.died_on}, "correct the date", (name,))
        if on > today:
            yield Doubt("date-in-the-future", f"{on} lies in the future", facts, "correct the date", (name,))
