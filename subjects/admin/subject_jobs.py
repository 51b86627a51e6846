"""The jobs that are done on many animals at once."""

from typing import Any

from django import forms
from django.db.transaction import atomic
from django.http import HttpRequest

from alyx.core import clock
from alyx.core.admin_shown import page_now
from alyx.core.wall_clock import WallClockFormField, WallClockInput
from alyx.labs.models import User
from subjects.admin.many import Job
from subjects.admin.work import WorkForm, day_field, row_field
from subjects.models import Cull, CullMethod, CullReason, Stay, Subject
from subjects.services.death import record_cull
from subjects.services.housing import house, leave_cage
from subjects.services.subject import change_subject, hand_over


class HandOverForm(WorkForm):
    """To whom."""

    to = row_field(Subject, "responsible_user", User.objects.filter(is_active=True), label="To")


def _hand_over(actor: Any, subject: Subject, said: dict[str, Any]) -> None:
    hand_over(actor=actor, subject=subject, to=said["to"], reason=said["why"])


class CullForm(WorkForm):
    """When, why and how."""

    culled_on = day_field(label="Date")
    cull_reason = row_field(Cull, "reason", CullReason.objects.all(), label="Reason", required=False)
    method = row_field(Cull, "method", CullMethod.objects.all(), label="Method", required=False)
    description = forms.CharField(label="Notes", required=False, widget=forms.Textarea(attrs={"rows": 2}))


def _cull(actor: Any, subject: Subject, said: dict[str, Any]) -> None:
    record_cull(
        actor=actor,
        subject=subject,
        values={
            "date": said["culled_on"],
            "reason": said["cull_reason"].name if said["cull_reason"] else None,
            "method": said["method"].name if said["method"] else None,
            "description": said["description"],
        },
    )


KEEP, YES, NO = "", "yes", "no"
MARKS = [(KEEP, "as it is"), (YES, "yes"), (NO, "no")]


class MarkForm(WorkForm):
    """What is to be done."""

    to_be_genotyped = forms.ChoiceField(label="To be genotyped", choices=MARKS, required=False)
    to_be_culled = forms.ChoiceField(label="To be culled", choices=MARKS, required=False)

    def clean(self) -> dict[str, Any]:
        """Something."""
        cleaned = super().clean()
        if not cleaned.get("to_be_genotyped") and not cleaned.get("to_be_culled"):
            self.add_error(None, "Choose yes or no for one of the two marks.")
        return cleaned


def _mark(actor: Any, subject: Subject, said: dict[str, Any]) -> None:
    changes = {name: said[name] == YES for name in ("to_be_genotyped", "to_be_culled") if said[name]}
    change_subject(actor=actor, subject=subject, changes=changes)


class MoveForm(WorkForm):
    """Where to, and when."""

    cage_name = forms.CharField(
        label="Cage", max_length=64, required=False, help_text="its name; empty: out of the cage, into none"
    )
    at = WallClockFormField(label="When", widget=WallClockInput(), help_text="the lab's clock")


@atomic
def _move(actor: Any, subject: Subject, said: dict[str, Any]) -> None:
    """Out of the old cage first: whoever moves an animal need not be asked whether it is to leave."""
    here = Stay.objects.filter(subject=subject, ended_at__isnull=True).select_related("housing").first()
    if here is not None and here.housing.cage_name == said["cage_name"]:
        return
    if here is not None:
        leave_cage(actor=actor, subjects=[subject], at=said["at"])
    if said["cage_name"]:
        house(actor=actor, subjects=[subject], cage_name=said["cage_name"], at=said["at"])


def _now(request: HttpRequest, animals: list[Subject]) -> dict[str, Any]:
    zone = animals[0].lab.timezone if animals else "UTC"
    wall = clock.utc_to_wall(page_now(), zone).replace(microsecond=0)
    return {"at": wall, "culled_on": wall.date()}


JOBS = {
    job.slug: job
    for job in (
        Job("hand-over", "Hand over", "Hand over", "handed over", HandOverForm, _hand_over),
        Job("cull", "Cull", "Record as culled", "culled", CullForm, _cull, _now,
            "The date of death is set and open water restrictions end. Each animal is recorded by itself."),
        Job("mark", "Mark to be genotyped or culled", "Mark", "marked", MarkForm, _mark),
        Job("move", "Move to a cage", "Move", "moved", MoveForm, _move, _now,
            "The stay in the old cage ends and one in the new begins; a cage that does not stand yet is opened."),
    )
}  # fmt: skip
"""By the word in the address."""
