"""The animal's page."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_shown import badge, counted
from alyx.core.status import Status
from alyx.labs.admin import LabPage, names
from subjects.models import Subject
from subjects.services.subject import change_subject, create_subject, withdraw_subject


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
    search_fields = ["nickname", "=id"]
    search_help_text = "nickname, or the id"
    wire: ClassVar[dict[str, str]] = {"born_on": "birth_date", "died_on": "death_date"}
    actions = ["withdraw"]
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
        sessions: Any = Subject._meta.get_field("sessions").related_model
        shown = counted(sessions.objects.filter(withdrawn_at__isnull=True), "subject")
        annotated: QuerySet[Any] = (
            super().get_queryset(request).filter(withdrawn_at__isnull=True).annotate(n_sessions_=shown)
        )
        return annotated

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """A new animal without a nickname gets its lab's next automatic one."""
        form = super().get_form(request, obj, change=change, **kwargs)
        nickname = form.base_fields.get("nickname")
        if obj is None and nickname is not None:
            nickname.required = False
            nickname.help_text = "empty: the lab's next number"
        return form

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Subject:
        """By the names of lab, people and projects."""
        if "lab" in said:
            said["lab"] = said["lab"].name
        if "responsible_user" in said:
            said["responsible_user"] = said["responsible_user"].username if said["responsible_user"] else ""
        if "projects" in said:
            said["projects"] = names(said["projects"])
        if change:
            return change_subject(actor=actor, subject=row, changes=said)
        return create_subject(actor=actor, values=said)

    @admin.action(description="Withdraw: registered by mistake", permissions=["act"])
    def withdraw(self, request: HttpRequest, subjects: QuerySet[Any]) -> None:
        """Take animals out of every answer; what has sessions stays."""
        self.each(
            request,
            subjects,
            lambda subject: withdraw_subject(actor=request.user, subject=subject),
            "animals withdrawn",
        )

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
