"""Licences."""

from typing import Any

from django.contrib import admin

from alyx.labs.admin import LabPage
from alyx.labs.permissions import Right
from subjects.models import Licence
from subjects.services.licence import change_licence, create_licence


@admin.register(Licence)
class LicencePage(LabPage):
    """Under which animals are used."""

    right = Right.MANAGE
    list_display = ["number", "title", "lab", "holder", "from_on", "to_on"]
    list_select_related = ["lab", "holder"]
    list_filter = ["lab"]
    search_fields = ["number", "title", "holder__username"]
    search_help_text = "number, title or holder"
    fieldsets = [
        (None, {"fields": [("number", "lab"), ("title", "holder"), "ethics_review_id", ("from_on", "to_on")]}),
    ]

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Licence:
        """By the names of lab and holder."""
        if "lab" in said:
            said["lab"] = said["lab"].name if said["lab"] else None
        if "holder" in said:
            said["holder"] = said["holder"].username if said["holder"] else None
        if change:
            return change_licence(actor=actor, licence=row, changes=said)
        return create_licence(actor=actor, values=said)
