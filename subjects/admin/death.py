"""Culls, the words for them, and what harmed animals."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from alyx.core import clock
from alyx.core.admin_forms import PageForm
from alyx.core.admin_shown import badge, link, page_of
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from alyx.labs.permissions import Right
from subjects.admin.of_animal import OfAnimalPage
from subjects.models import AdverseEffect, Cull, CullMethod, CullReason, Severity
from subjects.permissions import Act
from subjects.services.death import (
    change_adverse_effect,
    change_cull,
    record_adverse_effect,
    record_cull,
    undo_cull,
    withdraw_adverse_effect,
)

SEVERITY_STATUS = {
    Severity.SUB_THRESHOLD: Status.NEUTRAL,
    Severity.MILD: Status.NEUTRAL,
    Severity.MODERATE: Status.WARNING,
    Severity.SEVERE: Status.FAILED,
    Severity.NON_RECOVERY: Status.CRITICAL,
}


class CullForm(PageForm):
    """Of a cull. Its reason is a word of a vocabulary and has its own box: `reason` is why the record changes."""

    cull_reason = forms.ModelChoiceField(
        CullReason.objects.all(),
        label="Reason",
        required=False,
        widget=AutocompleteSelect(Cull._meta.get_field("reason"), admin.site),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """With the reason that is stored."""
        super().__init__(*args, **kwargs)
        self.initial.setdefault("cull_reason", self.instance.reason_id)


@admin.register(Cull)
class CullPage(OfAnimalPage):
    """Killed animals: the death date of each is the date of its cull."""

    form = CullForm
    exclude = ["reason"]
    act = Act.MANAGE
    list_display = ["animal", "culled_on", "cull_reason", "method", "user", "lab"]
    list_select_related = ["subject__lab", "reason", "method", "user"]
    list_filter = ["culled_on", "reason", "method", "subject__lab"]
    search_fields = ["subject__nickname", "description"]
    search_help_text = "animal, or words of the description"
    wire: ClassVar[Mapping[str, str]] = {"culled_on": "date", "cull_reason": "reason"}
    labels: ClassVar[Mapping[str, str]] = {"culled_on": "Date", "user": "By"}
    page_actions: ClassVar[Mapping[str, str]] = {"undo": "Undo: it was another animal"}
    fieldsets = [(None, {"fields": ["subject", ("culled_on", "user"), ("cull_reason", "method"), "description"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A cull stays with its animal: one of another animal is undone."""
        return ["subject"] if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """By me, today in my lab."""
        user: Any = request.user
        lab = user.labs.first()
        today = clock.utc_to_wall(clock.now(), lab.timezone if lab else clock.server_zone().key).date()
        return {"user": user.pk, "culled_on": today, **super().get_changeform_initial_data(request)}

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Cull:
        """By the names of words and people."""
        said.pop("subject", None)
        for word, column in (("reason", "name"), ("method", "name"), ("user", "username")):
            if said.get(word) is not None:
                said[word] = getattr(said[word], column)
        if change:
            return change_cull(actor=actor, cull=row, changes=said)
        return record_cull(actor=actor, subject=row.subject, values=said)

    @admin.action(description="Undo: it was another animal", permissions=["act"])
    def undo(self, request: HttpRequest, culls: QuerySet[Any]) -> None:
        """Let these animals live."""

        def act(cull: Cull) -> None:
            undo_cull(actor=request.user, cull=cull)

        self.each(request, culls.select_related("subject"), act, "undone")

    def act_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        """What was undone is gone: to the animal."""
        cull = self.get_object(request, object_id)
        answer = super().act_view(request, object_id, action)
        gone = cull is not None and not Cull.objects.filter(pk=cull.pk).exists()
        return HttpResponseRedirect(page_of(cull.subject)) if cull is not None and gone else answer

    @admin.display(description="reason", ordering="reason__name")
    def cull_reason(self, cull: Cull) -> str:
        """Why."""
        return str(cull.reason or "–")

    @admin.display(description="animal", ordering="subject__nickname")
    def animal(self, cull: Cull) -> str:
        """Its nickname."""
        return cull.subject.nickname

    @admin.display(description="lab", ordering="subject__lab__name")
    def lab(self, cull: Cull) -> str:
        """Where it lived."""
        return cull.subject.lab.name


class _DeathWordPage(LabPage):
    """A word of a vocabulary."""

    lab_path = ""
    right = Right.MANAGE
    list_display = ["name", "description"]
    search_fields = ["name", "description"]
    fields = ["name", "description"]


@admin.register(CullReason)
class CullReasonPage(_DeathWordPage):
    """Why animals are killed."""


@admin.register(CullMethod)
class CullMethodPage(_DeathWordPage):
    """How animals are killed."""


@admin.register(AdverseEffect)
class AdverseEffectPage(OfAnimalPage):
    """What harmed animals, how badly, and what was done."""

    list_display = ["when", "animal", "description", "how_bad", "resolved", "user"]
    list_display_links = ["when", "description"]
    list_select_related = ["subject__lab", "user"]
    list_filter = ["severity", ("resolved_on", admin.EmptyFieldListFilter), "subject__lab"]
    search_fields = ["subject__nickname", "description", "action_taken"]
    search_help_text = "animal, or words of it"
    wire: ClassVar[Mapping[str, str]] = {"at_wall": "date_time"}
    labels: ClassVar[Mapping[str, str]] = {"at_wall": "When", "user": "Seen by"}
    actions = ["withdraw"]
    fieldsets = [
        (
            None,
            {"fields": ["subject", ("at_wall", "user"), "description", "severity", "action_taken", "resolved_on"]},
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(withdrawn_at__isnull=True)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """It stays with its animal."""
        return ["subject"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """With the zone of the clock."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "at_wall" in form.base_fields:
            form.base_fields[
                "at_wall"
            ].help_text = f"by the clock of the lab{f' ({obj.zone})' if obj else ''}; empty: now"
            form.base_fields["at_wall"].required = obj is not None
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Seen by me."""
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> AdverseEffect:
        """By the name of who saw it."""
        said.pop("subject", None)
        if said.get("user") is not None:
            said["user"] = said["user"].username
        if change:
            return change_adverse_effect(actor=actor, effect=row, changes=said)
        return record_adverse_effect(actor=actor, subject=row.subject, values=said)

    @admin.action(description="Withdraw: recorded by mistake", permissions=["act"])
    def withdraw(self, request: HttpRequest, effects: QuerySet[Any]) -> None:
        """Take them out of every answer."""
        self.each(
            request, effects, lambda effect: withdraw_adverse_effect(actor=request.user, effect=effect), "withdrawn"
        )

    @admin.display(description="when", ordering="at_wall")
    def when(self, effect: AdverseEffect) -> str:
        """The lab's wall clock, with its zone."""
        return f"{effect.at_wall:%Y-%m-%d %H:%M} {effect.zone}"

    @admin.display(description="animal", ordering="subject__nickname")
    def animal(self, effect: AdverseEffect) -> Any:
        """To the animal."""
        return link(effect.subject)

    @admin.display(description="severity", ordering="severity")
    def how_bad(self, effect: AdverseEffect) -> Any:
        """In the terms of the licence."""
        if effect.severity is None:
            return "–"
        severity = Severity(effect.severity)
        return badge(SEVERITY_STATUS[severity], str(severity.label))

    @admin.display(description="resolved", ordering="resolved_on")
    def resolved(self, effect: AdverseEffect) -> Any:
        """Whether it is over."""
        if effect.resolved_on is None:
            return badge(Status.WARNING, "not yet")
        return badge(Status.FINE, str(effect.resolved_on))
