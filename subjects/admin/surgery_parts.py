"""The parts of a surgery on its page: a row per headplate, craniotomy, injection, implant, perfusion, drug, event."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import Page
from alyx.core.errors import DomainError
from subjects.models import (
    Craniotomy,
    DrugGiven,
    Headplate,
    Implant,
    Injection,
    Perfusion,
    Surgery,
    TimelineEntry,
)

_PLACE = ("target", "reference", "ap_mm", "ml_mm", "dv_mm")


class PartForm(forms.ModelForm[Any]):
    """A part. Whoever added a row means it, empty as it may be: a headplate is one without its type, too."""

    refused: ClassVar[DomainError | None] = None

    def has_changed(self) -> bool:
        """A new row always."""
        return (self.is_bound and self.empty_permitted) or super().has_changed()

    def clean(self) -> dict[str, Any] | None:
        """Say what a service refused beside the field: it named it by our prefix."""
        cleaned = super().clean()
        said = self.refused.fields if self.refused is not None else {}
        for name in self.fields:
            if sentences := said.get(self.add_prefix(name)):
                self.add_error(name, list(sentences))
        return cleaned


class PartInline(admin.StackedInline[Any, Surgery]):
    """A kind of part: folded away while there is none."""

    part: ClassVar[str] = ""
    """Its name in `subjects.services.parts`."""
    verb: ClassVar[str] = ""
    """On the button that adds one."""
    labels: ClassVar[dict[str, str]] = {}
    optional: ClassVar[tuple[str, ...]] = ()
    """Fields that the service fills when they are left empty."""
    form = PartForm
    extra = 0
    formfield_overrides = {
        **Page.formfield_overrides,
        models.TextField: {"widget": forms.Textarea(attrs={"rows": 1})},
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn."""
        rows: QuerySet[Any] = super().get_queryset(request)
        is_kept = any(field.name == "withdrawn_at" for field in self.opts.fields)
        return rows.filter(withdrawn_at__isnull=True) if is_kept else rows

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """With what was refused, and with our labels."""
        refused = getattr(request, "refused", None)
        formset: Any = super().get_formset(request, obj, form=type("Part", (PartForm,), {"refused": refused}), **kwargs)
        for name, field in formset.form.base_fields.items():
            field.label = self.labels.get(name, _LABELS.get(name, field.label))
            if name in self.optional:
                field.required = False
            field.widget.attrs["title"], field.help_text = field.help_text, ""
        return formset

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Of another record only a new one can be made from here: fewer stops on the way by keyboard."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget: Any = getattr(field, "widget", None)
        if hasattr(widget, "can_change_related"):
            widget.can_change_related = widget.can_delete_related = widget.can_view_related = False
        return field

    def _writes(self, request: HttpRequest, obj: Any = None) -> bool:
        page: Any = self.admin_site._registry[Surgery]
        return bool(page.has_change_permission(request, obj))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody sees what was done."""
        return True

    has_add_permission = has_change_permission = has_delete_permission = _writes


_LABELS = {
    "ap_mm": "AP (mm)",
    "ml_mm": "ML (mm)",
    "dv_mm": "DV (mm)",
    "target": "Target",
    "reference": "From",
    "at_wall": "At",
    "narrative": "Notes",
    "volume_nl": "Volume (nL)",
    "rate_nl_per_min": "Rate (nL/min)",
    "duration_min": "Duration (min)",
    "current_ua": "Current (µA)",
    "angle_deg": "Angle (°)",
    "size_mm": "Size (mm)",
    "second_size_mm": "Second side (mm)",
    "depth_mm": "Depth (mm)",
    "pitch_deg": "Pitch (°)",
    "yaw_deg": "Yaw (°)",
    "roll_deg": "Roll (°)",
    "volume_ml": "Volume (mL)",
    "dose_mg_per_kg": "Dose (mg/kg)",
    "dose_percent": "Level (%)",
    "concentration_mg_per_ml": "Strength (mg/mL)",
    "weight_g": "Weight (g)",
    "ended_wall": "Stopped at",
}


class HeadplateInline(PartInline):
    """Headplates."""

    model, part, verb = Headplate, "headplate", "Headplate"
    fieldsets = [(None, {"fields": [("headframe_type", "part_number", "well_type", "cement"), "narrative"]})]


class CraniotomyInline(PartInline):
    """Craniotomies."""

    model, part, verb = Craniotomy, "craniotomy", "Craniotomy"
    fieldsets = [
        (None, {"fields": [_PLACE, ("shape", "size_mm", "second_size_mm", "cover", "dura_removed"), "narrative"]})
    ]


class InjectionInline(PartInline):
    """Injections."""

    model, part, verb = Injection, "injection", "Injection"
    autocomplete_fields = ["virus_batch"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("virus_batch", "material", "lot", "type"),
                    ("volume_nl", "rate_nl_per_min", "duration_min", "current_ua", "angle_deg"),
                    _PLACE,
                    "narrative",
                ]
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the batches in one query."""
        return super().get_queryset(request).select_related("virus_batch")


