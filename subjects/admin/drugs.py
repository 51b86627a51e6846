"""Drugs as labs keep them, and drugs given."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from alyx.core.admin_shown import link
from alyx.labs.admin import LabPage
from subjects.admin.procedure import my_lab
from subjects.admin.water import AnimalPage
from subjects.models import Drug, DrugGiven, Route
from subjects.permissions import Act
from subjects.rules.surgery import volume_of
from subjects.services.drugs import change_drug, create_drug, give_drug, withdraw_drug


@admin.register(Drug)
class DrugPage(LabPage):
    """Drugs as labs keep them."""

    list_display = ["name", "strength", "usual", "highest", "use", "route", "lab", "is_active"]
    list_select_related = ["lab"]
    list_filter = ["use", "is_active", "lab"]
    search_fields = ["name"]
    labels: ClassVar[dict[str, str]] = {
        "concentration_mg_per_ml": "Concentration (mg/mL)",
        "dose_mg_per_kg": "Usual dose (mg/kg)",
        "max_dose_mg_per_kg": "Highest dose (mg/kg)",
        "dose_percent": "Usual level (%)",
        "is_active": "In use",
    }
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "lab"),
                    ("use", "route"),
                    ("concentration_mg_per_ml", "dose_mg_per_kg", "max_dose_mg_per_kg", "dose_percent"),
                    "is_active",
                    "description",
                ]
            },
        )
    ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Of my lab."""
        return {**my_lab(request), **super().get_changeform_initial_data(request)}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """No number of a drug is zero or less."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.FloatField):
            field.validators = [*field.validators, _above_zero]
        return field

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        """In a box that searches, those in use."""
        found, doubled = super().get_search_results(request, queryset, search_term)
        return (found.filter(is_active=True) if request.path.endswith("/autocomplete/") else found), doubled

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Drug:
        """By the service."""
        if change:
            return change_drug(actor=actor, drug=row, values=said)
        return create_drug(actor=actor, values=said)

    @admin.display(description="mg/mL", ordering="concentration_mg_per_ml")
    def strength(self, drug: Drug) -> str:
        """Its concentration."""
        return _number(drug.concentration_mg_per_ml)

    @admin.display(description="usual dose")
    def usual(self, drug: Drug) -> str:
        """With its unit."""
        if drug.dose_percent is not None:
            return f"{drug.dose_percent:g} %"
        return f"{drug.dose_mg_per_kg:g} mg/kg" if drug.dose_mg_per_kg is not None else "–"

    @admin.display(description="highest (mg/kg)", ordering="max_dose_mg_per_kg")
    def highest(self, drug: Drug) -> str:
        """Above it the form asks."""
        return _number(drug.max_dose_mg_per_kg)


@admin.register(DrugGiven)
class DrugGivenPage(AnimalPage):
    """Drugs given, in surgeries and outside; here one is given outside. The volume follows when nobody types it."""

    act = Act.TREAT
    acts: ClassVar[dict[str, Act]] = {"withdraw": Act.WITHDRAW}
    list_display = ["animal", "when", "drug", "dose", "volume", "route", "user", "in_surgery"]
    list_display_links = ["when"]
    list_select_related = ["subject", "user", "drug", "surgery__subject"]
    list_filter = ["subject__lab"]
    actions = ["withdraw"]
    page_actions: ClassVar[dict[str, str]] = {"withdraw": "Withdraw: it was not given"}
    search_fields = ["subject__nickname", "drug__name", "lot", "=id"]
    search_help_text = "animal, drug, lot, or the id"
    fields = [
        ("subject", "drug", "route"),
        ("at_wall", "user"),
        ("dose_mg_per_kg", "weight_g", "concentration_mg_per_ml", "volume_ml", "dose_percent"),
        "lot",
        "narrative",
    ]
    wire: ClassVar[dict[str, str]] = {"at_wall": "date_time"}
    labels: ClassVar[dict[str, str]] = {
        "at_wall": "Given at",
        "user": "Given by",
        "dose_mg_per_kg": "Dose (mg/kg)",
        "weight_g": "Weight (g)",
        "concentration_mg_per_ml": "Concentration (mg/mL)",
        "volume_ml": "Volume (mL)",
        "dose_percent": "Level (%)",
    }
    helps: ClassVar[dict[str, str]] = {
        "route": "empty: the drug's usual",
        "dose_mg_per_kg": "empty: the drug's usual dose",
        "weight_g": "empty: the last one that counts",
        "concentration_mg_per_ml": "empty: the drug's",
        "volume_ml": "empty: worked out",
    }

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was given is withdrawn and entered again; in a surgery it is changed there."""
        return obj is None and super().has_change_permission(request)

    def may_press(self, request: HttpRequest, action: str, obj: Any) -> bool:
        """Who gave it takes it back; what others gave is for those who may withdraw."""
        mine = obj.user_id == request.user.pk
        return self._may(request, Act.TREAT, obj) and (mine or super().may_press(request, action, obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """What the service fills may stay empty."""
        form = super().get_form(request, obj, change=change, **kwargs)
        for name, words in self.helps.items():
            if name in form.base_fields:
                form.base_fields[name].help_text = words
        if "route" in form.base_fields and obj is None:
            form.base_fields["route"].required = False
            form.base_fields["route"].initial = ""
            form.base_fields["route"].choices = [("", "usual"), *Route.choices]
        return form

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> DrugGiven:
        """By the service: what is empty it fills."""
        subject = said.pop("subject")
        return give_drug(
            actor=actor,
            subject=subject,
            values={name: value for name, value in said.items() if value not in (None, "")},
        )

    @admin.action(description="Withdraw: it was not given", permissions=["act"])
    def withdraw(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Take out of every answer."""
        self.each(request, rows, lambda one: withdraw_drug(actor=request.user, given=one), "drugs withdrawn")

    @admin.display(description="dose")
    def dose(self, given: DrugGiven) -> str:
        """With its unit."""
        if given.dose_percent is not None:
            return f"{given.dose_percent:g} %"
        return f"{given.dose_mg_per_kg:.3g} mg/kg" if given.dose_mg_per_kg is not None else "–"

    @admin.display(description="mL", ordering="volume_ml")
    def volume(self, given: DrugGiven) -> Any:
        """What was drawn up, with how it was worked out on hover."""
        if given.volume_ml is None:
            return "–"
        computed = volume_of(given.dose_mg_per_kg, given.weight_g, given.concentration_mg_per_ml)
        return format_html(
            '<span title="{}">{}</span>', computed.explained if computed else "", f"{given.volume_ml:.2f}"
        )

    @admin.display(description="surgery")
    def in_surgery(self, given: DrugGiven) -> Any:
        """In which it was given."""
        return link(given.surgery)


def _above_zero(value: float) -> None:
    if value <= 0:
        raise forms.ValidationError(f"{value:g} is not above 0; leave it empty when it does not apply")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
