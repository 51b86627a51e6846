"""When the lines of a surgery happened, corrected at the table."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from alyx.core import clock
from alyx.core.errors import Conflict, Invalid
from alyx.core.flags import Doubt, confirmed, raise_flags
from subjects.models import Surgery
from subjects.rules.surgery_times import implausible_moment
from subjects.services.parts import PARTS
from subjects.services.surgery import change_surgery
from subjects.services.surgery_bench import open_at_bench, wire

ENDS = {"start": "start_time", "end": "end_time"}
SAME = timedelta(seconds=30)
"""A tablet guesses its clock's error before it is told: what it saw of its own taps is right to some seconds."""


@transaction.atomic
def set_moment(
    *, actor: Any, surgery_id: UUID, kind: str, key: UUID, at: datetime, seen: datetime | None, tapped: datetime
) -> dict[str, Any]:
    """A part, drug, event, or the `start` or `end` was at another time than `seen`. Answers `at` and `before` (ISO or None).

    Raises Invalid, Forbidden, NotFound; Conflict when somebody took it out or corrected it meanwhile; Doubtful in a form for
    what is in the future of the tap or before the surgery.
    """
    surgery = open_at_bench(actor, surgery_id, at)
    row, now = _found(surgery, kind, key)
    if row is None:
        raise Conflict("somebody took this line out meanwhile; put this correction aside")
    if seen and now and abs(now - seen) > SAME and abs(now - at) > SAME and not confirmed():
        raise Conflict(
            f"somebody corrected this time meanwhile, to {_said(now, surgery)}; say that {_said(at, surgery)} is right, or put it aside",
            fields={"at": f"it says {_said(now, surgery)} by now"},
        )
    if doubted := implausible_moment(kind, at, started=surgery.started_at, tapped=tapped):
        words = f"{_said(at, surgery)} {doubted[0]}, {_said(doubted[1], surgery)}"
        facts = {"at": at.isoformat(), "part": kind}
        doubt = Doubt("surgery-time-implausible", words, facts, "correct the time", ("at",))
        raise_flags(Surgery, [(surgery.pk, doubt)], lab_id=surgery.lab_id)
    _move(actor, surgery, kind, key, at)
    return {"part": kind, "id": str(key), "at": wire(at), "before": wire(now)}


@transaction.atomic
def reset_moment(
    *, actor: Any, surgery_id: UUID, kind: str, key: UUID, said: datetime, before: datetime | None
) -> None:
    """It was when it said before; what somebody corrected since or took out stays. Raises Forbidden, NotFound."""
    surgery = open_at_bench(actor, surgery_id)
    row, now = _found(surgery, kind, key)
    if row is not None and now is not None and abs(now - said) < timedelta(seconds=1):
        _move(actor, surgery, kind, key, before)


def _found(surgery: Surgery, kind: str, key: UUID) -> tuple[Any, datetime | None]:
    """The line, None when it is no more, and when it was."""
    if kind in ENDS:
        at = surgery.started_at if kind == "start" else surgery.ended_at
        return (surgery if at else None), at
    model = PARTS.get(kind)
    if model is None:
        raise Invalid.of("part", f"{kind!r} has no time in a surgery; these have: {', '.join([*ENDS, *PARTS])}")
    row: Any = model._default_manager.filter(pk=key).first()
    if row is None or getattr(row, "withdrawn_at", None) is not None:
        return None, None
    if row.surgery_id != surgery.pk:
        raise Invalid.of("id", "this line belongs to another surgery")
    wall = row.started_wall if kind == "implant" else row.at_wall
    return row, clock.wall_to_utc(wall, surgery.zone) if wall else None


def _move(actor: Any, surgery: Surgery, kind: str, key: UUID, at: datetime | None) -> None:
    if kind in ENDS:
        change_surgery(actor=actor, surgery=surgery, values={ENDS[kind]: at})
        return
    column = "started_wall" if kind == "implant" else "at_wall"
    wall = clock.utc_to_wall(at, surgery.zone) if at else None
    change_surgery(
        actor=actor, surgery=surgery, values={}, parts=[{"place": "part", "part": kind, "id": key, column: wall}]
    )


def _said(at: datetime, surgery: Surgery) -> str:
    """`14:03 (Europe/London)`, with the date where it is not that of the start."""
    wall = clock.utc_to_wall(at, surgery.zone)
    other = surgery.started_wall is not None and wall.date() != surgery.started_wall.date()
    return f"{wall:%Y-%m-%d %H:%M} ({surgery.zone})" if other else f"{wall:%H:%M} ({surgery.zone})"
