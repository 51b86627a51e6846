"""The animal's page."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import badge
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from subjects.models import Subject


class AliveFilter(admin.SimpleListFilter):
    """Alive or dead."""

    title = "alive"
    parameter_name = "alive"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Two answers."""
        return [("yes", "alive"), ("no", "dead")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        return {"yes": queryset.filter(died_on__isnull=True), "no": queryset.filter(died_on__isnull=False)}.get(
            self.value() or "", queryset
        )


@admin.register(Subject)
class SubjectPage(LabPage):
    """Animals."""

    list_display = ["nickname", "lab", "standing", "sex", "born_on", "responsible_user", "n_sessions"]
    list_select_related = ["lab", "responsible_user"]
    list_filter = [AliveFilter, "sex", "lab"]
    search_fields = ["nickname"]
    fieldsets = [
        (
            None,
            {"fields": [("nickname", "lab"), ("sex", "born_on", "died_on"), ("responsible_user", "protocol_number")]},
        ),
        ("About", {"fields": ["projects", "description"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn, with the number of their sessions."""
        shown = Count("sessions", filter=Q(sessions__withdrawn_at__isnull=True))
        annotated: QuerySet[Any] = (
            super().get_queryset(request).filter(withdrawn_at__isnull=True).annotate(n_sessions_=shown)
        )
        return annotated

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new animal is mine, in my lab."""
        user: Any = request.user
        lab = user.labs.first()
        return {"responsible_user": user.pk, **({"lab": lab.pk} if lab else {})}

    @admin.display(description="state")
    def standing(self, subject: Subject) -> Any:
        """Alive or dead."""
        if subject.died_on:
            return badge(Status.NEUTRAL, f"died {subject.died_on}")
        return badge(Status.FINE, "alive")

    @admin.display(description="sessions", ordering="n_sessions_")
    def n_sessions(self, subject: Any) -> int:
        """How many sessions it has."""
        return int(subject.n_sessions_)
