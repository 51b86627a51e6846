"""The list of animals and the page of one."""

from functools import cache
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from alyx.core.admin_shown import counted
from alyx.labs.admin import LabPage, names
from subjects.admin import filters
from subjects.admin.many import job_view
from subjects.admin.of_animal import may_do, may_do_somewhere
from subjects.admin.pedigree import pedigree_of
from subjects.admin.shown import age_of, genotype_of, standing_of, water_of, weight_of
from subjects.admin.subject_jobs import JOBS
from subjects.admin.subject_page import sheet
from subjects.admin.work import work_page
from subjects.models import Subject, Zygosity
from subjects.permissions import Act
from subjects.queries.water import welfare_today
from subjects.services.subject import change_subject, create_subject, withdraw_subject

PARENT_BOXES = {"father": ("M", "U"), "mother1": ("F", "U"), "mother2": ("F", "U")}
"""Boxes of breeding pairs → the sexes that can be meant."""


class SubjectList(ChangeList):
    """A page of animals, with today's weight and water of those shown and of no others."""

    def get_results(self, request: HttpRequest) -> None:
        """One reading for the whole page."""
        super().get_results(request)
        rows, several = list(self.result_list), len(filters.choices(request)["lab"]) > 1
        days = welfare_today(rows)
        for row in rows:
            row.day = days.get(row.pk)
            row.lab_shown = row.lab if several else ""
        self.result_list: Any = rows


