"""Cages: who lives where, moved in and out on one page; what can be said of a cage; what is usual in a lab."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join

from alyx.core.admin_forms import PageForm
from alyx.core.admin_shown import ago, badge, link, page_of
from alyx.core.reading import readable
from alyx.core.status import Status
from alyx.core.wall_clock import WallClockFormField, WallClockInput
from alyx.labs.admin import LabPage, roles_of
from alyx.labs.models import Lab
from alyx.labs.permissions import Right
from subjects.models import Housing, HousingOption, LabConditions, Stay, Subject
from subjects.queries.housing import (
    OPTIONS,
    cage_history,
    living_in,
    said_conditions,
    stays_of,
    subjects_named,
    with_stays,
)
from subjects.services.housing import CONDITIONS, change_conditions, house, leave_cage, set_lab_conditions

WORDS: Mapping[str, str] = {"cleaned_every_days": "cage_cleaning_frequency_days"}
LABELS: Mapping[str, str] = {"cleaned_every_days": "Cleaned every … days"}
AS_USUAL = "empty: as usual in the lab"


def conditions_in(said: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of the cage, in the words of the services."""
    return {
        word: said[word].name if word in OPTIONS and said[word] else said[word] for word in CONDITIONS if word in said
    }


class OpenCages(admin.SimpleListFilter):
    """Cages in which somebody lives, unless others are asked for."""

    title = "state"
    parameter_name = "cages"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What else there is."""
        return [("past", "past"), ("all", "past and present")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        if self.value() == "all":
            return queryset
        return queryset.filter(ended_at__isnull=self.value() != "past")

    def choices(self, changelist: Any) -> Any:
        """ "Present" is what other lists call "all"."""
        for choice in super().choices(changelist):
            yield {**choice, "display": "present"} if choice["display"] == "All" else choice


class MyLabs(admin.SimpleListFilter):
    """Cages of my labs, unless another is asked for."""

    title = "lab"
    parameter_name = "of_lab"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each lab, and all."""
        return [*((str(key), name) for key, name in Lab.objects.values_list("pk", "name")[:100]), ("all", "all labs")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        chosen = self.value()
        if chosen and chosen != "all":
            return queryset.filter(lab__in=[key for key, _ in self.lookup_choices if key == chosen])
        mine = roles_of(request)
        return queryset if chosen == "all" or not mine else queryset.filter(lab__in=mine)

    def choices(self, changelist: Any) -> Any:
        """ "Mine" is what other lists call "all"."""
        for choice in super().choices(changelist):
            yield {**choice, "display": "mine"} if choice["display"] == "All" else choice


class CageForm(PageForm):
    """Who moves in and out, when, and what changes."""

    animals = forms.ModelMultipleChoiceField(
        Subject.objects.shown(),
        label="Move in",
        required=False,
        help_text="one that lives elsewhere is moved out of there",
        widget=AutocompleteSelectMultiple(Stay._meta.get_field("subject"), admin.site),
    )
    scanned = forms.CharField(
        label="… or their names, scanned or typed",
        required=False,
        help_text="apart by spaces, commas or lines",
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField", "autocomplete": "off"}),
    )
    leaving = forms.ModelMultipleChoiceField(
        Subject.objects.none(), label="Take out", required=False, widget=forms.CheckboxSelectMultiple
    )
    at = WallClockFormField(label="When", required=False, widget=WallClockInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """With the animals that can leave, and the zone of the clock."""
        super().__init__(*args, **kwargs)
        known = self.instance.lab_id is not None
        zone = f"the clock of the lab ({self.instance.lab.timezone})" if known else "the clock of the lab"
        fields: dict[str, Any] = self.fields
        fields["at"].help_text = f"empty: now; else by {zone}"
        if "leaving" in fields:
            stays = Stay.objects.filter(housing=self.instance.pk, ended_at__isnull=True)
            fields["leaving"].queryset = Subject.objects.filter(pk__in=stays.values("subject"))
        if not known:
            for name in (*OPTIONS, "light_cycle", "cleaned_every_days"):
                fields[name].help_text = AS_USUAL


@admin.register(Housing)
class HousingPage(LabPage):
    """Cages. Every change ends a row and begins another, so the past stays as it was."""

    form = CageForm
    list_display = ["cage", "lab", "inhabitants", "conditions", "since"]
    list_select_related = ["lab", *OPTIONS]
    list_filter = [OpenCages, MyLabs]
    search_fields = ["cage_name"]
    search_help_text = "a cage, or an animal that lives in it"
    change_form_template = "admin/cage_page.html"
    wire: ClassVar[Mapping[str, str]] = {**WORDS, "animals": "subjects"}
    labels: ClassVar[Mapping[str, str]] = {**LABELS, "cage_name": "Cage"}
    _conditions = (("cage_type", "enrichment", "food"), ("light_cycle", "cleaned_every_days"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With who lived there."""
        return with_stays(super().get_queryset(request), reader=request.user)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        """By the name of the cage, or of an animal that lives in it."""
        rows = queryset
        for word in search_term.replace("\x00", "").split():
            stays = readable(request.user, Stay.objects.filter(subject__nickname__icontains=word))
            stays = stays.filter(housing=OuterRef("pk"))
            rows = rows.filter(Q(cage_name__icontains=word) | Exists(stays.filter(ended_at__isnull=True)))
        return rows, False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """A new cage is named; one that is open is entered and left; a past one is shown."""
        if obj is None:
            return [("cage_name", "lab"), "animals", "scanned", "at", *self._conditions]
        moves = ["animals", "scanned", "leaving", "at"] if self.has_change_permission(request, obj) else []
        return [*moves, *self._conditions, ("lab", "since", "until")]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A cage stays in its lab."""
        return [] if obj is None else ["lab", "since", "until"]

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """The past is not rewritten."""
        return (obj is None or obj.ended_at is None) and super().may_write(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """In my lab."""
        user: Any = request.user
        lab = user.labs.first()
        return {**({"lab": lab.pk} if lab else {}), **super().get_changeform_initial_data(request)}

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Housing:
        """Move in, change, move out, as one."""
        conditions, at = conditions_in(said), said.get("at")
        animals = [*said.get("subjects", ()), *subjects_named(row.lab, said.get("scanned", ""), field="scanned")]
        if not change:
            conditions = {word: value for word, value in conditions.items() if value not in {None, ""}}
        if animals or not change:
            row = house(
                actor=actor, subjects=animals, cage_name=row.cage_name, lab=row.lab, at=at, conditions=conditions
            )
        elif conditions:
            row = change_conditions(actor=actor, housing=row, conditions=conditions, at=at)
        if said.get("leaving"):
            leave_cage(actor=actor, subjects=said["leaving"], at=at)
        return Housing.objects.get(pk=row.pk)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Who lives there now."""
        return HttpResponseRedirect(page_of(obj))

    response_post_save_change = response_post_save_add

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With who lives there, and its past."""
        found = self.get_object(request, unquote(object_id))
        rows = cage_history(found, reader=request.user) if found is not None else []
        shown = {
            "lived": [stay for row in rows if found is not None and row.pk == found.pk for stay in stays_of(row)],
            "history": [
                {"row": row, "conditions": said_conditions(row) or "–", "animals": stays_of(row)} for row in rows
            ],
            "now": next((row for row in rows if row.ended_at is None), None),
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    @admin.display(description="cage", ordering="cage_name")
    def cage(self, housing: Housing) -> str:
        """Its name."""
        return housing.cage_name

    @admin.display(description="animals")
    def inhabitants(self, housing: Housing) -> Any:
        """Who lives there."""
        return format_html_join(", ", "{}", ((link(subject),) for subject in living_in(housing))) or "–"

    @admin.display(description="conditions")
    def conditions(self, housing: Housing) -> str:
        """In one line."""
        return said_conditions(housing) or "–"

    @admin.display(description="unchanged since", ordering="started_at")
    def since(self, housing: Housing) -> Any:
        """When its last change was."""
        if housing.started_wall is None:
            return "–"
        return format_html(
            "{} {} ({})", f"{housing.started_wall:%Y-%m-%d %H:%M}", housing.zone, ago(housing.started_at)
        )

    @admin.display(description="until")
    def until(self, housing: Housing) -> Any:
        """To when it was so."""
        if housing.ended_at is None:
            return badge(Status.FINE, "now")
        return badge(Status.NEUTRAL, f"{housing.ended_wall:%Y-%m-%d %H:%M} {housing.zone}")


@admin.register(HousingOption)
class HousingOptionPage(LabPage):
    """Cage types, enrichments, foods."""

    lab_path = ""
    right = Right.MANAGE
    list_display = ["name", "kind", "description"]
    list_filter = ["kind"]
    search_fields = ["name", "description"]
    fields = [("name", "kind"), "description"]


@admin.register(LabConditions)
class LabConditionsPage(LabPage):
    """How animals live in a lab when nothing else is said."""

    right = Right.MANAGE
    list_display = ["lab", "cage_type", "enrichment", "food", "light_cycle", "cleaned_every_days"]
    list_select_related = ["lab", *OPTIONS]
    search_fields = ["lab__name"]
    wire = WORDS
    labels = LABELS
    fieldsets = [
        (None, {"fields": ["lab", ("cage_type", "enrichment", "food"), ("light_cycle", "cleaned_every_days")]})
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Conditions stay with their lab."""
        return ["lab"] if obj else []

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> LabConditions:
        """By the service."""
        return set_lab_conditions(actor=actor, lab=row.lab, values=conditions_in(said))
