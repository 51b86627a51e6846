"""Forms of our pages: they ask why, and say beside the field what a service refused."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.helpers import ActionForm

from alyx.core.errors import DomainError

REASON = "reason"
CONFIRMED = "confirmed"
PLACEHOLDER = "why (kept in the history)"


def reason_field(**attributes: Any) -> forms.CharField:
    """Why, for the audit."""
    box = forms.TextInput(attrs={"placeholder": PLACEHOLDER, "class": "vTextField", **attributes})
    return forms.CharField(label="Why", required=False, max_length=500, widget=box)


class ReasonForm(ActionForm):
    """Actions that change rows ask why; the reason goes to the audit."""

    reason = reason_field()


class PageForm(forms.ModelForm[Any]):
    """The form of a record. `refused` is what a service said to the values sent; `column_of` leads from its words to ours."""

    refused: ClassVar[DomainError | None] = None
    column_of: ClassVar[Mapping[str, str]] = {}
    reason = reason_field()

    def clean(self) -> dict[str, Any] | None:
        """Show the refusal beside the fields it is about; nothing that was typed is lost."""
        cleaned = super().clean()
        if self.refused is not None:
            said: set[tuple[str | None, str]] = set()
            for word, sentences in (self.refused.fields or {"": [self.refused.detail]}).items():
                name = self.column_of.get(word, word)
                place = name if name in self.fields else None
                fresh = [text for text in sentences if (place, text) not in said]
                said.update((place, text) for text in fresh)
                if fresh:
                    self.add_error(place, fresh)
        return cleaned


def form_after_refusal(form: type[PageForm], refused: DomainError, column_of: Mapping[str, str]) -> type[PageForm]:
    """The same form, saying what was refused; labels and what is required stay as its page has set them."""
    said: Any = type(form.__name__, (form,), {"refused": refused, "column_of": column_of})
    said.base_fields = form.base_fields  # else made anew from the model
    return said  # type: ignore[no-any-return]


def form_that_asks(form: type[PageForm]) -> type[PageForm]:
    """The same form with the tick that says that what a rule doubts is right."""
    return type(form.__name__, (form,), {CONFIRMED: forms.BooleanField(label="It is right: keep it", required=False)})
