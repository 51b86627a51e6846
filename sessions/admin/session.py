"""The session's page: what was recorded, and its files."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from alyx.core.admin_shown import badge, link
from alyx.core.qc import QC
from alyx.core.status import Status
from alyx.labs.admin import LabPage, names
from sessions.models import Session
from sessions.services.session import change_session

QC_STATUS = {
    QC.NOT_SET: Status.NEUTRAL,
    QC.PASS: Status.FINE,
    QC.WARNING: Status.WARNING,
    QC.FAIL: Status.FAILED,
    QC.CRITICAL: Status.CRITICAL,
}


@admin.register(Session)
class SessionPage(LabPage):
    """Recordings. Subject, date and number name the folder on disk and stay as registered."""

    list_display = ["path", "lab", "by", "task_protocol", "files", "standing"]
    list_select_related = ["subject", "lab"]
    list_filter = ["lab", "qc", "projects", "path_date"]
    search_fields = ["subject__nickname", "task_protocol", "=id"]
    search_help_text = "animal, task protocol or session id"
    change_form_template = "admin/session_page.html"
    readonly_fields = ["path", "subject_link", "lab", "zone", "started_wall", "ended_wall", "registered_by"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("path", "subject_link", "lab"),
                    ("started_wall", "ended_wall", "zone"),
                    ("location", "task_protocol", "type"),
                ]
            },
        ),
        ("People and projects", {"fields": ["users", "projects", "procedures"]}),
        ("Outcome", {"fields": [("qc", "n_trials", "n_correct_trials"), "narrative"]}),
        ("From clients", {"fields": ["json", "extended_qc"], "classes": ["collapse"]}),
    ]

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Session:
        """By the names of people, projects, procedures and the rig."""
        if "location" in said:
            said["location"] = said["location"].name if said["location"] else None
        for field, column in (("users", "username"), ("projects", "name"), ("procedures", "name")):
            if field in said:
                said[field] = names(said[field], column)
        return change_session(actor=actor, session=row, changes=said)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rigs register sessions."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn, with the number of their files and their people."""
        shown = Count("datasets", filter=Q(datasets__withdrawn_at__isnull=True))
        rows = super().get_queryset(request).filter(withdrawn_at__isnull=True)
        annotated: QuerySet[Any] = rows.annotate(n_files=shown).prefetch_related("users")
        return annotated

    @admin.display(description="session", ordering="-started_wall")
    def path(self, session: Session) -> str:
        """subject/date/number."""
        return str(session)

    @admin.display(description="subject")
    def subject_link(self, session: Session) -> Any:
        """To the animal."""
        return link(session.subject)

    @admin.display(description="recorded by")
    def by(self, session: Session) -> str:
        """Its users."""
        return ", ".join(user.username for user in session.users.all()) or "–"

    @admin.display(ordering="n_files")
    def files(self, session: Any) -> int:
        """How many files are registered."""
        return int(session.n_files)

    @admin.display(description="QC", ordering="qc")
    def standing(self, session: Session) -> Any:
        """Its QC."""
        return badge(QC_STATUS[QC(session.qc)], session.get_qc_display())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """With the table of its files, read through the reverse relation: the files belong to the app above."""
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "files": self._files(object_id)}
        )

    def _files(self, session_id: str) -> list[dict[str, Any]]:
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            return []
        files = session.datasets.filter(withdrawn_at__isnull=True).select_related("revision", "dataset_type")
        files = files.prefetch_related("file_records__repository").order_by("collection", "name", "revision__name")
        return [
            {
                "file": file,
                "copies": [
                    {"badge": badge(copy.standing, copy.state), "place": copy.repository.name}
                    for copy in file.file_records.all()
                    if copy.is_shown
                ],
            }
            for file in files
        ]
