"""The session's page: what was recorded, and its files."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from alyx.core.admin_shown import ago, badge, counted, link
from alyx.core.qc import QC
from alyx.core.status import Status
from alyx.labs.admin import LabPage, names
from alyx.labs.permissions import Projects, Right
from sessions.models import Session
from sessions.permissions import GRADES, projects_of
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

    by_projects = True
    partly: ClassVar[dict[Right, set[str]]] = {Right.JUDGE: GRADES}
    list_display = ["path", "lab", "by", "task_protocol", "files", "standing"]
    list_select_related = ["subject", "lab"]
    list_filter = ["lab", "qc", "projects", "path_date"]
    search_fields = ["subject__nickname", "task_protocol", "=id"]
    search_help_text = "animal, task protocol or session id"
    change_form_template = "admin/session_page.html"
    readonly_fields = ["path", "subject_link", "lab", "started", "ended", "registered"]
    labels: ClassVar[dict[str, str]] = {
        "qc": "QC",
        "extended_qc": "Extended QC",
        "n_trials": "Trials",
        "n_correct_trials": "Correct trials",
    }
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("path", "subject_link", "lab"),
                    ("started", "ended", "registered"),
                    ("location", "task_protocol", "type"),
                ]
            },
        ),
        ("People and projects", {"fields": ["users", "projects", "procedures"]}),
        ("Outcome", {"fields": [("qc", "n_trials", "n_correct_trials"), "narrative"]}),
        ("From clients", {"fields": ["json", "extended_qc"], "classes": ["collapse"]}),
    ]

    def projects_of(self, obj: Session) -> Projects:
        """Of the session and its animal."""
        return projects_of(obj)

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
        files: Any = Session._meta.get_field("datasets").related_model
        shown = counted(files.objects.filter(withdrawn_at__isnull=True), "session")
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

    @admin.display(description="started")
    def started(self, session: Session) -> str:
        """The lab's wall clock, with its zone."""
        return f"{session.started_wall:%Y-%m-%d %H:%M:%S} {session.zone}"

    @admin.display(description="ended")
    def ended(self, session: Session) -> str:
        """The lab's wall clock, with its zone."""
        return f"{session.ended_wall:%Y-%m-%d %H:%M:%S} {session.zone}" if session.ended_wall else "–"

    @admin.display(description="registered")
    def registered(self, session: Session) -> Any:
        """When and by whom."""
        return format_html("{} by {}", ago(session.created_at), session.registered_by or "–")

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
            request,
            object_id,
            form_url,
            {**(extra_context or {}), "files": self._files(self.get_object(request, unquote(object_id)))},
        )

    def _files(self, session: Session | None) -> list[dict[str, Any]]:
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
