"""Giving out, taking back and renewing the credentials of REST clients."""

import uuid
from typing import Any

from django.db import transaction

from alyx.core.changes import locked
from alyx.core.clock import AlyxNow
from alyx.core.errors import Conflict, Forbidden
from alyx.labs.models import Token, User

LOGIN = "login"
"""The label of the token that `POST /auth-token` gives."""


def _authorise(actor: Any, user: User) -> None:
    if actor != user and not getattr(actor, "is_superuser", False):
        raise Forbidden(f"{actor} may not touch the tokens of {user}: they are their owner's and the superusers'")


@transaction.atomic
def issue_token(*, actor: Any, user: User, label: str = LOGIN) -> Token:
    """The live token of this label, made when there is none. Raises Forbidden, also for a deactivated user."""
    _authorise(actor, user)
    if not user.is_active:
        raise Forbidden(f"{user} is deactivated")
    token, _ = Token.objects.get_or_create(user=user, label=label, revoked_at=None)
    return token


@transaction.atomic
def revoke_token(*, actor: Any, token: Token) -> None:
    """The token opens nothing any more; doing it twice is doing it once. Raises Forbidden."""
    _authorise(actor, token.user)
    Token.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=AlyxNow())


@transaction.atomic
def rotate_token(*, actor: Any, token: Token) -> Token:
    """The same token with a new key; the old key is refused from now on. Raises Forbidden, Conflict when it was revoked."""
    token = locked(Token.objects.select_related("user"), token.pk)
    _authorise(actor, token.user)
    if token.revoked_at is not None:
        raise Conflict(f"the token {token} is revoked; issue a new one")
    token.nonce = uuid.uuid4()
    token.save(update_fields=["nonce"])
    return token
