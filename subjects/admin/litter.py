"""Litters: entered, genotyped and weaned, each on one page."""

from functools import cache
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from alyx.core.admin_shown import badge, counted, page_now, page_of
from alyx.core.clock import utc_to_wall
from alyx.core.reading import readable
from alyx.core.status import Status
from subjects.admin import filters
from subjects.admin.colony import ColonyPage
from subjects.admin.litter_entry import entry_view
from subjects.admin.litter_genotype import genotype_view
from subjects.admin.shown import age_of, genotype_of, standing_of
from subjects.admin.work import WorkForm, carried_out, day_field, work_page
from subjects.models import Litter, Sex, Subject, Zygosity
from subjects.services.colony import change_litter, wean_litter


class WeanForm(WorkForm):
    """When, and into which cages."""

    column_of = {"wean_date": "weaned_on", "subjects": "", "at": "weaned_on"}
    weaned_on = day_field(label="Weaned")
    females = forms.CharField(label="Cage of the females", max_length=64, required=False)
    males = forms.CharField(label="Cage of the males", max_length=64, required=False)
    unknown = forms.CharField(label="Cage of those of unknown sex", max_length=64, required=False)

    CAGES = {"females": Sex.FEMALE, "males": Sex.MALE, "unknown": Sex.UNKNOWN}

    def cages(self) -> dict[str, str]:
        """By sex; empty: they stay where they are."""
        return {sex.value: self.cleaned_data[name] for name, sex in self.CAGES.items() if self.cleaned_data[name]}


class WeanedFilter(admin.SimpleListFilter):
    """What is to be done with a litter."""

    title, parameter_name = "to do", "todo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The answers."""
        return [("wean", "not weaned"), ("genotype", "with pups to be genotyped")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        living = Subject.objects.shown().alive()
        if self.value() == "wean":
            return queryset.filter(weaned_on__isnull=True, pk__in=living.values("litter"))
        if self.value() == "genotype":
            return queryset.filter(pk__in=living.filter(to_be_genotyped=True).values("litter"))
        return queryset


@admin.register(Litter)
class LitterPage(ColonyPage):
    """Pups born together."""

    list_display = ["name", "line", "lab", "breeding_pair", "born_on", "weaning", "n_born", "n_pups", "n_alive"]
    list_select_related = ["line", "lab", "breeding_pair"]
    list_filter = [WeanedFilter, filters.LineFilter, "lab", "born_on"]
    search_fields = ["name", "breeding_pair__name", "subjects__nickname"]
    search_help_text = "name, breeding pair, or nickname of a pup"
    wire: ClassVar[dict[str, str]] = {"born_on": "birth_date", "weaned_on": "wean_date"}
    labels: ClassVar[dict[str, str]] = {"n_born": "Born in all"}
    change_form_template = "admin/subjects/litter_page.html"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "line", "breeding_pair", "lab"),
                    ("born_on", "weaned_on", "n_born"),
                    "description",
                ]
            },
        ),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of pups."""
        rows: QuerySet[Any] = super().get_queryset(request)
        annotated: QuerySet[Any] = rows.annotate(
            pups_=counted(Subject.objects.shown(), "litter"), alive_=counted(Subject.objects.shown().alive(), "litter")
        )
        return annotated

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Litter:
        """A litter that is there; a new one has its own page."""
        return change_litter(actor=actor, litter=row, changes=said)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """With its pups."""
        return entry_view(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With its pups, and the ways to its jobs."""
        litter = self.get_object(request, unquote(object_id))
        shown = (
            {} if litter is None else {"pups": cache(lambda: self._pups(request, litter)), "jobs": self._jobs(litter)}
        )
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    def _pups(self, request: HttpRequest, litter: Litter) -> list[dict[str, Any]]:
        zygosities = Prefetch("zygosities", Zygosity.objects.select_related("allele"))
        rows = readable(request.user, Subject.objects.shown().filter(litter=litter))
        rows = rows.select_related("lab", "responsible_user")
        return [
            {"animal": pup, "age": age_of(pup), "standing": standing_of(pup), "genotype": genotype_of(pup)}
            for pup in rows.prefetch_related(zygosities).order_by("nickname", "id")
        ]

    def _jobs(self, litter: Litter) -> list[tuple[str, str]]:
        words = {"genotype": "Genotype", "wean": "Wean", "pups": "More pups"}
        return [(reverse(f"admin:subjects_litter_{name}", args=[litter.pk]), verb) for name, verb in words.items()]

    def get_urls(self) -> list[URLPattern]:
        """With the pages of its jobs."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:key>/genotype/", view(self.genotype_page), name="subjects_litter_genotype"),
            path("<uuid:key>/wean/", view(self.wean_page), name="subjects_litter_wean"),
            path("<uuid:key>/pups/", view(self.pups_page), name="subjects_litter_pups"),
            *super().get_urls(),
        ]

    def _found(self, request: HttpRequest, key: Any) -> Litter:
        rows = readable(request.user, Litter.objects.select_related("lab", "line", "breeding_pair"))
        litter: Litter | None = rows.filter(pk=key).first()
        if litter is None:
            raise Http404
        return litter

    def genotype_page(self, request: HttpRequest, key: Any) -> HttpResponse:
        """Pups × sequences."""
        return genotype_view(self, request, self._found(request, key))

    def pups_page(self, request: HttpRequest, key: Any) -> HttpResponse:
        """More pups."""
        return entry_view(self, request, self._found(request, key))

    def wean_page(self, request: HttpRequest, key: Any) -> HttpResponse:
        """The day, and a cage per sex."""
        litter = self._found(request, key)
        if not self.has_change_permission(request, litter):
            raise PermissionDenied
        zone = litter.lab.timezone if litter.lab else "UTC"
        form = WeanForm(request.POST or None, initial={"weaned_on": utc_to_wall(page_now(), zone).date()})
        if request.method == "POST" and form.is_valid():
            weaned = carried_out(form, lambda: self._wean(request, litter, form))
            if weaned is not None:
                self.message_user(request, f"{len(weaned)} pups of {litter} weaned", messages.SUCCESS)
                return HttpResponseRedirect(page_of(litter))
        return work_page(
            self,
            request,
            "admin/subjects/wean_page.html",
            title="Wean",
            about=litter,
            form=form,
            verb="Wean",
            pups=[pup for pup in self._pups(request, litter) if pup["animal"].died_on is None],
        )

    def _wean(self, request: HttpRequest, litter: Litter, form: WeanForm) -> list[Subject]:
        day = form.cleaned_data["weaned_on"]
        return wean_litter(actor=request.user, litter=litter, wean_date=day, cages=form.cages())

    @admin.display(description="weaned", ordering="weaned_on")
    def weaning(self, litter: Any) -> Any:
        """When, or that it waits."""
        if litter.weaned_on:
            return litter.weaned_on
        return badge(Status.WARNING, "not weaned") if litter.alive_ else "–"

    @admin.display(description="pups", ordering="pups_")
    def n_pups(self, litter: Any) -> int:
        """How many are entered."""
        return int(litter.pups_)

    @admin.display(description="alive", ordering="alive_")
    def n_alive(self, litter: Any) -> int:
        """How many live."""
        return int(litter.alive_)
