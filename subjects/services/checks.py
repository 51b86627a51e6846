"""Checks after a surgery: due on days, scored by a sheet."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt, raise_flags
from subjects.models import Outcome, PostOpCheck, Surgery, Weighing
from subjects.permissions import Act, authorise_animal
from subjects.rules.surgery import check_days, score_faults
from subjects.rules.template import days_after, sheet_of
from subjects.rules.times import as_wall
from subjects.services.life import life_doubts
from subjects.services.notices import check_recorded
from subjects.services.water import record_weight


def schedule_checks(surgery: Surgery, days: Sequence[int] | None = None) -> None:
    """Keep the checks that are still to be done in step with the surgery's end; part of the change that calls it.

    There are none for an animal that did not recover, nor for a surgery whose last check would have been before today:
    who enters last year's book is not asked to look at those animals. `days` after the end replace the template's.
    """
    content = surgery.template.content if surgery.template else {}
    after = days_after(content) if days is None else days
    due = check_days(surgery.ended_wall.date(), after) if surgery.ended_wall else []
    today = clock.utc_to_wall(clock.now(), surgery.zone).date()
    if surgery.outcome_type not in {"", Outcome.RECOVERY} or (due and due[-1] < today):
        due = []
    surgery.checks.filter(done_wall__isnull=True).exclude(due_on__in=due).delete()
    there = set(surgery.checks.values_list("due_on", flat=True))
    sheet = sheet_of(content)
    PostOpCheck.objects.bulk_create(
        PostOpCheck(surgery=surgery, due_on=day, sheet=sheet) for day in due if day not in there
    )


@transaction.atomic
def record_check(*, actor: Any, check: PostOpCheck, values: Mapping[str, Any]) -> PostOpCheck:
    """The animal was looked at: `scores` (key of the item → score), `weight`, `narrative`, `date_time` (else now), `user`.

    A weight is a weighing too. Said again, it corrects. Raises Forbidden, NotFound, Invalid naming `scores.<key>`; Doubtful in a form.
    """
    related = ("surgery__subject__lab", "surgery__subject__responsible_user", "surgery__subject__species", "user")
    check = locked(PostOpCheck.objects.filter(surgery__withdrawn_at__isnull=True).select_related(*related), check.pk)
    surgery, subject = check.surgery, check.surgery.subject
    authorise_animal(actor, subject, Act.TREAT, what="check")
    scores = {key: value for key, value in {**check.scores, **values.get("scores", {})}.items() if value is not None}
    if faults := score_faults(check.sheet, scores):
        raise Invalid("; ".join(faults.values()), fields={f"scores.{key}": words for key, words in faults.items()})
    weight = values.get("weight", check.weight_g)
    if not scores and weight is None and not values.get("narrative", check.narrative):
        raise Invalid.of("scores", "say how the animal is: at least one score, a weight or a word")
    wall = as_wall(values.get("date_time") or check.done_wall or clock.now(), surgery.zone)
    user = values.get("user") or check.user or actor
    _weigh(actor, check, wall, weight, user)
    store(
        check,
        {
            "scores": scores,
            "weight_g": weight,
            "narrative": values.get("narrative", check.narrative),
            "done_wall": wall,
            "done_at": clock.wall_to_utc(wall, surgery.zone),
            "user": user,
        },
    )
    doubts = list(life_doubts(subject, {"date_time": wall}))
    if wall < (surgery.ended_wall or surgery.started_wall or wall):
        facts = {"date_time": wall.isoformat(), "end_time": str(surgery.ended_wall)}
        doubts.append(
            Doubt("check-before-end", "the check is before the end of the surgery", facts, "correct the time")
        )
    raise_flags(PostOpCheck, [(check.pk, doubt) for doubt in doubts], lab_id=surgery.lab_id)
    check_recorded(check)
    return check


def _weigh(actor: Any, check: PostOpCheck, wall: datetime, weight: float | None, user: Any) -> None:
    """The check's weight as a weighing; a corrected one takes the place of the first."""
    subject = check.surgery.subject
    if check.weight_g is not None and (check.weight_g, check.done_wall) != (weight, wall):
        first = Weighing.objects.shown().filter(
            subject=subject, at_wall=check.done_wall, weight_g=check.weight_g, user=check.user
        )
        first.update(withdrawn_at=clock.now())
    if weight is not None:
        record_weight(actor=actor, values={"subject": subject, "weight": weight, "date_time": wall, "user": user})
