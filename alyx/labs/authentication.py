"""How REST clients show who they are: `Authorization: Token <key>`."""

import hmac
import uuid
from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils.timezone import now  # noqa: TID251  (only decides whether to write; the value is the database's)
from rest_framework import authentication, exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from alyx.core.clock import AlyxNow
from alyx.core.prepared import rows_of
from alyx.labs.models import Token, User
from alyx.labs.rigs import heard_from

INVALID = "Invalid token."
"""ONE logs in again when it reads exactly this in a 403."""


@cache
def _live_token() -> tuple[str, list[str], list[str]]:
    """The statement that reads a live token with its user, and the attributes of both in its order."""
    quote = connection.ops.quote_name
    of_token, of_user = (
        [(field.attname, str(field.column)) for field in model._meta.concrete_fields] for model in (Token, User)
    )
    columns = [f"t.{quote(column)}" for _, column in of_token] + [f"u.{quote(column)}" for _, column in of_user]
    sql = (
        f"SELECT {', '.join(columns)} FROM {quote(Token._meta.db_table)} t"  # noqa: S608  (names of ours)
        f" JOIN {quote(User._meta.db_table)} u ON u.id = t.user_id WHERE t.id = %(id)s AND t.revoked_at IS NULL"
    )
    return sql, [name for name, _ in of_token], [name for name, _ in of_user]


def _read_token(pk: uuid.UUID) -> Token | None:
    """The live token with its user. As prepared SQL: it runs with every request, and the ORM needs ten times as long."""
    sql, of_token, of_user = _live_token()
    found = rows_of(sql, {"id": pk})
    if not found:
        return None
    alias, row = connection.alias, found[0]
    token: Token = Token.from_db(alias, of_token, row[: len(of_token)])
    token.user = User.from_db(alias, of_user, row[len(of_token) :])
    return token


def token_of(key: str) -> Token | None:
    """The live token of this key, if it is one of ours."""
    try:
        token = _read_token(uuid.UUID(key[:32]))
    except ValueError:
        return None
    if token is None:
        return None
    return (
        token
        if token.user.is_active and hmac.compare_digest(token.key.encode(), key.encode(errors="replace"))
        else None
    )


class TokenAuthentication(authentication.BaseAuthentication):
    """Token header; a refused token is a 403 (the clients do not know 401)."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """The user of the token, or None when no token was sent. Raises AuthenticationFailed (403)."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in {"token", "bearer"}:
            return None
        token = token_of(key.strip())
        if token is None:
            raise exceptions.AuthenticationFailed(INVALID)
        self._mark_used(token)
        if request.method == "POST":
            heard_from(token.user)
        return token.user, token

    def _mark_used(self, token: Token) -> None:
        # At most one write an hour, and only when it is due: a busy client costs no extra query.
        if token.last_used_at is None or token.last_used_at < now() - timedelta(hours=1):
            Token.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=AlyxNow()), pk=token.pk).update(
                last_used_at=AlyxNow()
            )


class SessionAuthentication(authentication.SessionAuthentication):
    """The admin's login also reads the API; writing by it needs the CSRF token."""


class KnownCaller(BasePermission):
    """Whoever is logged in; a public account only where the view says that it `is_public`, and only reading."""

    message = "a public account reads data tagged public: by the cache tables and the files they name"

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether this caller may ask at all."""
        user: Any = request.user
        if not user.is_authenticated:
            return False
        return not user.is_public_user or (getattr(view, "is_public", False) and request.method in {"GET", "HEAD"})


def schema_scheme() -> dict[str, Any]:
    """For the OpenAPI document."""
    return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token <key>"}
