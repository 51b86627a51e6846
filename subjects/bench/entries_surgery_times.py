"""A line of a surgery happened at another time: what the screen's time editor sends."""

from datetime import datetime
from uuid import UUID

from alyx.core.errors import Invalid
from alyx.core.journal.kinds import Applied, Result, register
from subjects.bench.entries_surgery import lab_of
from subjects.rules.surgery_fields import Unfit, instant
from subjects.services.surgery_bench_times import reset_moment, set_moment


def moment(applied: Applied) -> Result:
    """`{part, id, at, base?}`: the line was at `at`, not at `base`; `part` may be `start` or `end`, with the surgery's id."""
    surgery = applied.subject_of()
    done = set_moment(
        actor=applied.actor,
        surgery_id=surgery,
        kind=applied.said("part", str),
        key=applied.said("id", UUID),
        at=_instant(applied, "at"),
        seen=_instant(applied, "base") if applied.body.get("base") else None,
        tapped=applied.at,
    )
    return {"surgery": str(surgery), **done}


def un_moment(applied: Applied, result: Result) -> Result:
    """It was when it said before."""
    reset_moment(
        actor=applied.actor,
        surgery_id=UUID(result["surgery"]),
        kind=result["part"],
        key=UUID(result["id"]),
        said=instant(result["at"]),
        before=instant(result["before"]) if result["before"] else None,
    )
    return {"undone": "surgery.time"}


def _instant(applied: Applied, name: str) -> datetime:
    try:
        return instant(applied.body.get(name))
    except Unfit as unfit:
        raise Invalid.of(name, str(unfit)) from None


register("surgery.time", moment, undo=un_moment, lab_of=lab_of, label="time in a surgery")
