"""Procedure types."""

from typing import Any

from django.contrib import admin

from alyx.labs.admin import LabPage
from alyx.labs.models import MANAGING_ROLES
from subjects.models import ProcedureType
from subjects.services.procedure import create_procedure_type


@admin.register(ProcedureType)
class ProcedureTypePage(LabPage):
    """The vocabulary of procedures."""

    list_display = ["name", "description"]
    search_fields = ["name"]
    fields = ["name", "description"]
    lab_path = ""
    writing_roles = MANAGING_ROLES

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> ProcedureType | None:
        """A new word by its service; a change of its description is a plain save."""
        return None if change else create_procedure_type(actor=actor, values=said)
