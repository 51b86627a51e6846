"""People, labs, memberships, locations, projects, tokens."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import Page
from alyx.core.admin_shown import ago, counted
from alyx.core.errors import Forbidden
from alyx.labs import inbox, services
from alyx.labs.admin_login import BoundedLogin
from alyx.labs.models import MANAGING_ROLES, WRITING_ROLES, Lab, Location, Membership, Project, Role, Token, User
from alyx.labs.permissions import may
from alyx.labs.tokens import revoke_token

admin.site.unregister(Group)
admin.site.login_form = BoundedLogin
admin.site.site_header = "Lab notebook"
admin.site.site_title = "Notebook"
admin.site.index_title = "Today"
admin.site.enable_nav_sidebar = False
admin.site.site_url = None


def roles_of(request: HttpRequest) -> dict[UUID, str] | None:
    """The user's role in each of their labs, asked for once per request; None: a superuser, who may do everything."""
    user: Any = request.user
    if user.is_superuser:
        return None
    known: dict[UUID, str] | None = getattr(request, "roles_in_labs", None)
    if known is None:
        known = dict(Membership.objects.filter(user=user).values_list("lab_id", "role"))
        setattr(request, "roles_in_labs", known)  # noqa: B010  (mypy: a request has no such attribute)
    return known


def names(rows: Iterable[Any], column: str = "name") -> list[str]:
    """The services' words for these rows."""
    return [getattr(row, column) for row in rows]


class LabPage(Page):
    """A page whose rows belong to a lab; `lab_path` leads from the row to it (`session.lab`). Members write by their role."""

    lab_path = "lab"
    writing_roles: tuple[Role, ...] = WRITING_ROLES

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """By the roles of the lab concerned; asked for once per page."""
        roles = roles_of(request)
        if roles is None:
            return True
        if obj is None or not self.lab_path:
            return any(role in self.writing_roles for role in roles.values())
        lab = obj
        for step in self.lab_path.split("."):
            lab = getattr(lab, step, None)
        if not isinstance(lab, Lab):
            return any(role in MANAGING_ROLES for role in roles.values())
        return roles.get(lab.pk) in self.writing_roles

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

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """The head of this lab."""
        roles = roles_of(request)
        if roles is None or obj is None:
            return super().may_write(request)
        return roles.get(obj.pk) in self.writing_roles

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers found labs."""
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A lab keeps its name: it is part of the paths of its data."""
        return ["name"] if obj else []

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Lab:
        """Its columns; members are the inline's."""
        if change:
            return services.change_lab(actor=actor, lab=row, changes=said)
        return services.create_lab(actor=actor, values=said)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With its counts."""
        animals: Any = Lab._meta.get_field("subjects").related_model
        rows: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(
                n_people=counted(Membership.objects.all(), "lab"),
                n_animals=counted(animals.objects.filter(withdrawn_at__isnull=True), "lab"),
            )
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
class UserPage(Page, UserAdmin[User]):
    """People and service accounts. Superusers only: who may log in is not a lab's affair."""

    form: Any = UserChangeForm

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

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Colleagues see who somebody is, not their address nor how they log in."""
        if request.user.is_superuser:
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": ["username", "first_name", "last_name", "in_labs", "is_active"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What is worked out, and what services set."""
        return ["in_labs", "last_login", "date_joined"]


@admin.register(Location)
class LocationAdmin(LabPage):
    """Rigs and rooms."""

    list_display = ["name", "lab"]
    list_select_related = ["lab"]
    list_filter = ["lab"]
    search_fields = ["name"]

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Location | None:
        """A change is the service's; a new one is a plain row."""
        if not change:
            return None
        if "lab" in said:
            said["lab"] = said["lab"].name if said["lab"] else None
        return services.change_location(actor=actor, location=row, changes=said)


@admin.register(Project)
class ProjectAdmin(LabPage):
    """Projects."""

    lab_path = ""
    list_display = ["name", "description"]
    search_fields = ["name", "description"]

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Project:
        """By name of its people."""
        if "users" in said:
            said["users"] = names(said["users"], "username")
        if change:
            return services.change_project(actor=actor, project=row, changes=said)
        return services.create_project(actor=actor, values=said)


@admin.register(Token)
class TokenAdmin(Page):
    """Credentials of REST clients. A new one's key is shown once."""

    list_display = ["user", "label", "used", "live"]
    list_select_related = ["user"]
    list_filter = ["revoked_at"]
    search_fields = ["user__username", "label"]
    fields = ["user", "label"]
    actions = ["revoke"]
    page_actions: ClassVar[dict[str, str]] = {"revoke": "Revoke"}

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

    @admin.action(description="Revoke: clients with this token must log in again", permissions=["act"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """Revoke."""
        live = tokens.filter(revoked_at__isnull=True).select_related("user")
        self.each(request, live, lambda token: revoke_token(actor=request.user, token=token), "tokens revoked")


__all__ = ["MANAGING_ROLES", "LabPage", "inbox", "names", "roles_of"]
