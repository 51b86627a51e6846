"""Boxes of the surgery's form: animals that are found living first, pictures by the dozen."""

from typing import Any

from django import forms
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet

from alyx.core.admin_forms import PageForm


class Animals(AutocompleteJsonView):
    """The living first; the dead by what is typed of their names, and said to be dead."""

    def get_queryset(self) -> QuerySet[Any]:
        """Those shown."""
        rows: QuerySet[Any] = super().get_queryset().filter(withdrawn_at__isnull=True)
        if not self.term:
            rows = rows.filter(died_on__isnull=True)
        return rows.order_by("-died_on", "nickname", "id")  # PostgreSQL puts those without a date first

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        """With the day of its death."""
        found = super().serialize_result(obj, to_field_name)
        return {**found, "text": f"{obj.nickname} (died {obj.died_on})"} if obj.died_on else found


class AnimalSelect(AutocompleteSelect):
    """A box that searches animals."""

    url_name = "%s:subjects_surgery_animals"


class ManyFiles(forms.ClearableFileInput):
    """Several at once, straight from the camera where there is one."""

    allow_multiple_selected = True


class Pictures(forms.FileField):
    """Any number of files."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """A list; the service looks whether they are pictures."""
        files = data if isinstance(data, list | tuple) else [data]
        return [super(Pictures, self).clean(one, initial) for one in files if one]


class SurgeryForm(PageForm):
    """A surgery, with pictures to add."""

    pictures = Pictures(
        required=False,
        label="Add pictures",
        widget=ManyFiles(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif", "multiple": True}),
        help_text="JPEG, PNG, WebP or GIF, up to 12 MB",
    )
    pictures_say = forms.CharField(required=False, label="What they show", max_length=500)
