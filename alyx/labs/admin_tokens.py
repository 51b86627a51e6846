"""Tokens of REST clients: issued under a label, rotated, revoked; everybody their own, superusers all."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import Page
from alyx.core.admin_shown import ago
from alyx.core.errors import Conflict
from alyx.labs.models import Token
from alyx.labs.tokens import issue_token, revoke_token, rotate_token


@admin.register(Token)
class TokenAdmin(Page):
    """Credentials of REST clients. A key is shown once: when it is made."""

    list_display = ["user", "label", "made", "used", "live"]
    list_display_links = ["user", "label"]
    list_select_related = ["user"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["user__username", "label"]
    superusers_see = frozenset({"nonce"})
    readonly_fields = ["made", "used", "live"]
    actions = ["rotate", "revoke"]
    page_actions: ClassVar[dict[str, str]] = {"rotate": "New key: the old one is refused", "revoke": "Revoke"}

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """One's own; superusers everybody's."""
        return bool(obj is None or obj.user_id == request.user.pk or request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A token is made, rotated or revoked, never edited."""
        return obj is None and super().has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Whose it is, superusers say."""
        if obj is None:
            return ["user", "label"] if request.user.is_superuser else ["label"]
        return ["user", "label", "made", "used", "live"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Mine, under a label that says where it is used."""
        return {"user": request.user.pk, "label": "", **super().get_changeform_initial_data(request)}

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Token:
        """A new one, by the service. Raises Conflict when there is one of this label, whose key is known to somebody."""
        user, label = said.get("user", actor), said["label"]
        if Token.objects.filter(user=user, label=label, revoked_at__isnull=True).exists():
            text = f"{user} has a token {label!r}: give this one another label, or rotate that one"
            raise Conflict(text, fields={"label": text})
        return issue_token(actor=actor, user=user, label=label)

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """Show the key of a new token."""
        super().save_model(request, obj, form, change)
        self._show_key(request, obj)

    def _show_key(self, request: HttpRequest, token: Token) -> None:
        self.message_user(request, f"The key of {token}: {token.key} — it is not shown again.", messages.WARNING)

    def buttons(self, request: HttpRequest, obj: Any) -> Any:
        """Of a live one."""
        return super().buttons(request, obj) if obj.revoked_at is None else {}

    @admin.action(description="New keys: the old ones are refused from now on", permissions=["act"])
    def rotate(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """Give new keys, shown once."""
        self.each(
            request,
            tokens,
            lambda token: self._show_key(request, rotate_token(actor=request.user, token=token)),
            "tokens have a new key",
        )

    @admin.action(description="Revoke: clients with this token must log in again", permissions=["act"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """Revoke."""
        live = tokens.filter(revoked_at__isnull=True).select_related("user")
        self.each(request, live, lambda token: revoke_token(actor=request.user, token=token), "tokens revoked")

    @admin.display(description="made", ordering="created_at")
    def made(self, token: Token) -> Any:
        """When."""
        return ago(token.created_at)

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, token: Token) -> Any:
        """When a client last came with it (to the hour)."""
        return ago(token.last_used_at) if token.last_used_at else "never"

    @admin.display(description="state")
    def live(self, token: Token) -> Any:
        """Not revoked."""
        return "in use" if token.revoked_at is None else f"revoked {token.revoked_at:%Y-%m-%d}"
