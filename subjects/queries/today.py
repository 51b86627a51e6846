"""What the animals that somebody looks after need today, counted for the first page."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from alyx.core.reading import readable
from alyx.core.status import Status
from alyx.labs.models import Membership, ProjectRole
from subjects.models import Subject, WaterRestriction
from subjects.queries.checks import due_checks
from subjects.queries.water import welfare_today


@dataclass(frozen=True)
class Needs:
    """How many animals are below or critical, how many wait for a weighing or water, how many checks after surgery are due."""

    light: int
    waiting: int
    checks: int


def looked_after(user: Any) -> QuerySet[Subject]:
    """The animals of the labs in which the user is a member, and of the projects in which they have a role; a superuser: all.

    Not all that they read: a duty in all labs, or reading open to everybody, makes no animal one's own.
    """
    rows: QuerySet[Subject] = Subject.objects.shown()
    if user.is_superuser:
        return rows
    shares = ProjectRole.objects.filter(user=user).values("project")
    shared = Subject.projects.through._base_manager.filter(project__in=shares).values("subject")
    labs = Membership.objects.filter(user=user).values("lab")
    return readable(user, rows.filter(Q(lab__in=labs) | Q(pk__in=shared)))


def needs_of(animals: QuerySet[Subject]) -> Needs:
    """Of these; a fixed number of statements, over the restricted ones only."""
    rows = animals.filter(died_on__isnull=True).select_related("lab", "strain")
    open_ones = WaterRestriction.objects.shown().filter(ended_wall__isnull=True, subject__in=animals)
    days = welfare_today(rows.filter(pk__in=open_ones.values("subject_id"))).values()
    return Needs(
        light=sum(day.status in {Status.FAILED, Status.CRITICAL} for day in days),
        waiting=sum(day.is_weighing_missing or (day.is_restricted and (day.remaining_ml or 0) > 0) for day in days),
        checks=len(due_checks(animals)),
    )