class ImplantInline(PartInline):
    """Implants: chronic insertions, to the clients."""

    model, part, verb = Implant, "implant", "Implant"
    autocomplete_fields = ["probe_model"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("kind", "name", "probe_model", "serial"),
                    _PLACE,
                    ("depth_mm", "pitch_deg", "yaw_deg", "roll_deg"),
                    "narrative",
                ]
            },
        )
    ]


class PerfusionInline(PartInline):
    """Perfusions."""

    model, part, verb = Perfusion, "perfusion", "Perfusion"
    fieldsets = [(None, {"fields": [("fixative", "volume_ml", "specimen"), "narrative"]})]


class DrugInline(PartInline):
    """Drugs given, with the volume that follows from dose, weight and concentration."""

    model, part, verb = DrugGiven, "drug", "Drug"
    autocomplete_fields = ["drug"]
    optional = ("at_wall", "route")
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("drug", "route", "at_wall", "lot"),
                    ("dose_mg_per_kg", "weight_g", "concentration_mg_per_ml", "volume_ml", "dose_percent"),
                ]
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the drugs in one query."""
        return super().get_queryset(request).select_related("drug")


class EventInline(PartInline):
    """The timeline."""

    model, part, verb = TimelineEntry, "event", "Event"
    optional = ("at_wall",)
    verbose_name_plural = "timeline"
    fieldsets = [(None, {"fields": [("at_wall", "what", "value", "unit")]})]


PARTS: tuple[type[PartInline], ...] = (
    HeadplateInline,
    CraniotomyInline,
    InjectionInline,
    ImplantInline,
    PerfusionInline,
    DrugInline,
    EventInline,
)
"""In the order of the page."""


def parts_of(formsets: Any) -> list[dict[str, Any]]:
    """What the forms say, as the service takes it; rows that did not change say nothing."""
    by_model = {inline.model: inline.part for inline in PARTS}
    said = []
    for formset in formsets:
        part, out = by_model[formset.model], formset.deleted_forms if formset.can_delete else []
        for number, form in enumerate(formset.forms):
            is_new, is_out = number >= formset.initial_form_count(), form in out
            if (is_new and is_out) or not (is_new or is_out or form.has_changed()):
                continue
            given = {"part": part, "place": form.prefix, **({} if is_new else {"id": form.instance.pk})}
            if is_out:
                said.append({**given, "remove": True})
                continue
            names = [name for name in form.fields if name in formset.form.base_fields and name not in {"id", "DELETE"}]
            changed = names if is_new else form.changed_data
            columns = {name: form.cleaned_data[name] for name in names if name in changed}
            empty = {name for name, value in columns.items() if value in (None, "")} if is_new else set()
            said.append({**given, **{name: value for name, value in columns.items() if name not in empty}})
    return said
