"""Twelve restricted mice in four cages, weighed on each of the last days, for a round with a tablet."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from alyx.core.clock import now, utc_to_wall
from alyx.labs.models import Lab, User
from subjects.models import Subject
from tests.factories.animals import a_restriction, a_surgery, a_water, a_weighing
from tests.factories.people import NUMBERS, a_lab, a_member
from tests.factories.records import a_session, a_subject

CAGES = ("7", "7", "7", "9", "9", "9", "12", "12", "12", "12", "14", "14")
REFERENCE_G = 26.0


@dataclass(frozen=True)
class Mice:
    """The lab judges by 85 % of a reference of 26 g, and each mouse weighed 23.5 g yesterday."""

    lab: Lab
    kate: User
    omar: User
    mice: list[Subject]
    """In the order of the round."""
    free: Subject
    """In cage 9, not restricted."""

    @property
    def names(self) -> list[str]:
        """Of the round."""
        return [one.nickname for one in self.mice]


def twelve_mice(lab: Lab | None = None) -> Mice:
    """Committed by whoever calls it outside a transaction."""
    lab = lab or a_lab(reference_weight_pct=0.85)
    kate, omar = (a_member(lab, name=f"{name}{next(NUMBERS)}") for name in ("kate", "omar"))
    today = utc_to_wall(now(), lab.timezone).date()
    start = datetime.combine(today - timedelta(days=20), time(9, 0))
    mice = []
    for place, cage in enumerate(CAGES):
        mouse = a_subject(
            lab,
            f"CX_{place + 1:03d}",
            cage_name=cage,
            responsible_user=kate,
            sex="FM"[place % 2],
            born_on=today - timedelta(days=140),
        )
        if place % 3 == 0:
            a_surgery(mouse, start - timedelta(days=12), implant_weight_g=1.5)
        a_restriction(mouse, start, reference_weight_g=REFERENCE_G)
        for day in range(1, 4):
            a_weighing(mouse, 23.5, start + timedelta(days=20 - day, minutes=3 * place), user=kate)
        if place % 4 == 0:
            morning = datetime.combine(today, time(0, 2))
            session = a_session(mouse, start=morning)
            a_water(mouse, 0.4, morning + timedelta(minutes=1), session_id=session.pk, user=kate)
        mice.append(mouse)
    free = a_subject(lab, "CX_FREE", cage_name="9", born_on=today - timedelta(days=140))
    a_weighing(free, 25.0, start, user=omar)
    return Mice(lab, kate, omar, mice, free)
