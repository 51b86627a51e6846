"""Repositories."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import badge
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from alyx.labs.models import MANAGING_ROLES
from alyx.labs.permissions import may
from datasets.models import Repository, RepositoryState

STATE_STATUS = {
    RepositoryState.ACTIVE: Status.FINE,
    RepositoryState.BLOCKED: Status.FAILED,
    RepositoryState.FULL: Status.FAILED,
    RepositoryState.QUARANTINED: Status.CRITICAL,
    RepositoryState.RETIRING: Status.WARNING,
    RepositoryState.RETIRED: Status.NEUTRAL,
}


@admin.register(Repository)
class RepositoryPage(LabPage):
    """Places where copies lie. Where it lies is changed by superusers only."""

    writing_roles = MANAGING_ROLES
    list_display = ["name", "standing", "kind", "role", "of_labs", "timezone", "root"]
    list_filter = ["state", "kind", "role", "labs"]
    search_fields = ["name", "root", "globus_endpoint_id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "kind", "role"),
                    "labs",
                    ("root", "data_url"),
                    ("uuid_in_names", "case_sensitive", "failure_domain"),
                ]
            },
        ),
        ("Its night", {"fields": [("timezone", "window_start", "window_end")]}),
        ("State", {"fields": [("state", "state_reason"), "canary"]}),
        (
            "From clients",
            {
                "fields": [("globus_path", "globus_endpoint_id", "hostname"), "repository_type", "json"],
                "classes": ["collapse"],
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With its labs in one query."""
        return super().get_queryset(request).prefetch_related("labs")

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Managers of all its labs."""
        if obj is None or request.user.is_superuser:
            return super().may_write(request)
        labs = list(obj.labs.values_list("pk", flat=True)) if obj.pk else []
        return bool(labs) and all(may(request.user, lab, MANAGING_ROLES) for lab in labs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Rights were checked against the labs it had before."""
        obj.save()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers found repositories: a root is a path on a server."""
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The canary is written by the engine; the root by superusers."""
        return ["canary"] if request.user.is_superuser else ["canary", "root", "kind", "role", "labs"]

    @admin.display(description="state", ordering="state")
    def standing(self, repository: Repository) -> Any:
        """Whether the night may use it."""
        return badge(STATE_STATUS[RepositoryState(repository.state)], repository.state, repository.state_reason)

    @admin.display(description="labs")
    def of_labs(self, repository: Repository) -> str:
        """Names."""
        return ", ".join(lab.name for lab in repository.labs.all()) or "–"
