"""What is storable about a session and yet cannot be true, or contradicts what was there."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from alyx.core import clock
from alyx.core.flags import Doubt, raise_flags
from alyx.core.models import FlagState, ReviewFlag
from sessions.models import Session

AHEAD = timedelta(days=1)
"""Clocks of rigs may run ahead by this before we doubt them."""


def plausibility(session: Session, now: datetime | None = None) -> Iterator[Doubt]:
    """Findings about the session as it is now. Who asks about many says what time it is."""
    start, end, subject = session.started_wall, session.ended_wall, session.subject
    if end is not None and end < start:
        yield Doubt(
            "session-ends-before-start",
            f"ends {end}, starts {start}",
            {"start_time": start, "end_time": end},
            "correct end_time",
        )
    if session.started_at > (now or clock.now()) + AHEAD:
        yield Doubt("session-in-the-future", f"starts {start}", {"start_time": start}, "check the clock of the rig")
    if subject.born_on and session.path_date < subject.born_on:
        facts: dict[str, Any] = {"date": session.path_date, "birth_date": subject.born_on}
        yield Doubt(
            "session-before-birth",
            f"on {session.path_date}, the animal was born {subject.born_on}",
            facts,
            "check the animal",
        )
    if subject.died_on and session.path_date > subject.died_on:
        facts = {"date": session.path_date, "death_date": subject.died_on}
        yield Doubt(
            "session-after-death",
            f"on {session.path_date}, the animal died {subject.died_on}",
            facts,
            "check the animal",
        )
    correct, trials = session.n_correct_trials, session.n_trials
    if correct is not None and trials is not None and correct > trials:
        facts = {"n_correct_trials": correct, "n_trials": trials}
        yield Doubt("more-correct-than-trials", f"{correct} correct of {trials} trials", facts, "correct the counts")
    if session.lab_id != subject.lab_id:
        facts = {"lab": session.lab.name, "lab_of_subject": subject.lab.name}
        yield Doubt(
            "lab-differs-from-subjects",
            f"recorded in {session.lab.name}, the animal is in {subject.lab.name}",
            facts,
            "",
        )


def collision(name: str, stored: Any, sent: Any) -> Doubt:
    """Two recordings may have become one: a wiped disk, or a second rig counting from one."""
    text = f"{name} was {stored}, another call says {sent}: two recordings may share this number"
    return Doubt(
        "session-collision",
        text,
        {"field": name, "stored": stored, "sent": sent},
        "look which files belong to which recording",
    )


def would_move(name: str, stored: Any, sent: Any) -> Doubt:
    """A change of what names the folder on disk is kept here, not applied."""
    text = f"{name} stays {stored}: its data lie under that name; a call says {sent}"
    return Doubt(
        "session-would-move",
        text,
        {"field": name, "stored": stored, "sent": sent},
        "register a new session if it is another one",
    )


def flag(session: Session, doubts: Iterable[Doubt]) -> None:
    """Keep the findings for the lab's people, except those that somebody has judged already."""
    found = list(doubts)
    if not found:
        return
    judged = set(
        ReviewFlag.objects.filter(object_id=session.pk).exclude(state=FlagState.OPEN).values_list("rule", "fingerprint")
    )
    fresh = [(session.pk, doubt) for doubt in found if (doubt.rule, doubt.fingerprint) not in judged]
    raise_flags(Session, fresh, lab_id=session.lab_id)
