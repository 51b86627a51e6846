"""What our admin pages share: quick lists, autocomplete instead of endless drop-downs, no deleting, services and their errors."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.widgets import AdminTextareaWidget, AdminURLFieldWidget
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import conditional_escape
from pghistory.models import Events

from alyx.core.admin_forms import CONFIRMED, REASON, PageForm, ReasonForm, form_after_refusal, form_that_asks
from alyx.core.admin_shown import page_of
from alyx.core.audit import because
from alyx.core.errors import DomainError, Doubtful
from alyx.core.flags import typing
from alyx.core.reading import readable
from alyx.core.wall_clock import WallClockField, WallClockFormField, WallClockInput

REMEMBERED = "remembered_filters"
UNTOLD = {"updated_at"}
"""Columns whose change is no news."""
HISTORY_SHOWN = 500


class Page(admin.ModelAdmin[Any]):
    """Base of our admin pages.

    Only superusers write, unless `may_write` says more (`alyx.labs.admin.LabPage` knows the roles). A page whose rows
    have a service gives them to it in `write`. `page_actions` are actions that have a button on the record's page too.
    """

    writable = True
    form: Any = PageForm
    wire: ClassVar[Mapping[str, str]] = {}
    """Our column → the word of the services for it, where they differ."""
    labels: ClassVar[Mapping[str, str]] = {}
    """Field → its label, where the column's name says it badly."""
    helps: ClassVar[Mapping[str, str]] = {}
    """Field → what to know before filling it, where the column does not say it."""
    page_actions: ClassVar[Mapping[str, str]] = {}
    """Name of the action → the verb on its button."""
    superusers_see: ClassVar[frozenset[str]] = frozenset()
    """Columns that others neither see in the history nor guess at by narrowing the list."""
    list_per_page = 100
    show_full_result_count = False
    save_on_top = False
    actions_on_bottom = False
    view_on_site = False
    action_form = ReasonForm
    formfield_overrides = {
        WallClockField: {"form_class": WallClockFormField, "widget": WallClockInput},
        models.TextField: {"widget": AdminTextareaWidget(attrs={"rows": 4})},
        models.URLField: {"widget": AdminURLFieldWidget, "assume_scheme": "https"},
    }

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """What this user reads."""
        return readable(request.user, super().get_queryset(request))

    def get_ordering(self, request: HttpRequest) -> Any:
        """The model's own, said once more: with counts in the query it would be lost."""
        return self.ordering or self.opts.ordering

    def is_hidden(self, request: HttpRequest, column: str) -> bool:
        """Whether this user may not know of this column."""
        return column in self.superusers_see and not request.user.is_superuser

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """No list is narrowed by what may not be seen."""
        return not self.is_hidden(request, lookup.partition("__")[0]) and super().lookup_allowed(lookup, value, request)

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

    def has_act_permission(self, request: HttpRequest) -> bool:
        """For actions with `permissions=["act"]`: whoever may write somewhere; the service decides row by row."""
        return self.may_write(request)

    # Lists remember their filters.

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Come back to a list and find it as you left it; a link without filters on the list itself forgets them."""
        if request.method == "GET" and (elsewhere := self._remembered(request)):
            return HttpResponseRedirect(elsewhere)
        title = str(self.opts.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def _remembered(self, request: HttpRequest) -> str | None:
        """Where to go instead, when the list was left with filters."""
        key, left = f"{self.opts.app_label}.{self.opts.model_name}", request.session.get(REMEMBERED, {})
        if "_popup" in request.GET:
            return None
        query = {name: value for name, value in request.GET.lists() if name not in {"p", "e"} and any(value)}
        if not request.GET and key in left and urlsplit(request.headers.get("Referer", "")).path != request.path:
            return f"{request.path}?{urlencode(left[key], doseq=True)}"
        if left.get(key, {}) != query:
            others = {name: value for name, value in left.items() if name != key}
            request.session[REMEMBERED] = {**others, key: query} if query else others
        return None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Every change of the record, from the audit: when, who, by which path, why, and each value before and after."""
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404
        if not self.has_view_permission(request, record):
            raise PermissionDenied
        changes = [
            {
                "at": event.pgh_created_at,
                "what": event.pgh_label,
                "diff": [
                    (name, *values)
                    for name, values in (event.pgh_diff or {}).items()
                    if name not in UNTOLD and not self.is_hidden(request, name)
                ],
                "context": event.pgh_context or {},
            }
            for event in Events.objects.tracks(record).order_by("-pgh_created_at", "-pgh_id")[:HISTORY_SHOWN]
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {record}",
            "changes": changes,
            "opts": self.opts,
            "object": record,
        }
        return TemplateResponse(request, "admin/history_page.html", {**context, **(extra_context or {})})

    # Writes go through services; what they refuse is said on the page.

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Any:
        """Give what was said (the service's words → values; of a change only what changed) to a service.

        Returns the stored row, or None where a plain save is all there is to it. Raises DomainError.
        """
        return None

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service, where there is one."""
        stored = self.write(actor=request.user, row=obj, said=self._said(form, change), change=change)
        if stored is None:
            super().save_model(request, obj, form, change)
        else:
            obj.pk = stored.pk
            obj.refresh_from_db()

    def _said(self, form: Any, change: bool) -> dict[str, Any]:
        names = form.changed_data if change else list(form.cleaned_data)
        return {self.wire.get(name, name): form.cleaned_data[name] for name in names if name not in {REASON, CONFIRMED}}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """After a refusal, with what was refused; what is only doubted can be said to be right."""
        refused: DomainError | None = getattr(request, "refused", None)
        if isinstance(refused, Doubtful):
            kwargs["form"] = form_that_asks(self.form)
        form = super().get_form(request, obj, change=change, **kwargs)
        for name, field in form.base_fields.items():
            field.label = self.labels.get(name, field.label)
            field.help_text = conditional_escape(
                self.helps.get(name, field.help_text)
            )  # Django's template trusts it: "<lab>" would vanish
        if refused is None or not issubclass(form, PageForm):
            return form
        return form_after_refusal(form, refused, {word: name for name, word in self.wire.items()})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """With "why" last, where something can be changed."""
        shown: list[Any] = [
            (title, {**options, "fields": [field for field in options["fields"] if field not in {REASON, CONFIRMED}]})
            for title, options in super().get_fieldsets(request, obj)
        ]
        allowed = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        editable = set(flatten_fieldsets(shown)) - set(self.get_readonly_fields(request, obj))
        if allowed and editable and issubclass(self.form, PageForm):
            asked = isinstance(getattr(request, "refused", None), Doubtful)
            shown.append((None, {"fields": [CONFIRMED, REASON] if asked else [REASON]}))
        return shown

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A refused change is said beside the field, what was typed stays, and nothing is half saved."""
        try:
            with transaction.atomic(), because(request.POST.get(REASON, "").strip()), self.typed(request):
                return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as refused:
            if not issubclass(self.form, PageForm):
                self.message_user(request, refused.detail, messages.ERROR)
                return HttpResponseRedirect(request.get_full_path())
            setattr(request, "refused", refused)  # noqa: B010  (mypy: a request has no such attribute)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def typed(self, request: HttpRequest) -> AbstractContextManager[None]:
        """A person typed what this request brings; with the tick, also what a rule doubts."""
        return typing(confirmed=request.POST.get(CONFIRMED) == "on") if request.method == "POST" else nullcontext()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """With the buttons of the record."""
        context["page_actions"] = self.buttons(request, obj) if obj is not None else {}
        return super().render_change_form(request, context, add, change, form_url, obj)

    # Actions, on the list for many rows and on the page for one.

    def buttons(self, request: HttpRequest, obj: Any) -> Mapping[str, str]:
        """Which of `page_actions` fit this record now, and are this user's to press."""
        return {name: verb for name, verb in self.page_actions.items() if self.may_press(request, name, obj)}

    def may_press(self, request: HttpRequest, action: str, obj: Any) -> bool:
        """Whether the service would let this user do the action to this record."""
        return self.may_write(request, obj)

    def get_urls(self) -> list[URLPattern]:
        """With the address of the buttons."""
        act = self.admin_site.admin_view(self.act_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("<path:object_id>/do/<slug:action>/", act, name=name), *super().get_urls()]

    def act_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        """`POST …/do/<action>/`: one of `page_actions` on one record; back to its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        record = self.get_object(request, object_id)
        if record is None or action not in self.page_actions:
            raise Http404
        if not self.has_act_permission(request):
            raise PermissionDenied
        getattr(self, action)(request, self.get_queryset(request).filter(pk=record.pk))
        return HttpResponseRedirect(page_of(record))

    def each(self, request: HttpRequest, rows: Any, act: Callable[[Any], Any], done: str) -> None:
        """Run an action row by row, each atomic, saying at the end how many were done and what was refused."""
        count = 0
        with because(request.POST.get(REASON, "").strip()):
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
    form = forms.ModelForm

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody writes here."""
        return False
