"""Notes, and entries of tablets. (The review inbox is in `alyx.labs.inbox`: who may decide depends on labs.)"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.models import JournalEntry, Note


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


@admin.register(JournalEntry)
class JournalEntryPage(ReadOnlyPage):
    """What tablets sent, with what became of it; a lab's data managers see what waits for a decision of its author."""

    list_display = ["at", "kind", "user", "state", "message"]
    list_display_links = ["at", "kind"]
    list_select_related = ["user"]
    list_filter = ["state", "kind"]
    search_fields = ["=key", "=about", "user__username", "message"]
    search_help_text = "key, id of what it is about, who typed it, words of the reason"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tablets do."""
        return False
