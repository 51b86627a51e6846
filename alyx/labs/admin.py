"""People, labs, memberships, locations, projects, tokens."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import Page, ago
from alyx.core.clock import AlyxNow
from alyx.core.errors import Forbidden
from alyx.labs.models import MANAGING_ROLES, WRITING_ROLES, Lab, Location, Membership, Project, Role, Token, User
from alyx.labs.permissions import may

admin.site.unregister(Group)
admin.site.site_header = "Lab notebook and data registry"
admin.site.site_title = "Notebook"
admin.site.index_title = "What is there"
admin.site.enable_nav_sidebar = False
admin.site.site_url = None


class LabPage(Page):
    """A page whose rows belong to a lab; `lab_path` leads from the row to it (`session.lab`). Members write by their role."""

    lab_path = "lab"
    writing_roles: tuple[Role, ...] = WRITING_ROLES

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """By the roles of the lab concerned."""
        if obj is None:
            user: Any = request.user
            return bool(user.is_superuser) or Membership.objects.filter(user=user, role__in=self.writing_roles).exists()
        lab = obj
        for step in self.lab_path.split(".") if self.lab_path else []:
            lab = getattr(lab, step, None)
        return may(request.user, lab.pk if isinstance(lab, Lab) else None, self.writing_roles)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A row is not moved into a lab where the user has no say."""
        if not self.may_write(request, obj):
            raise Forbidden(f"{request.user} may not write into that lab")
        super().save_model(request, obj, form, change)


class MembershipInline(admin.TabularInline[Membership, Lab]):
    """The people of a lab."""

    model = Membership
    autocomplete_fields = ["user"]
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody sees who is there."""
        return True

    def _heads(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is not None and may(request.user, obj.pk, (Role.HEAD,))) or bool(request.user.is_superuser)

    has_add_permission = has_change_permission = has_delete_permission = _heads


@admin.register(Lab)
class LabAdmin(LabPage):
    """Labs and their people."""

    lab_path = ""
    writing_roles = (Role.HEAD,)
    list_display = ["name", "institution", "timezone", "people", "animals"]
    search_fields = ["name", "institution"]
    inlines = [MembershipInline]
    fieldsets = [
        (None, {"fields": ["name", "institution", "address", "timezone"]}),
        ("Welfare", {"fields": ["reference_weight_pct", "zscore_weight_pct"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers found labs."""
        return bool(request.user.is_superuser)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With its counts."""
        rows: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(n_people=Count("memberships", distinct=True), n_animals=Count("subjects", distinct=True))
        )
        return rows

    @admin.display(ordering="n_people")
    def people(self, lab: Any) -> int:
        """How many members."""
        return int(lab.n_people)

    @admin.display(ordering="n_animals")
    def animals(self, lab: Any) -> int:
        """How many animals."""
        return int(lab.n_animals)


@admin.register(User)
class UserPage(UserAdmin[User]):
    """People and service accounts. Superusers only: who may log in is not a lab's affair."""

    list_display = ["username", "first_name", "last_name", "in_labs", "is_staff", "is_active", "seen"]
    list_filter = ["is_active", "is_staff", "labs"]
    search_fields = ["username", "first_name", "last_name", "email"]
    filter_horizontal = ()
    autocomplete_fields = ["allowed_users"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "is_stock_manager", "allowed_users"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With the labs in one query."""
        return super().get_queryset(request).prefetch_related("labs")

    @admin.display(description="labs")
    def in_labs(self, user: User) -> str:
        """Names of their labs."""
        return ", ".join(lab.name for lab in user.labs.all()) or "–"

    @admin.display(description="last login", ordering="last_login")
    def seen(self, user: User) -> Any:
        """When they last came in by the browser."""
        return ago(user.last_login)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """People are deactivated: their records keep their name."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff may look people up (autocomplete needs it)."""
        return bool(request.user.is_staff)


@admin.register(Location)
class LocationAdmin(LabPage):
    """Rigs and rooms."""

    list_display = ["name", "lab"]
    list_select_related = ["lab"]
    list_filter = ["lab"]
    search_fields = ["name"]


@admin.register(Project)
class ProjectAdmin(LabPage):
    """Projects."""

    lab_path = ""
    list_display = ["name", "description"]
    search_fields = ["name", "description"]

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Anybody who writes anywhere."""
        return super().may_write(request)


@admin.register(Token)
class TokenAdmin(Page):
    """Credentials of REST clients. A new one's key is shown once."""

    list_display = ["user", "label", "used", "live"]
    list_select_related = ["user"]
    list_filter = ["revoked_at"]
    search_fields = ["user__username", "label"]
    fields = ["user", "label"]
    actions = ["revoke"]

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """Show the key of a new token."""
        super().save_model(request, obj, form, change)
        if not change:
            self.message_user(request, f"The key of {obj}: {obj.key} — it is not shown again.", messages.WARNING)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A token is made or revoked, never edited."""
        return obj is None and super().has_change_permission(request)

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, token: Token) -> Any:
        """When a client last came with it (to the hour)."""
        return ago(token.last_used_at)

    @admin.display(boolean=True)
    def live(self, token: Token) -> bool:
        """Not revoked."""
        return token.revoked_at is None

    @admin.action(description="Revoke: clients with this token must log in again")
    def revoke(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """Revoke."""
        count = tokens.filter(revoked_at__isnull=True).update(revoked_at=AlyxNow())
        self.message_user(request, f"{count} tokens revoked", messages.SUCCESS)


__all__ = ["MANAGING_ROLES", "LabPage"]
