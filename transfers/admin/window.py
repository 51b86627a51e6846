"""Nights."""

from django.contrib import admin

from alyx.core.admin_pages import ReadOnlyPage
from transfers.models import NightWindow


@admin.register(NightWindow)
class NightWindowPage(ReadOnlyPage):
    """When each repository's night was open."""

    list_display = ["repository", "local_date", "kind", "state", "starts_at", "ends_at"]
    list_select_related = ["repository"]
    list_filter = ["state", "kind", "repository"]
    search_fields = ["repository__name"]