@admin.register(Subject)
class SubjectPage(LabPage):
    """Animals."""

    list_display = [
        "nickname", "standing", "sex_", "age", "line_", "genotype", "cage",
        "weight", "water", "who", "n_sessions",
    ]  # fmt: skip
    list_select_related = ["lab", "responsible_user", "line", "litter"]
    list_filter = [
        filters.AliveFilter, filters.WhoseFilter, filters.NeedsFilter, filters.CageFilter, filters.SexFilter,
        filters.LineFilter, filters.LabFilter, filters.PersonFilter,
    ]  # fmt: skip
    empty_value_display = ""
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["nickname", "ear_mark", "=cage_name", "=id"]
    search_help_text = "nickname, ear mark, cage or id; finds the dead as well"
    wire: ClassVar[dict[str, str]] = {
        "born_on": "birth_date",
        "died_on": "death_date",
        "weaned_on": "wean_date",
        "genotyped_on": "genotype_date",
        "reduced_on": "reduced_date",
        "cage_name": "cage",
    }
    actions = ["hand_over", "move", "mark", "cull", "withdraw"]
    change_form_template = "admin/subjects/subject_page.html"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("nickname", "lab", "responsible_user"),
                    ("sex", "born_on", "died_on"),
                    "projects",
                    "description",
                ]
            },
        ),
        (
            "Colony",
            {
                "fields": [
                    ("line", "litter", "ear_mark"),
                    ("species", "strain", "source"),
                    ("cage_name", "weaned_on", "name"),
                ]
            },
        ),
        ("To do", {"fields": [("to_be_genotyped", "genotyped_on", "to_be_culled", "reduced_on")]}),
        (
            "Licence and severity",
            {"fields": [("licence", "protocol_number", "actual_severity"), "adverse_effects", "export_id"]},
        ),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    # Who may.

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """By how the person stands to this animal; a new one by the right to register in its lab."""
        if obj is None:
            return may_do_somewhere(request, Act.MANAGE)
        return self.has_right(request, self.right, obj) if obj.created_at is None else may_do(request, Act.MANAGE, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who registers in a lab."""
        return self.has_module_permission(request) and self.has_right(request, self.right)

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Moving to a cage is for whoever records; each job's service decides animal by animal."""
        return may_do_somewhere(request, Act.RECORD)

    # The list.

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """With weight and water."""
        return SubjectList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn, with the number of their sessions and their zygosities."""
        sessions: Any = Subject._meta.get_field("sessions").related_model
        shown = counted(sessions.objects.filter(withdrawn_at__isnull=True), "subject")
        zygosities = Prefetch("zygosities", Zygosity.objects.select_related("allele"))
        rows: QuerySet[Any] = super().get_queryset(request).filter(withdrawn_at__isnull=True)
        annotated: QuerySet[Any] = rows.annotate(n_sessions_=shown).prefetch_related(zygosities)
        return annotated

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """In a box for a father no females, for a mother no males."""
        rows, twice = super().get_search_results(request, queryset, search_term)
        sexes = PARENT_BOXES.get(request.GET.get("field_name", ""))
        return (rows.filter(sex__in=sexes) if sexes else rows), twice

    @admin.display(description="state", ordering="died_on")
    def standing(self, subject: Subject) -> Any:
        """Alive or dead."""
        return standing_of(subject)

    @admin.display(description="age", ordering="-born_on")
    def age(self, subject: Subject) -> Any:
        """In weeks."""
        return age_of(subject) if subject.born_on else ""

    @admin.display(description="sex", ordering="sex")
    def sex_(self, subject: Subject) -> Any:
        """The letter, the word on hover."""
        return format_html('<span title="{}">{}</span>', subject.get_sex_display(), subject.sex)

    @admin.display(description="line, litter", ordering="line__name")
    def line_(self, subject: Subject) -> Any:
        """Its line, and below it its litter."""
        litter = format_html("<br><small>{}</small>", subject.litter) if subject.litter else ""
        return format_html("{}{}", subject.line or "", litter)

    @admin.display(description="cage", ordering="cage_name")
    def cage(self, subject: Subject) -> str:
        """Where it lives."""
        return subject.cage_name

    @admin.display(description="responsible", ordering="responsible_user__username")
    def who(self, subject: Any) -> Any:
        """Whose it is, and where there are several labs, of which."""
        if not subject.lab_shown:
            return subject.responsible_user or ""
        return format_html("{}<br><small>{}</small>", subject.responsible_user or "nobody", subject.lab_shown)

    @admin.display(description="genotype")
    def genotype(self, subject: Subject) -> Any:
        """What it carries."""
        return genotype_of(subject) if subject.zygosities.all() else ""

    @admin.display(description="weight")
    def weight(self, subject: Any) -> Any:
        """Per cent of the expected weight with its state."""
        return weight_of(subject.day)

    @admin.display(description="water due")
    def water(self, subject: Any) -> str:
        """What is still to be given today."""
        return water_of(subject.day)

    @admin.display(description="sessions", ordering="n_sessions_")
    def n_sessions(self, subject: Any) -> int:
        """How many sessions it has."""
        return int(subject.n_sessions_)

    # The page of one.

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """A new animal without a nickname gets the next automatic one."""
        form = super().get_form(request, obj, change=change, **kwargs)
        nickname = form.base_fields.get("nickname")
        if obj is None and nickname is not None:
            nickname.required = False
            nickname.help_text = "empty: the next number of its line, else of its lab"
        return form

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Subject:
        """Rows stand for their names; a project goes by its name."""
        if "projects" in said:
            said["projects"] = names(said["projects"])
        if change:
            return change_subject(actor=actor, subject=row, changes=said)
        return create_subject(actor=actor, values=said)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new animal is mine, in my lab; the rest as the address says."""
        user: Any = request.user
        lab = user.labs.first()
        mine = {"responsible_user": user.pk, **({"lab": lab.pk} if lab else {})}
        return {**mine, **super().get_changeform_initial_data(request)}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With everything about the animal above its form."""
        subject = self.get_object(request, unquote(object_id))
        shown = {} if subject is None else {"sheet": cache(lambda: sheet(request, subject))}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    # Jobs.

    def get_urls(self) -> list[URLPattern]:
        """With the pages of jobs."""
        view = self.admin_site.admin_view
        return [
            path("job/<slug:slug>/", view(self.job_page), name="subjects_subject_job"),
            path("<uuid:key>/pedigree/", view(self.pedigree_page), name="subjects_subject_pedigree"),
            *super().get_urls(),
        ]

    def job_page(self, request: HttpRequest, slug: str) -> HttpResponse:
        """`…/job/<slug>/?ids=…`."""
        if slug not in JOBS:
            raise Http404
        return job_view(self, request, JOBS[slug])

    def _open(self, request: HttpRequest, slug: str, subjects: QuerySet[Any]) -> HttpResponse:
        keys = list(subjects.order_by("nickname").values_list("pk", flat=True))
        return job_view(self, request, JOBS[slug], keys)

    @admin.action(description="Hand over to another person…", permissions=["act"])
    def hand_over(self, request: HttpRequest, subjects: QuerySet[Any]) -> HttpResponse:
        """The page of it."""
        return self._open(request, "hand-over", subjects)

    @admin.action(description="Move to a cage…", permissions=["act"])
    def move(self, request: HttpRequest, subjects: QuerySet[Any]) -> HttpResponse:
        """The page of it."""
        return self._open(request, "move", subjects)

    @admin.action(description="Mark to be genotyped or culled…", permissions=["act"])
    def mark(self, request: HttpRequest, subjects: QuerySet[Any]) -> HttpResponse:
        """The page of it."""
        return self._open(request, "mark", subjects)

    @admin.action(description="Cull…", permissions=["act"])
    def cull(self, request: HttpRequest, subjects: QuerySet[Any]) -> HttpResponse:
        """The page of it."""
        return self._open(request, "cull", subjects)

    @admin.action(description="Withdraw: registered by mistake", permissions=["act"])
    def withdraw(self, request: HttpRequest, subjects: QuerySet[Any]) -> None:
        """Take animals out of every answer; what has sessions stays."""
        self.each(
            request,
            subjects,
            lambda subject: withdraw_subject(actor=request.user, subject=subject),
            "animals withdrawn",
        )

    # Pedigree.

    def pedigree_page(self, request: HttpRequest, key: Any) -> HttpResponse:
        """Ancestors and offspring."""
        subject = self.get_object(request, str(key))
        if subject is None:
            raise Http404
        return work_page(
            self,
            request,
            "admin/subjects/pedigree_page.html",
            title="Pedigree",
            about=subject,
            **pedigree_of(subject, reader=request.user),
        )
