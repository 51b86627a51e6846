"""Types, formats, revisions, tags."""

from typing import Any

from django.contrib import admin

from alyx.labs.admin import LabPage
from datasets.models import DataFormat, DatasetType, Revision, Tag
from datasets.services.vocabulary import add_word, change_word


class VocabularyPage(LabPage):
    """Anybody who writes in a lab may extend a vocabulary."""

    search_fields = ["name"]
    list_display = ["name", "description"]

    lab_path = ""

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Any:
        """By the services of words."""
        if change:
            return change_word(actor=actor, word=row, changes=said)
        return add_word(actor=actor, model=self.model, values=said)


@admin.register(DatasetType)
class DatasetTypePage(VocabularyPage):
    """Kinds of datasets."""

    list_display = ["name", "filename_pattern", "description"]
    search_fields = ["name", "filename_pattern", "description"]
    fields = ["name", "filename_pattern", "description"]


@admin.register(DataFormat)
class DataFormatPage(VocabularyPage):
    """File formats."""

    list_display = ["name", "file_extension", "description"]
    fields = ["name", "file_extension", "description", "python_loader_function", "matlab_loader_function"]


@admin.register(Revision)
class RevisionPage(VocabularyPage):
    """Revisions."""

    fields = ["name", "description"]


@admin.register(Tag)
class TagPage(VocabularyPage):
    """Tags; a protected one forbids changes to its datasets."""

    list_display = ["name", "protected", "public", "description"]
    list_filter = ["protected", "public"]
    fields = ["name", "description", ("protected", "public")]
