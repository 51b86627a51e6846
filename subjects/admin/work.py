"""Pages where one job is one page: a form, one act by a service, and what was refused said beside the field."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import models, transaction
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html

from alyx.core.admin_forms import CONFIRMED, REASON, reason_field
from alyx.core.admin_shown import page_of
from alyx.core.audit import because
from alyx.core.errors import DomainError, Doubtful
from alyx.core.flags import typing

T = TypeVar("T")
ASKED = "It is right: keep it"


class WorkForm(forms.Form):
    """The form of a job. It asks why; `column_of` leads from the services' words to its fields."""

    column_of: dict[str, str] = {}
    refused: DomainError | None = None
    use_required_attribute = False
    reason = reason_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """With "why" last."""
        super().__init__(*args, **kwargs)
        self.order_fields([name for name in self.fields if name != REASON] + [REASON])

    @property
    def confirmed(self) -> bool:
        """Whether the person has said that what is doubted is right."""
        return self.data.get(CONFIRMED) == "on"

    def ask(self) -> None:
        """Show the tick that says that it is right."""
        self.fields[CONFIRMED] = forms.BooleanField(label=ASKED, required=False)
        self.order_fields([name for name in self.fields if name not in {CONFIRMED, REASON}] + [CONFIRMED, REASON])

    def say(self, refused: DomainError) -> None:
        """Say a refusal beside the fields it is about, a doubt with the tick; what was typed stays."""
        self.refused = refused
        said: set[tuple[str | None, str]] = set()
        for word, sentences in (refused.fields or {"": [refused.detail]}).items():
            name = self.column_of.get(word, word)
            place = name if name in self.fields else None
            about = "" if place or not word.startswith("pups.") else f"Pup {int(word.split('.')[1]) + 1}: "
            fresh = [f"{about}{text}" for text in sentences if (place, f"{about}{text}") not in said]
            said.update((place, text) for text in fresh)
            if fresh:
                self.add_error(place, fresh)
        if isinstance(refused, Doubtful):
            self.ask()

    def clean(self) -> dict[str, Any]:
        """The tick is no value of the job."""
        cleaned = super().clean() or {}
        cleaned.pop(CONFIRMED, None)
        return cleaned


def carried_out(form: WorkForm, act: Callable[[], T]) -> T | None:
    """Run `act` as one thing that a person typed: all of it or nothing. None: refused, and the form says so."""
    try:
        with transaction.atomic(), because(form.cleaned_data.get(REASON, "").strip()), typing(confirmed=form.confirmed):
            return act()
    except DomainError as refused:
        form.say(refused)
        return None


def chosen(model: type[models.Model], column: str) -> AutocompleteSelect:
    """A box that searches the rows this column can point to."""
    field: Any = model._meta.get_field(column)
    return AutocompleteSelect(field, admin.site)


def row_field(model: type[models.Model], column: str, rows: Any = None, **options: Any) -> Any:
    """A choice of one row, by searching for it."""
    related: Any = model._meta.get_field(column).related_model
    return forms.ModelChoiceField(
        queryset=related._default_manager.all() if rows is None else rows, widget=chosen(model, column), **options
    )


def day_field(**options: Any) -> forms.DateField:
    """A day."""
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options)


def work_page(
    page: Any, request: HttpRequest, template: str, *, title: str, about: models.Model | None = None, **context: Any
) -> TemplateResponse:
    """A page of a job of this admin page, with the way back."""
    form = context.get("form")
    media = page.media + (form.media if form is not None else forms.Media())
    return TemplateResponse(
        request,
        template,
        {
            **page.admin_site.each_context(request),
            "title": title,
            "opts": page.opts,
            "about": about,
            "about_url": page_of(about) if about is not None else "",
            "media": media,
            **context,
        },
    )


def to_page(row: models.Model | None, text: str | None = None) -> Any:
    """A link to the row's page, or only its name where it has none."""
    if row is None:
        return "–"
    words = text or str(row)
    if not admin.site.is_registered(type(row)):
        return words
    return format_html('<a href="{}">{}</a>', page_of(row), words)


def listed(rows: Iterable[Any]) -> str:
    """Words in a row."""
    return ", ".join(str(row) for row in rows) or "–"
