"""Who may write across labs: roles in projects, duties in labs; and what a person may read and write, and why (decision 068)."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse

from alyx.core.admin_pages import Page
from alyx.core.admin_shown import link
from alyx.labs import rights
from alyx.labs.explaining import ways
from alyx.labs.holding import held_by, remembered
from alyx.labs.models import Collaboration, Lab, Project, ProjectRole, User
from alyx.labs.permissions import Right


class _GivenInline(admin.TabularInline[Any, Any]):
    """Given and taken by whoever may; everybody sees who has what."""

    autocomplete_fields = ["user"]
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody sees who is there; of what is not made yet, nobody has anything."""
        return obj is not None

    def _gives(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and bool(remembered(request, (type(self), obj.pk), lambda: self.may_give(request, obj)))

    def may_give(self, request: HttpRequest, obj: Any) -> bool:
        """Whether this user gives them here."""
        raise NotImplementedError

    has_add_permission = has_change_permission = has_delete_permission = _gives


class ProjectRoleInline(_GivenInline):
    """Who may write what is in the project, in whatever lab it is."""

    model = ProjectRole
    verbose_name_plural = "who may write its animals and sessions, in whatever lab they are"

    def may_give(self, request: HttpRequest, obj: Project) -> bool:
        """Heads of all its labs."""
        return rights.may_give_roles(request.user, obj)


class CollaborationInline(_GivenInline):
    """Who has a duty in the lab without being a member."""

    model = Collaboration
    verbose_name_plural = "who has a duty here (those with a duty in all labs stand on the page of duties)"

    def may_give(self, request: HttpRequest, obj: Lab) -> bool:
        """Its heads."""
        return rights.may_give_duties(request.user, obj)


class _GivenPage(Page):
    """Given here, taken here, never edited: what was given is on record."""

    actions = ["take"]
    page_actions = {"take": "Take it back"}
    list_select_related = ["user"]

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers, and heads where they may."""
        if obj is None:
            return bool(held_by(request).somewhere(Right.HEAD))
        return bool(remembered(request, (type(self), obj.pk), lambda: self.may_give(request, obj)))

    def may_give(self, request: HttpRequest, obj: Any) -> bool:
        """Whether this user gives this."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is taken back, and another given."""
        return obj is None and super().has_change_permission(request)

    @admin.action(description="Take back", permissions=["act"])
    def take(self, request: HttpRequest, rows: Any) -> None:
        """Take back."""
        self.each(request, rows, lambda row: self.take_one(request, row), "taken back")

    def take_one(self, request: HttpRequest, row: Any) -> None:
        """By the service."""
        raise NotImplementedError


@admin.register(Collaboration)
class CollaborationPage(_GivenPage):
    """Duties that cross labs: histology, QC, pipelines."""

    list_display = ["user", "duty", "where"]
    list_display_links = ["user", "duty"]
    list_select_related = ["user", "lab"]
    list_filter = ["duty", "lab"]
    search_fields = ["user__username", "lab__name"]
    fields = ["user", "duty", "lab"]
    helps = {"duty": "what each may write: docs/permissions.md", "lab": "none: the duty is in all labs"}

    @admin.display(description="lab", ordering="lab__name")
    def where(self, given: Collaboration) -> Any:
        """Where it reaches."""
        return link(given.lab) if given.lab else "all labs"

    def may_give(self, request: HttpRequest, obj: Collaboration) -> bool:
        """Heads of its lab; in all labs superusers."""
        return rights.may_give_duties(request.user, obj.lab)

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Collaboration:
        """By the service."""
        return rights.give_duty(actor=actor, user=said["user"], duty=said["duty"], lab=said["lab"])

    def take_one(self, request: HttpRequest, row: Collaboration) -> None:
        """By the service."""
        rights.take_duty(actor=request.user, given=row)


@admin.register(ProjectRole)
class ProjectRolePage(_GivenPage):
    """Who may write what is in a project."""

    list_display = ["user", "role", "project"]
    list_display_links = ["user", "role"]
    list_select_related = ["user", "project"]
    list_filter = ["role"]
    search_fields = ["user__username", "project__name"]
    fields = ["user", "role", "project"]

    def may_give(self, request: HttpRequest, obj: ProjectRole) -> bool:
        """Heads of all its labs."""
        return rights.may_give_roles(request.user, obj.project)

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> ProjectRole:
        """By the service."""
        return rights.give_role(actor=actor, user=said["user"], project=said["project"], role=said["role"])

    def take_one(self, request: HttpRequest, row: ProjectRole) -> None:
        """By the service."""
        rights.take_role(actor=request.user, given=row)


class RightsShown(Page):
    """The page of a person, with what they may read and write, and why."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With the ways they have."""
        person: User | None = self.get_object(request, unquote(object_id))
        shown = {} if person is None else {"ways": ways(person), "person": person}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})
