"""Forms of our pages: they ask why, and say beside the field what a service refused."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.helpers import ActionForm

from alyx.core.errors import DomainError

REASON = "reason"
PLACEHOLDER = "why (kept in the history)"


def _reason_field(**attributes: Any) -> forms.CharField:
    box = forms.TextInput(attrs={"placeholder": PLACEHOLDER, "class": "vTextField", **attributes})
    return forms.CharField(label="Why", required=False, max_length=500, widget=box)


class ReasonForm(ActionForm):
    """Actions that change rows ask why; the reason goes to the audit."""

    reason = _reason_field()


class PageForm(forms.ModelForm[Any]):
    """The form of a record. `refused` is what a service said to the values sent; `column_of` leads from its words to ours."""

    refused: ClassVar[DomainError | None] = None
    column_of: ClassVar[Mapping[str, str]] = {}
    reason = _reason_field()

    def clean(self) -> dict[str, Any] | None:
        """Show the refusal beside the fields it is about; nothing that was typed is lost."""
        cleaned = super().clean()
        if self.refused is not None:
            for word, sentences in (self.refused.fields or {"": [self.refused.detail]}).items():
                name = self.column_of.get(word, word)
                self.add_error(name if name in self.fields else None, sentences)
        return cleaned


def form_after_refusal(form: type[PageForm], refused: DomainError, column_of: Mapping[str, str]) -> type[PageForm]:
    """The same form, saying what was refused."""
    return type(form.__name__, (form,), {"refused": refused, "column_of": column_of})
