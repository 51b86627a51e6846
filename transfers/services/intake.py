"""A lab's intake policy: who may set it, and in whose name files are registered."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.labs.models import Lab, Membership, Role, User
from alyx.labs.permissions import Right, authorise, may
from transfers.models import IntakePolicy

LONGEST_QUIET_MINUTES = 7 * 24 * 60


@transaction.atomic
def set_intake(*, actor: Any, lab: Lab, values: Mapping[str, Any]) -> IntakePolicy:
    """Make or change the intake policy of a lab; what is not said stays.

    `values`: columns of IntakePolicy. Raises Forbidden (only who manages the lab's data may), Invalid.
    """
    lab = locked(Lab.objects.all(), lab.pk)
    authorise(actor, lab, act="say how found files are taken in", to=Right.MANAGE)
    policy = IntakePolicy.objects.filter(lab=lab).first()
    account = values.get("account") or (policy.account if policy else None)
    if account is None:
        raise Invalid.of("account", "say in whose name found files are registered: a service account of the lab")
    _check_account(actor, lab, account, kept=policy is not None and policy.account_id == account.pk)
    _check(values)
    if policy is None:
        return IntakePolicy.objects.create(lab=lab, **{**values, "account": account})
    store(policy, dict(values))
    return policy


def _check_account(actor: Any, lab: Lab, account: User, *, kept: bool) -> None:
    """Nobody lends another person's name."""
    if not may(account, lab.pk, Right.REGISTER):
        raise Invalid.of("account", f"{account} may not register files in lab {lab.name}")
    service = Membership.objects.filter(user=account, lab=lab, role=Role.RIG).exists()
    if not (kept or service or account.pk == getattr(actor, "pk", None)):
        raise Invalid.of("account", f"{account} is a person; name a service account of the lab (role rig), or yourself")


def _check(values: Mapping[str, Any]) -> None:
    minutes = values.get("quiet_minutes")
    if minutes is not None and not 0 <= minutes <= LONGEST_QUIET_MINUTES:
        raise Invalid.of("quiet_minutes", f"between 0 and {LONGEST_QUIET_MINUTES} (a week)")
    flag = values.get("flag_name") or ""
    if "/" in flag or "\\" in flag or flag in {".", ".."}:
        raise Invalid.of("flag_name", "the name of a file in the session's folder, without a folder")
