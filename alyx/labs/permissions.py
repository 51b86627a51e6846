"""Who may do what in which lab. One place for REST, admin, commands and jobs.

Reading is open to every logged-in user; writing needs a role in the lab concerned.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from alyx.core.errors import Forbidden
from alyx.labs.models import MANAGING_ROLES, WRITING_ROLES, Lab, Membership, Role, User

__all__ = ["MANAGING_ROLES", "WRITING_ROLES", "Role", "authorise", "authorise_anywhere", "may", "writable_labs"]


def may(actor: Any, lab_id: UUID | None, roles: Collection[str] = WRITING_ROLES) -> bool:
    """Whether the actor has one of `roles` in the lab (`None`: a thing of no lab, which managers of any lab may touch)."""
    if not isinstance(actor, User) or not actor.is_active:
        return False
    if actor.is_superuser:
        return True
    memberships = Membership.objects.filter(user=actor, role__in=roles)
    return (
        memberships.filter(lab_id=lab_id).exists() if lab_id else memberships.filter(role__in=MANAGING_ROLES).exists()
    )


def authorise(actor: Any, lab: Lab | None, *, act: str, roles: Collection[str] = WRITING_ROLES) -> None:
    """Raise Forbidden, saying what is missing, unless the actor may do `act` in the lab."""
    if not may(actor, lab.pk if lab else None, roles):
        where = f"lab {lab.name}" if lab else "no particular lab"
        raise Forbidden(
            f"{actor} may not {act} in {where}: it needs the role {' or '.join(sorted(str(role) for role in roles))} there"
        )


def authorise_anywhere(actor: Any, *, act: str, roles: Collection[str] = WRITING_ROLES) -> None:
    """Raise Forbidden unless the actor has one of `roles` in any lab (vocabularies, tags, revisions)."""
    member = isinstance(actor, User) and actor.is_active
    if member and (actor.is_superuser or Membership.objects.filter(user=actor, role__in=roles).exists()):
        return
    raise Forbidden(
        f"{actor} may not {act}: it needs the role {' or '.join(sorted(str(role) for role in roles))} in a lab"
    )


def writable_labs(actor: User) -> set[UUID]:
    """Ids of the labs in which the actor may write (all of them for a superuser)."""
    if actor.is_superuser:
        return set(Lab.objects.values_list("pk", flat=True))
    return set(Membership.objects.filter(user=actor, role__in=WRITING_ROLES).values_list("lab_id", flat=True))
