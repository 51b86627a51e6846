"""Giving out and taking back what lets somebody write across labs: roles in projects, duties in labs. See decision 068."""

from typing import Any

from django.db import transaction
from django.db.models import Q

from alyx.core.errors import Forbidden
from alyx.labs.models import Collaboration, Lab, Project, ProjectRole, User
from alyx.labs.permissions import Right, authorise, may


def may_give_duties(actor: Any, lab: Lab | None) -> bool:
    """Whether the actor says who has a duty in the lab: its heads; in all labs (None): superusers."""
    if lab is None:
        return bool(getattr(actor, "is_superuser", False))
    return may(actor, lab.pk, Right.HEAD)


def may_give_roles(actor: Any, project: Project) -> bool:
    """Whether the actor says who has a role in the project: heads of all labs that have an animal or a session in it."""
    if getattr(actor, "is_superuser", False):
        return True
    labs = list(labs_in(project).values_list("pk", flat=True))
    return bool(labs) and all(may(actor, lab, Right.HEAD) for lab in labs)


def labs_in(project: Project) -> Any:
    """The labs that have an animal or a session in the project."""
    return Lab.objects.filter(Q(subjects__projects=project) | Q(sessions__projects=project)).distinct()


@transaction.atomic
def give_duty(*, actor: Any, user: User, duty: str, lab: Lab | None) -> Collaboration:
    """The person has this duty in the lab (None: in all); given twice it is there once. Raises Forbidden."""
    _authorise_duties(actor, lab)
    return Collaboration.objects.get_or_create(user=user, lab=lab, duty=duty)[0]


@transaction.atomic
def take_duty(*, actor: Any, given: Collaboration) -> None:
    """The person has this duty no more. Raises Forbidden."""
    _authorise_duties(actor, given.lab)
    Collaboration.objects.filter(pk=given.pk).delete()


@transaction.atomic
def give_role(*, actor: Any, user: User, project: Project, role: str) -> ProjectRole:
    """The person has this role in the project, instead of the one they had. Raises Forbidden."""
    _authorise_roles(actor, project)
    return ProjectRole.objects.update_or_create(user=user, project=project, defaults={"role": role})[0]


@transaction.atomic
def take_role(*, actor: Any, given: ProjectRole) -> None:
    """The person has no role in the project any more. Raises Forbidden."""
    _authorise_roles(actor, given.project)
    ProjectRole.objects.filter(pk=given.pk).delete()


def _authorise_duties(actor: Any, lab: Lab | None) -> None:
    if lab is not None:
        authorise(actor, lab, act="say who has a duty", to=Right.HEAD)
    elif not may_give_duties(actor, None):
        raise Forbidden(f"{actor} may not say who has a duty in all labs: that is for superusers")


def _authorise_roles(actor: Any, project: Project) -> None:
    if not may_give_roles(actor, project):
        raise Forbidden(
            f"{actor} may not say who has a role in project {project.name}: that is for superusers, and for whoever is head "
            "of every lab that has an animal or a session in it"
        )
