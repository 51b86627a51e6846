"""Repositories."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_shown import badge
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from alyx.labs.holding import held_by
from alyx.labs.permissions import Right
from datasets.models import Repository, RepositoryState
from datasets.services.repositories import change_repository, create_repository

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

    right = Right.MANAGE
    list_display = ["name", "standing", "kind", "role", "of_labs", "timezone", "root"]
    labels: ClassVar[dict[str, str]] = {
        "data_url": "Data URL",
        "uuid_in_names": "UUID in names",
        "timezone": "Time zone",
        "json": "JSON",
    }
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
                    ("endpoint", "region", "credential"),
                    ("uuid_in_names", "case_sensitive", "failure_domain"),
                ]
            },
        ),
        ("Its night", {"fields": [("timezone", "window_start", "window_end"), "bandwidth"]}),
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
        held = held_by(request)
        labs = list(obj.labs.all()) if obj is not None and obj.created_at is not None else []
        if not labs:
            return bool(held.somewhere(self.right))
        return all(held.verdict(lab, self.right) for lab in labs)

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Repository:
        """The labs of a changed one are set with the form: they are the superusers'."""
        if change:
            said.pop("labs", None)
            return change_repository(actor=actor, repository=row, changes=said)
        said["uuid_in_names"] = said.get("uuid_in_names") or None  # unticked: as its role has it
        return create_repository(actor=actor, **said)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers found repositories: a root is a path on a server."""
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The canary is written by the engine; the root by superusers."""
        fixed = ["canary", "name"] if obj else ["canary"]
        if request.user.is_superuser:
            return fixed
        return [
            *fixed,
            "root",
            "endpoint",
            "region",
            "credential",
            "kind",
            "role",
            "labs",
            "uuid_in_names",
            "case_sensitive",
        ]

    @admin.display(description="state", ordering="state")
    def standing(self, repository: Repository) -> Any:
        """Whether the night may use it."""
        return badge(STATE_STATUS[RepositoryState(repository.state)], repository.state, repository.state_reason)

    @admin.display(description="labs")
    def of_labs(self, repository: Repository) -> str:
        """Names."""
        return ", ".join(lab.name for lab in repository.labs.all()) or "–"
