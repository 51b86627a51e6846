"""Copies."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import ago, badge, link, megabytes
from datasets.models import FileRecord
from datasets.rules.copies import CopyState
from datasets.rules.standing import COPY_MEANING


def copy_badge(copy: FileRecord) -> Any:
    """The state of a copy as a badge with its meaning on hover."""
    return badge(copy.standing, copy.state, COPY_MEANING[CopyState(copy.state)])


@admin.register(FileRecord)
class FileRecordPage(ReadOnlyPage):
    """Copies of datasets. Written by registration and by the night, never by hand."""

    list_display = ["relative_path", "repository", "standing", "content_version", "size", "proved", "reason"]
    list_select_related = ["repository"]
    list_filter = ["state", "repository"]
    search_fields = ["=dataset__id", "=id", "relative_path__startswith"]
    search_help_text = "dataset id, record id, or the beginning of a path"
    fields = [
        ("relative_path", "stored_path"),
        ("dataset_link", "repository"),
        ("standing", "content_version", "reason"),
        ("size", "md5", "sha256"),
        ("evidence_level", "proved", "last_seen_at"),
        "evidence",
        ("look_due_at", "first_miss_at"),
        "json",
    ]
    readonly_fields = ["dataset_link", "standing", "size", "proved"]

    @admin.display(description="state", ordering="state")
    def standing(self, copy: FileRecord) -> Any:
        """Its state."""
        return copy_badge(copy)

    @admin.display(description="size", ordering="size_bytes")
    def size(self, copy: FileRecord) -> str:
        """As last seen."""
        return megabytes(copy.size_bytes)

    @admin.display(description="proved", ordering="verified_at")
    def proved(self, copy: FileRecord) -> Any:
        """When it was last read back."""
        return ago(copy.proved_at)

    @admin.display(description="dataset")
    def dataset_link(self, copy: FileRecord) -> Any:
        """To the dataset."""
        return link(copy.dataset)

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what the page shows."""
        return super().get_queryset(request).select_related("repository", "dataset__revision")
