"""What our admin pages share: quick lists, autocomplete instead of endless drop-downs, no deleting, services and their errors."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.widgets import AdminTextareaWidget
from django.db import models, transaction
from django.forms import CharField, TextInput
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from pghistory.models import Events

from alyx.core import clock
from alyx.core.audit import acting
from alyx.core.errors import DomainError
from alyx.core.status import SHAPES, Status

REMEMBERED = "remembered_filters"
UNTOLD = {"updated_at"}
"""Columns whose change is no news."""


class ReasonForm(ActionForm):
    """Actions that change rows ask why; the reason goes to the audit."""

    reason = CharField(
        required=False, max_length=500, widget=TextInput(attrs={"placeholder": "why (kept in the history)"})
    )


def badge(status: Status, word: str, hint: str = "") -> SafeString:
    """The word with its shape and colour; the hint shows on hover."""
    return format_html(
        '<span class="status {}" title="{}"><i aria-hidden="true">{}</i> {}</span>',
        status.value,
        hint,
        SHAPES[status],
        word,
    )


def ago(at: datetime | None) -> SafeString | str:
    """ "2 h ago" with the exact time on hover."""
    if at is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{} UTC">{} ago</time>',
        at.isoformat(),
        f"{at:%Y-%m-%d %H:%M:%S}",
        timesince(at, clock.now()).split(",")[0],
    )


def megabytes(size: int | None) -> str:
    """A size for people."""
    if size is None:
        return "–"
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def link(obj: models.Model | None, text: str | None = None) -> SafeString | str:
    """A link to the admin page of a record."""
    if obj is None:
        return "–"
    meta = obj._meta
    return format_html(
        '<a href="{}">{}</a>',
        reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[obj.pk]),
        text or str(obj),
    )


class Page(admin.ModelAdmin[Any]):
    """Base of our admin pages.

    Only superusers write, unless `may_write` says more (`alyx.labs.admin.LabPage` knows the roles).
    """

    writable = True
    list_per_page = 100
    show_full_result_count = False
    save_on_top = False
    actions_on_bottom = False
    view_on_site = False
    formfield_overrides = {models.TextField: {"widget": AdminTextareaWidget(attrs={"rows": 4})}}

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Every relation to a model with a searchable page: no drop-down grows without bound."""
        meta = self.model._meta
        related = [
            field
            for field in (*meta.fields, *meta.many_to_many)
            if isinstance(field, models.ForeignKey | models.ManyToManyField)
        ]
        return [field.name for field in related if field.editable and self._can_be_searched(field)]

    def _can_be_searched(self, field: models.ForeignKey[Any, Any] | models.ManyToManyField[Any, Any]) -> bool:
        page = self.admin_site._registry.get(field.related_model)
        through: Any = getattr(field.remote_field, "through", None)
        made_by_hand = through is not None and not through._meta.auto_created
        return page is not None and bool(page.search_fields) and not made_by_hand

    # Permissions: a staff account sees; writing follows the rules of labs.

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this user may write this record (or any, when none is given). Pages above know the labs' rules."""
        return bool(request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Staff see every app."""
        return bool(request.user.is_active and request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff see every record."""
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Writing follows the rules."""
        return self.writable and self.has_module_permission(request) and self.may_write(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Writing follows the rules."""
        return self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted here; what can be withdrawn has an action for it."""
        return False

    # Lists remember their filters.

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Come back to a list and find it as you left it; "clear" forgets."""
        key = f"{self.opts.app_label}.{self.opts.model_name}"
        remembered = request.session.get(REMEMBERED, {})
        if request.method == "GET":
            query = {
                name: value for name, value in request.GET.items() if name not in {"p", "e", "_popup", "_to_field"}
            }
            if (
                not request.GET
                and key in remembered
                and request.headers.get("Sec-Fetch-Dest", "document") == "document"
            ):
                return HttpResponseRedirect(f"{request.path}?{urlencode(remembered[key])}")
            if "clear" in query:
                request.session[REMEMBERED] = {name: value for name, value in remembered.items() if name != key}
                return HttpResponseRedirect(request.path)
            if query and remembered.get(key) != query:
                request.session[REMEMBERED] = {**remembered, key: query}
        title = str(self.opts.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Every change of the record, from the audit: when, who, by which path, why, and each value before and after."""
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404
        changes = [
            {
                "at": event.pgh_created_at,
                "what": event.pgh_label,
                "diff": [(name, *values) for name, values in (event.pgh_diff or {}).items() if name not in UNTOLD],
                "context": event.pgh_context or {},
            }
            for event in Events.objects.tracks(record).order_by("-pgh_created_at", "-pgh_id")[:500]
        ]
        context = {**self.admin_site.each_context(request), "title": f"History of {record}", "changes": changes, "opts": self.opts}
        return TemplateResponse(request, "admin/history_page.html", {**context, "object": record, **(extra_context or {})})

    # Writes go through services; what they refuse is said on the page.

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A refused change is a message beside the form, and nothing is half saved."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def each(self, request: HttpRequest, rows: Any, act: Any, done: str) -> None:
        """Run an action row by row, each atomic, saying at the end how many were done and what was refused."""
        count = 0
        with acting(actor=request.user, path=f"admin {self.opts.model_name}", reason=request.POST.get("reason", "")):
            for row in rows:
                try:
                    with transaction.atomic():
                        act(row)
                    count += 1
                except DomainError as error:
                    self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
        if count:
            self.message_user(request, f"{count} {done}", messages.SUCCESS)


class ReadOnlyPage(Page):
    """A page to look at; its rows are written by services only."""

    writable = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody writes here."""
        return False
