"""Procedure types."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from alyx.labs.admin import LabPage
from subjects.models import ProcedureType


@admin.register(ProcedureType)
class ProcedureTypePage(LabPage):
    """The vocabulary of procedures."""

    list_display = ["name", "description"]
    search_fields = ["name"]
    fields = ["name", "description"]

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Anybody who writes anywhere."""
        return super().may_write(request)
