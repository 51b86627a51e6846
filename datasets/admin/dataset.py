"""The dataset's page: every copy with its state, evidence and last proof."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import ago, link, megabytes, page_now
from alyx.core.errors import Invalid
from alyx.labs.admin import LabPage
from alyx.labs.models import Lab
from alyx.labs.permissions import Projects, Right
from datasets.admin.copies import copies_sentence, shown_copy, standing_badge
from datasets.models import Dataset, FileRecord
from datasets.permissions import lab_of, projects_of, projects_of_owner
from datasets.rules.copies import HIDDEN
from datasets.services.looks import ask_for_looks


@admin.register(Dataset)
class DatasetPage(LabPage, ReadOnlyPage):
    """Datasets and where their copies are."""

    by_projects = True
    without_lab = Right.REGISTER
    list_display = ["path", "session_link", "dataset_type", "size", "content_version", "standing", "registered"]
    list_filter = ["session__lab", "hash_state", "tags", "data_format"]
    search_fields = ["=id", "=md5", "=sha256", "name__startswith", "=session__id"]
    search_help_text = "dataset id, digest, session id, or the beginning of a file name"
    change_form_template = "admin/dataset_page.html"
    actions = ["verify"]
    page_actions: ClassVar[dict[str, str]] = {"verify": "Verify all copies now"}
    readonly_fields = [
        "path",
        "session_link",
        "dataset_type",
        "data_format",
        "revision",
        "size",
        "md5_",
        "sha256_",
        "hash_state",
        "content_version",
        "made_with",
        "created_by",
        "registered",
        "qc_",
        "default",
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("path", "session_link"),
                    ("dataset_type", "data_format", "revision", "default"),
                    ("size", "content_version", "hash_state"),
                    ("md5_", "sha256_"),
                    ("qc_", "made_with", "created_by", "registered"),
                ]
            },
        )
    ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Files are registered by clients."""
        return False

    def lab_of(self, obj: Dataset) -> Lab | None:
        """Of its session, or of what it belongs to."""
        try:
            return lab_of(obj)
        except Invalid:  # that is gone
            return None

    def projects_of(self, obj: Dataset) -> Projects:
        """Of its session, or of what it belongs to."""
        return projects_of(obj.session) if obj.session else projects_of_owner(obj.content_object)

    @admin.action(description="Verify: read the copies back now", permissions=["act"])
    def verify(self, request: HttpRequest, datasets: QuerySet[Any]) -> None:
        """Queue a look at every copy."""
        asked: list[int] = []
        self.each(
            request,
            datasets,
            lambda dataset: asked.append(ask_for_looks(actor=request.user, dataset=dataset)),
            "asked for: what is found shows here within some minutes",
        )
        if asked and not any(asked):
            self.message_user(request, "No copy is there to be read.", messages.WARNING)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn, with their copies in one query."""
        copies = FileRecord.objects.select_related("repository").exclude(state__in=sorted(HIDDEN))
        return (
            super()
            .get_queryset(request)
            .filter(withdrawn_at__isnull=True)
            .select_related("session__subject", "revision", "dataset_type", "data_format", "created_by")
            .prefetch_related(Prefetch("file_records", queryset=copies))
        )

    @admin.display(description="file", ordering="name")
    def path(self, dataset: Dataset) -> str:
        """collection/#revision#/name."""
        return dataset.path

    @admin.display(description="session")
    def session_link(self, dataset: Dataset) -> Any:
        """To the session, or the object of an aggregate."""
        return link(dataset.session) if dataset.session else "aggregate"

    @admin.display(description="size", ordering="size_bytes")
    def size(self, dataset: Dataset) -> str:
        """For people."""
        return megabytes(dataset.size_bytes)

    @admin.display(description="registered", ordering="-created_at")
    def registered(self, dataset: Dataset) -> Any:
        """When."""
        return ago(dataset.created_at)

    @admin.display(description="MD5")
    def md5_(self, dataset: Dataset) -> str:
        """Of the current version."""
        return dataset.md5 or "–"

    @admin.display(description="SHA-256")
    def sha256_(self, dataset: Dataset) -> str:
        """Of the current version."""
        return dataset.sha256 or "–"

    @admin.display(description="QC")
    def qc_(self, dataset: Dataset) -> str:
        """Its name on the scale."""
        return str(dataset.get_qc_display())

    @admin.display(description="made with")
    def made_with(self, dataset: Dataset) -> str:
        """The version of the software that wrote it."""
        return dataset.software_version or "–"

    @admin.display(description="given when no revision is named", boolean=True)
    def default(self, dataset: Dataset) -> bool:
        """Whether clients get this revision when they name none."""
        return dataset.is_default

    @admin.display(description="copies")
    def standing(self, dataset: Dataset) -> Any:
        """How it stands."""
        return standing_badge(dataset.file_records.all())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """With the table of copies and the versions."""
        dataset = self.get_object(request, unquote(object_id))
        rows = dataset.file_records.select_related("repository").order_by("repository__name") if dataset else []
        copies = list(rows)
        moves = (
            list(dataset.transfer_items.select_related("destination").order_by("-created_at")[:20]) if dataset else []
        )
        extra = {
            "copies": [shown_copy(copy, moves) for copy in copies],
            "copies_say": copies_sentence(copies, page_now()),
            "standing": self.standing(dataset) if dataset else "",
            "versions": dataset.versions.order_by("-content_version") if dataset else [],
            "moves": moves,
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})
