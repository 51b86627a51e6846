"""Somebody asks that what is missing be brought: it is planned at once, not only when the next night opens."""

import uuid
from collections.abc import Iterable
from typing import Any

from alyx.core.errors import Forbidden
from alyx.labs.models import MANAGING_ROLES, Lab
from transfers.services.planning import Scope, plan_transfers
from transfers.services.reconsidering import wake_waiting


def labs_to_nudge(*, actor: Any) -> list[Lab]:
    """The labs whose data the actor manages, all of them for a superuser. Raises Forbidden when there is none."""
    labs = Lab.objects.order_by("name")
    if not actor.is_superuser:
        labs = labs.filter(pk__in=actor.memberships.filter(role__in=MANAGING_ROLES).values("lab"))
    if not labs:
        raise Forbidden(
            f"{actor} manages the data of no lab: transfers are started by data managers and heads of a lab"
        )
    return list(labs)


def nudge(*, labs: Iterable[uuid.UUID]) -> None:
    """Plan what these labs' servers lack, and let what waits for a later try go now. Repeating is harmless."""
    for lab in Lab.objects.filter(pk__in=list(labs)).order_by("pk"):
        wake_waiting(actor=None, scope=Scope(lab=lab))
        plan_transfers(actor=None, scope=Scope(lab=lab))
