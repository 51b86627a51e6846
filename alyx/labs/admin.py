"""People, labs, memberships, locations, projects, tokens."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import Page
from alyx.core.admin_shown import ago, counted
from alyx.core.errors import Forbidden
from alyx.core.reading import readable
from alyx.labs import admin_notices, inbox, services
from alyx.labs.admin_login import BoundedLogin
from alyx.labs.admin_rights import CollaborationInline, ProjectRoleInline, RightsShown
from alyx.labs.holding import held_by, remembered
from alyx.labs.models import Lab, Location, Membership, Project, User
from alyx.labs.permissions import Projects, Right, may

admin.site.unregister(Group)
admin.site.login_form = BoundedLogin
admin.site.site_header = "Lab notebook"
admin.site.site_title = "Notebook"
admin.site.index_title = "Today"
admin.site.enable_nav_sidebar = False
admin.site.site_url = None


def roles_of(request: HttpRequest) -> Mapping[UUID, str] | None:
    """The user's role in each of their labs; None: a superuser, who may do everything."""
    return None if request.user.is_superuser else held_by(request).roles


def names(rows: Iterable[Any], column: str = "name") -> list[str]:
    """The services' words for these rows."""
    return [getattr(row, column) for row in rows]


class LabPage(Page):
    """A page whose rows belong to a lab; `lab_path` leads from the row to it (`session.lab`; empty: to all labs).

    It shows buttons and forms to whom its services would let: by a right in the row's lab, by what is held in the row's
    projects (`projects_of`), by a duty.
    """

    lab_path = "lab"
    right: ClassVar[Right] = Right.REGISTER
    without_lab: ClassVar[Right] = Right.MANAGE
    """What a row of no lab needs, in any lab."""
    by_projects: ClassVar[bool] = False
    """Whether a role in a project counts: `projects_of` says which."""
    partly: ClassVar[Mapping[Right, Collection[str]]] = {}
    """Other rights that are enough to change some fields."""

    def lab_of(self, obj: Any) -> Lab | None:
        """The lab of a row."""
        for step in self.lab_path.split("."):
            obj = getattr(obj, step, None)
        return obj if isinstance(obj, Lab) else None

    def projects_of(self, obj: Any) -> Projects:
        """The projects of a row whose people have a say in it."""
        return None

    def has_right(self, request: HttpRequest, right: Right, obj: Any = None) -> bool:
        """To do this to the row (or, when none is given, to some row); asked for once per page."""
        held = held_by(request)
        if obj is None or not self.lab_path:
            return bool(held.somewhere(right, of_projects=self.by_projects or not self.lab_path))
        lab = self.lab_of(obj)
        if lab is None:
            return bool(held.somewhere(self.without_lab))
        key = (right, lab.pk, obj.pk)
        return bool(remembered(request, key, lambda: held.verdict(lab, right, self.projects_of(obj))))

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whole or in part."""
        return any(self.has_right(request, right, obj) for right in (self.right, *self.partly))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may change some fields only sees the others."""
        fixed = super().get_readonly_fields(request, obj)
        if obj is None or not self.partly or self.has_right(request, self.right, obj):
            return fixed
        open_ = {
            name for right, fields in self.partly.items() if self.has_right(request, right, obj) for name in fields
        }
        return [*fixed, *(name for name in flatten_fieldsets(self.fieldsets or ()) if name not in {*open_, *fixed})]

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> QuerySet[Any]:
        """What can be chosen: what this user reads, and what the row says already."""
        rows = super().get_field_queryset(db, db_field, request)
        rows = db_field.remote_field.model._default_manager.all() if rows is None else rows
        match = request.resolver_match
        key = match.kwargs.get("object_id") if match else None
        said = self.model._base_manager.filter(pk=unquote(key)).values(db_field.name) if key else []
        return readable(request.user, rows) | rows.filter(pk__in=said)

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
        return (obj is not None and may(request.user, obj.pk, Right.HEAD)) or bool(request.user.is_superuser)

    has_add_permission = has_change_permission = has_delete_permission = _heads


@admin.register(Lab)
class LabAdmin(LabPage):
    """Labs and their people."""

    right = Right.HEAD
    list_display = ["name", "institution", "timezone", "people", "animals"]
    search_fields = ["name", "institution"]
    inlines = [MembershipInline, CollaborationInline]
    fieldsets = [
        (None, {"fields": ["name", "institution", "address", "timezone"]}),
        ("Welfare", {"fields": ["reference_weight_pct", "zscore_weight_pct"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def lab_of(self, obj: Any) -> Lab | None:
        """Itself."""
        return obj if isinstance(obj, Lab) else None

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
class UserPage(RightsShown, Page, UserAdmin[User]):
    """People and service accounts. Superusers only: who may log in is not a lab's affair."""

    change_form_template = "admin/user_page.html"
    form: Any = UserChangeForm

    list_display = ["username", "first_name", "last_name", "in_labs", "is_staff", "is_active", "seen"]
    list_filter = ["is_active", "is_staff", "labs"]
    search_fields = ["username", "first_name", "last_name"]
    superusers_see = frozenset({"email"})
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

    def get_search_fields(self, request: HttpRequest) -> Any:
        """By the address too, for those who may see it."""
        return [*self.search_fields, *(["email"] if request.user.is_superuser else [])]

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

    without_lab = Right.REGISTER
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
    """Projects, and who may write what is in them."""

    lab_path = ""
    list_display = ["name", "description"]
    search_fields = ["name", "description"]
    inlines = [ProjectRoleInline]

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Project:
        """By name of its people."""
        if "users" in said:
            said["users"] = names(said["users"], "username")
        if change:
            return services.change_project(actor=actor, project=row, changes=said)
        return services.create_project(actor=actor, values=said)


__all__ = ["LabPage", "admin_notices", "inbox", "names", "roles_of"]

from alyx.labs import admin_policy, admin_rigs, admin_tokens  # noqa: E402, F401  (their pages are built on LabPage)
