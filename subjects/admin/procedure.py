"""Kinds of procedures, other procedures, virus batches, templates, probe models, implants."""

import json
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import badge, counted, link, page_now
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from alyx.labs.permissions import Right
from subjects.admin.water import AnimalPage
from subjects.models import (
    Implant,
    Injection,
    OtherProcedure,
    ProbeModel,
    ProcedureType,
    SurgeryTemplate,
    VirusBatch,
)
from subjects.permissions import Act
from subjects.services.procedure import (
    change_other_procedure,
    change_virus_batch,
    create_procedure_type,
    create_virus_batch,
    record_other_procedure,
    withdraw_other_procedure,
)
from subjects.services.templates import change_template, create_template


@admin.register(ProcedureType)
class ProcedureTypePage(LabPage):
    """The vocabulary of procedures."""

    list_display = ["name", "description"]
    search_fields = ["name"]
    fields = ["name", "description"]
    lab_path = ""
    right = Right.MANAGE

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> ProcedureType | None:
        """A new word by its service; a change of its description is a plain save."""
        return None if change else create_procedure_type(actor=actor, values=said)


@admin.register(OtherProcedure)
class OtherProcedurePage(AnimalPage):
    """Procedures that are no surgery."""

    moment = "started_wall"
    act = Act.TREAT
    acts: ClassVar[dict[str, Act]] = {"withdraw": Act.WITHDRAW}
    list_display = ["animal", "begun", "done", "people"]
    list_display_links = ["begun"]
    list_select_related = ["subject"]
    list_filter = ["subject__lab"]
    search_fields = ["subject__nickname", "narrative", "procedures__name", "=id"]
    search_help_text = "animal, procedure, words of the narrative, or the id"
    actions = ["withdraw"]
    page_actions: ClassVar[dict[str, str]] = {"withdraw": "Withdraw: it did not happen"}
    wire: ClassVar[dict[str, str]] = {"started_wall": "start_time", "ended_wall": "end_time"}
    labels: ClassVar[dict[str, str]] = {
        "started_wall": "Started",
        "ended_wall": "Ended",
        "users": "By",
        "ethics_review_id": "Ethics review",
    }
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("subject", "procedures"),
                    ("started_wall", "ended_wall"),
                    ("users", "location"),
                    "narrative",
                ]
            },
        ),
        ("More", {"fields": [("name", "severity", "ethics_review_id"), "json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With people and procedures in one query each."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related("users", "procedures")

    def first_values(self, request: HttpRequest) -> dict[str, Any]:
        """By me."""
        return {"users": [request.user.pk]}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Of the animal it was entered for."""
        return ["subject"] if obj else []

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> OtherProcedure:
        """By the service."""
        if change:
            return change_other_procedure(actor=actor, procedure=row, values=said)
        return record_other_procedure(actor=actor, subject=said.pop("subject"), values=said)

    @admin.action(description="Withdraw: it did not happen", permissions=["act"])
    def withdraw(self, request: HttpRequest, procedures: QuerySet[Any]) -> None:
        """Take out of every answer."""
        self.each(
            request,
            procedures,
            lambda one: withdraw_other_procedure(actor=request.user, procedure=one),
            "procedures withdrawn",
        )

    @admin.display(description="when (lab time)", ordering="started_wall")
    def begun(self, procedure: OtherProcedure) -> Any:
        """The wall clock, with its zone on hover."""
        if procedure.started_wall is None:
            return "no date"
        return format_html('<span title="{}">{}</span>', procedure.zone, f"{procedure.started_wall:%Y-%m-%d %H:%M}")

    @admin.display(description="procedures")
    def done(self, procedure: OtherProcedure) -> str:
        """What was done."""
        return ", ".join(one.name for one in procedure.procedures.all()) or "–"

    @admin.display(description="by")
    def people(self, procedure: OtherProcedure) -> str:
        """Who did it."""
        return ", ".join(user.username for user in procedure.users.all()) or "–"


@admin.register(VirusBatch)
class VirusBatchPage(LabPage):
    """Batches of viruses: what is left, how strong, until when."""

    list_display = ["name", "lot", "lab", "construct", "titre", "until", "injected"]
    list_select_related = ["lab"]
    list_filter = ["is_used_up", "lab"]
    search_fields = ["name", "lot", "construct", "serotype", "supplier"]
    search_help_text = "name, lot, construct, serotype or supplier"
    labels: ClassVar[dict[str, str]] = {"titer_gc_per_ml": "Titre (gc/mL)", "is_used_up": "Used up"}
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "lot", "lab"),
                    ("construct", "serotype", "titer_gc_per_ml"),
                    ("supplier", "made_on", "expires_on"),
                    "is_used_up",
                    "description",
                ]
            },
        ),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of injections."""
        shown = counted(Injection.objects.filter(surgery__withdrawn_at__isnull=True), "virus_batch")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(n_injections=shown)
        return rows

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Of my lab."""
        return {**my_lab(request), **super().get_changeform_initial_data(request)}

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> VirusBatch:
        """By the service."""
        if change:
            return change_virus_batch(actor=actor, batch=row, values=said)
        return create_virus_batch(actor=actor, values=said)

    @admin.display(description="titre (gc/mL)", ordering="titer_gc_per_ml")
    def titre(self, batch: VirusBatch) -> str:
        """As people write it."""
        return "–" if batch.titer_gc_per_ml is None else f"{batch.titer_gc_per_ml:.2g}"

    @admin.display(description="until", ordering="expires_on")
    def until(self, batch: VirusBatch) -> Any:
        """Whether it can be used."""
        if batch.is_used_up:
            return badge(Status.NEUTRAL, "used up")
        if batch.expires_on and batch.expires_on < page_now().date():
            return badge(Status.WARNING, f"expired {batch.expires_on}")
        return batch.expires_on or "–"

    @admin.display(description="injections", ordering="n_injections")
    def injected(self, batch: Any) -> int:
        """How often it was injected."""
        return int(batch.n_injections)


_CONTENT_HELP = (
    "Keys, all optional: procedures (names), drugs (drug, dose_mg_per_kg or dose_percent, route, repeat_h), parts (part: headplate, "
    "craniotomy, injection, implant or perfusion, with their values), implant_weight_g, location, anaesthetic, narrative, "
    "outcome_type, events (one-tap names in surgery mode), post_op_days (days after the end), score_sheet (key, question, highest)."
)
_EXAMPLE: dict[str, Any] = {
    "procedures": ["Headplate implant"],
    "drugs": [],
    "parts": [{"part": "headplate"}],
    "post_op_days": [1, 2, 3],
}


@admin.register(SurgeryTemplate)
class SurgeryTemplatePage(LabPage):
    """Templates of a lab's usual surgeries."""

    list_display = ["name", "lab", "description", "surgeries_", "is_active"]
    list_select_related = ["lab"]
    list_filter = ["is_active", "lab"]
    search_fields = ["name", "description"]
    labels: ClassVar[dict[str, str]] = {"is_active": "In use"}
    fieldsets = [(None, {"fields": [("name", "lab"), "description", "content", "is_active"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of surgeries that began with it."""
        surgeries: Any = SurgeryTemplate._meta.get_field("surgeries").related_model
        shown = counted(surgeries.objects.shown(), "template")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(n_surgeries=shown)
        return rows

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Of my lab, with something to begin from."""
        return {**my_lab(request), "content": _EXAMPLE, **super().get_changeform_initial_data(request)}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The content in lines that can be read."""
        if db_field.name == "content":
            kwargs |= {"form_class": _Content, "help_text": _CONTENT_HELP}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> SurgeryTemplate:
        """By the service."""
        if change:
            return change_template(actor=actor, template=row, values=said)
        return create_template(actor=actor, values=said)

    @admin.display(description="surgeries", ordering="n_surgeries")
    def surgeries_(self, template: Any) -> int:
        """How many began with it."""
        return int(template.n_surgeries)


class _Content(forms.JSONField):
    """JSON over several lines."""

    widget = forms.Textarea(attrs={"rows": 18, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Indented."""
        if isinstance(value, dict | list):
            return json.dumps(value, indent=2, ensure_ascii=False)
        return super().prepare_value(value)


@admin.register(ProbeModel)
class ProbeModelPage(LabPage):
    """Models of probes and fibres."""

    lab_path = ""
    right = Right.MANAGE
    list_display = ["name", "manufacturer", "part_number"]
    search_fields = ["name", "manufacturer", "part_number"]
    fieldsets = [
        (None, {"fields": [("name", "manufacturer", "part_number"), "description"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]


@admin.register(Implant)
class ImplantPage(ReadOnlyPage):
    """Probes, fibres and cannulas that stay: written in their surgery."""

    list_display = ["name_", "animal", "kind", "probe_model", "where", "in_surgery"]
    list_select_related = ["subject", "surgery__subject", "probe_model"]
    list_filter = ["kind", "lab"]
    search_fields = ["subject__nickname", "name", "serial", "target", "=id"]
    search_help_text = "animal, name, serial number or target"
    fields = (
        ("animal", "in_surgery", "lab"),
        ("kind", "name", "serial", "probe_model"),
        ("where", "angles"),
        ("started_wall", "removed_on"),
        "narrative",
    )
    readonly_fields = ("animal", "in_surgery", "where", "angles")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn."""
        rows: QuerySet[Any] = super().get_queryset(request).filter(withdrawn_at__isnull=True)
        return rows

    @admin.display(description="name", ordering="name")
    def name_(self, implant: Implant) -> str:
        """Its name, or what it is."""
        return implant.name or implant.get_kind_display()

    @admin.display(description="subject", ordering="subject__nickname")
    def animal(self, implant: Implant) -> Any:
        """In which animal."""
        return link(implant.subject)

    @admin.display(description="surgery")
    def in_surgery(self, implant: Implant) -> Any:
        """Where it is written."""
        return link(implant.surgery)

    @admin.display(description="where")
    def where(self, implant: Implant) -> str:
        """Target and coordinates, with what they are relative to."""
        axes = (("AP", implant.ap_mm), ("ML", implant.ml_mm), ("DV", implant.dv_mm))
        numbers = " ".join(f"{axis} {value:+.2f}" for axis, value in axes if value is not None)
        return f"{implant.target} {numbers} mm from {implant.reference}".strip() if numbers else implant.target or "–"

    @admin.display(description="depth and angles")
    def angles(self, implant: Implant) -> str:
        """As planned or reached."""
        said = (
            ("depth", implant.depth_mm, "mm"),
            ("pitch", implant.pitch_deg, "°"),
            ("yaw", implant.yaw_deg, "°"),
            ("roll", implant.roll_deg, "°"),
        )
        return ", ".join(f"{name} {value:g} {unit}" for name, value, unit in said if value is not None) or "–"


def my_lab(request: HttpRequest) -> dict[str, Any]:
    """The first value of a form: of my lab."""
    user: Any = request.user
    lab = user.labs.first()
    return {"lab": lab.pk} if lab else {}
