"""Notes. (The review inbox is in `alyx.labs.inbox`: who may decide depends on labs.)"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.models import Note


@admin.register(Note)
class NotePage(ReadOnlyPage):
    """Notes on any record: written by REST, or on the record's own page."""

    list_display = ["at_wall", "text", "user", "content_type"]
    list_display_links = ["at_wall", "text"]
    list_select_related = ["user", "content_type"]
    search_fields = ["text", "user__username"]
    search_help_text = "words of the note, or who wrote it"
    date_hierarchy = "at"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not here."""
        return False
