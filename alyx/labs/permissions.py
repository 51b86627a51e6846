"""Who may write what in which lab. One place for REST, admin, commands and jobs; the table is `alyx.labs.grants`.

Who reads what is in `alyx.core.reading`.
"""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from alyx.core.errors import Forbidden
from alyx.labs.grants import AS_ROLE, TABLE, Grant, Right, Verdict, decide
from alyx.labs.models import (
    MANAGING_ROLES,
    WRITING_ROLES,
    Collaboration,
    Lab,
    Membership,
    Project,
    ProjectRole,
    Role,
    User,
)

__all__ = [
    "MANAGING_ROLES",
    "WRITING_ROLES",
    "Right",
    "Role",
    "Verdict",
    "authorise",
    "authorise_anywhere",
    "may",
    "verdict",
    "verdict_anywhere",
    "writable_labs",
]

Projects = QuerySet[Project, Any] | None
"""Those of the thing concerned; asked only when the role in the lab does not decide."""


def verdict(actor: Any, lab: Lab | UUID | None, act: Right, projects: Projects = None) -> Verdict:
    """Whether the actor may, and which rule decides. A thing of no lab is for those who manage any lab."""
    known = by_person(actor)
    if known is not None:
        return known
    if lab is None:
        return verdict_anywhere(actor, Right.MANAGE)
    key = lab.pk if isinstance(lab, Lab) else lab
    grant = TABLE[act]
    where = f"lab {lab.name}" if isinstance(lab, Lab) else "the lab"
    role = Membership.objects.filter(user=actor, lab=key).values_list("role", flat=True).first()
    if role in grant.roles:
        return decide(grant, where=where, role=role, project_roles=(), duties=())
    shared = [] if projects is None else _roles_in(actor, projects)
    duties = _duties(actor, grant).filter(Q(lab=key) | Q(lab__isnull=True)) if grant.duties else None
    held = [] if duties is None else list(duties.values_list("duty", flat=True))
    return decide(grant, where=where, role=role, project_roles=shared, duties=held)


def verdict_anywhere(actor: Any, act: Right) -> Verdict:
    """Whether the actor may somewhere (vocabularies, tags, revisions), and which rule decides."""
    known = by_person(actor)
    if known is not None:
        return known
    grant = TABLE[act]
    member = Membership.objects.filter(user=actor, role__in=grant.roles).select_related("lab").first()
    if member is not None:
        return Verdict(True, f"the role {member.role} in lab {member.lab.name}")
    kinds = [kind for kind, role in AS_ROLE.items() if role in grant.roles and act is not Right.MANAGE]
    share = ProjectRole.objects.filter(user=actor, role__in=kinds).select_related("project").first()
    if share is not None:
        return Verdict(True, f"who {share.role} in project {share.project.name} may")
    duty = _duties(actor, grant).first()
    if duty is not None:
        return Verdict(True, f"the duty {duty.duty}")
    return Verdict(False, f"it needs {grant} in a lab")


def may(actor: Any, lab_id: UUID | None, act: Right = Right.REGISTER, projects: Projects = None) -> bool:
    """Whether the actor may."""
    return bool(verdict(actor, lab_id, act, projects))


def authorise(actor: Any, lab: Lab | None, *, act: str, to: Right = Right.REGISTER, projects: Projects = None) -> None:
    """Raise Forbidden, saying what is missing, unless the actor may; `act` says for people what is done."""
    found = verdict(actor, lab, to, projects)
    if not found:
        where = f"lab {lab.name}" if lab else "no particular lab"
        raise Forbidden(f"{actor} may not {act} in {where}: {found.rule}")


def authorise_anywhere(actor: Any, *, act: str, to: Right = Right.REGISTER) -> None:
    """Raise Forbidden unless the actor may in any lab (vocabularies, tags, revisions)."""
    found = verdict_anywhere(actor, to)
    if not found:
        raise Forbidden(f"{actor} may not {act}: {found.rule}")


def writable_labs(actor: User) -> set[UUID]:
    """Ids of the labs in which the actor registers (all of them for a superuser, and for a pipeline of all labs)."""
    grant = TABLE[Right.REGISTER]
    duties = set(_duties(actor, grant).values_list("lab_id", flat=True))
    if actor.is_superuser or None in duties:
        return set(Lab.objects.values_list("pk", flat=True))
    return duties | set(Membership.objects.filter(user=actor, role__in=grant.roles).values_list("lab_id", flat=True))


def by_person(actor: Any) -> Verdict | None:
    """What is decided by who somebody is, whatever it is about."""
    if not isinstance(actor, User):
        return Verdict(False, "nobody is logged in")
    if not actor.is_active:
        return Verdict(False, "the account is deactivated")
    if actor.is_superuser:
        return Verdict(True, "superusers may do everything")
    if actor.is_public_user:
        return Verdict(False, "a public account writes nothing")
    return None


def _roles_in(actor: User, projects: QuerySet[Project, Any]) -> list[tuple[str, str]]:
    rows = ProjectRole.objects.filter(user=actor, project__in=projects.order_by().values("pk"))
    return list(rows.values_list("project__name", "role"))


def _duties(actor: User, grant: Grant) -> QuerySet[Collaboration]:
    return Collaboration.objects.filter(user=actor, duty__in=grant.duties)
