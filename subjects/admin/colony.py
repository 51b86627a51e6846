"""Lines, breeding pairs, and requests for animals."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from alyx.core.admin_shown import badge, counted, page_of
from alyx.core.reading import readable
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from subjects.admin import filters
from subjects.admin.of_animal import may_do_somewhere, may_keep
from subjects.admin.shown import age_of, genotype_of
from subjects.admin.work import WorkForm, carried_out, listed, work_page
from subjects.models import BreedingPair, Line, Subject, SubjectRequest, Zygosity, ZygosityRule
from subjects.permissions import Act, permitted
from subjects.rules.names import Kind
from subjects.services.colony import (
    allocate,
    change_line,
    change_pair,
    change_request,
    close_request,
    create_line,
    create_pair,
    next_name,
    open_request,
)
from subjects.services.genotype import change_rule, create_rule, remove_rule

MOST_CANDIDATES = 200


class ColonyPage(LabPage):
    """A page of the colony of a lab; what is of no lab is for breeders of any lab."""

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """By the role in the row's lab."""
        return may_keep(request, obj.lab if obj is not None else None)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """In my lab; the rest as the address says."""
        user: Any = request.user
        lab = user.labs.first()
        return {**({"lab": lab.pk} if lab else {}), **super().get_changeform_initial_data(request)}


class RuleInline(admin.TabularInline[ZygosityRule, Line]):
    """What results mean in the line."""

    model = ZygosityRule
    autocomplete_fields = ["allele", "sequence0", "sequence1"]
    fields = ["allele", "sequence0", "result0", "sequence1", "result1", "state"]
    extra = 1
    verbose_name = "zygosity rule"
    verbose_name_plural = "zygosity rules: these results mean this state"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """In words, without the four buttons beside each box."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.label = self.WORDS.get(db_field.name, field.label)
            for button in ("add", "change", "delete", "view"):
                setattr(field.widget, f"can_{button}_related", False)
        return field

    WORDS: ClassVar[dict[str, str]] = {
        "sequence0": "sequence",
        "result0": "is",
        "sequence1": "and sequence",
        "result1": "is",
        "state": "then it is",
    }

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody sees them."""
        return True

    def _breeders(self, request: HttpRequest, obj: Any = None) -> bool:
        page: Any = self.admin_site._registry[Line]
        return bool(page.may_write(request, obj))

    has_add_permission = has_change_permission = has_delete_permission = _breeders

    def get_queryset(self, request: HttpRequest) -> QuerySet[ZygosityRule]:
        """With their rows."""
        return super().get_queryset(request).select_related("allele", "sequence0", "sequence1", "line")


@admin.register(Line)
class LinePage(ColonyPage):
    """Lines, their alleles, and the rules that read genotype tests."""

    list_display = ["shown_name", "nickname", "lab", "carried", "strain", "living", "pairs", "active"]
    list_select_related = ["lab", "strain"]
    list_filter = ["is_active", "lab"]
    search_fields = ["name", "nickname", "target_phenotype", "alleles__nickname"]
    search_help_text = "name, nickname, phenotype or allele"
    readonly_fields = ["counters", "living"]
    inlines = [RuleInline]
    labels: ClassVar[dict[str, str]] = {"is_active": "Still bred", "source_url": "Source's page"}
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "nickname", "lab"),
                    "alleles",
                    ("species", "strain", "target_phenotype"),
                    ("living", "counters", "is_active"),
                    "description",
                ]
            },
        ),
        ("Source", {"fields": [("source", "source_identifier"), ("source_url", "expression_data_url")]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With alleles and counts."""
        rows: QuerySet[Any] = super().get_queryset(request)
        annotated: QuerySet[Any] = rows.annotate(
            n_living=counted(Subject.objects.shown().alive(), "line"),
            n_pairs=counted(BreedingPair.objects.filter(ended_on__isnull=True), "line"),
        ).prefetch_related("alleles")
        return annotated

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Line:
        """A line."""
        if change:
            return change_line(actor=actor, line=row, changes=said)
        return create_line(actor=actor, values=said)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The alleles are written with the line; the rules by their own services."""
        for formset in formsets:
            self.save_formset(request, form, formset, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Each rule that was added, changed or taken away."""
        formset.save(commit=False)
        for rule in formset.deleted_objects:
            remove_rule(actor=request.user, rule=rule)
        for rule, names in formset.changed_objects:
            stored = ZygosityRule.objects.select_related("line").get(pk=rule.pk)
            change_rule(actor=request.user, rule=stored, changes={name: getattr(rule, name) for name in names})
        for rule in formset.new_objects:
            words = ("allele", "sequence0", "result0", "sequence1", "result1", "state")
            create_rule(actor=request.user, line=form.instance, values={word: getattr(rule, word) for word in words})

    @admin.display(description="line", ordering="name")
    def shown_name(self, line: Line) -> str:
        """Its name."""
        return line.name

    @admin.display(description="alleles")
    def carried(self, line: Line) -> str:
        """What it carries."""
        return listed(line.alleles.all())

    @admin.display(description="animals alive", ordering="n_living")
    def living(self, line: Any) -> int:
        """How many animals live."""
        return int(getattr(line, "n_living", 0))

    @admin.display(description="pairs", ordering="n_pairs")
    def pairs(self, line: Any) -> int:
        """How many pairs breed now."""
        return int(line.n_pairs)

    @admin.display(description="state", ordering="is_active")
    def active(self, line: Line) -> Any:
        """Whether it is still bred."""
        return badge(Status.FINE, "bred") if line.is_active else badge(Status.NEUTRAL, "not bred")

    @admin.display(description="next names")
    def counters(self, line: Line) -> str:
        """What the next animal, pair and litter will be called."""
        if not line.pk or line.lab is None or line.created_at is None:
            return "–"
        return listed(next_name(kind, lab=line.lab, line=line) for kind in Kind)


class BreedingFilter(admin.SimpleListFilter):
    """Pairs that breed now."""

    title, parameter_name = "breeding", "breeding"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The answers."""
        return [("now", "now"), ("ended", "ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        if self.value() in {"now", "ended"}:
            return queryset.filter(ended_on__isnull=self.value() == "now")
        return queryset


@admin.register(BreedingPair)
class BreedingPairPage(ColonyPage):
    """Breeding pairs."""

    list_display = ["name", "line", "lab", "dad", "mums", "started_on", "ended_on", "n_litters", "n_pups"]
    list_select_related = ["line", "lab"]
    list_filter = [BreedingFilter, filters.LineFilter, "lab"]
    search_fields = ["name", "father__nickname", "mother1__nickname", "mother2__nickname"]
    search_help_text = "name, or nickname of a parent"
    wire: ClassVar[dict[str, str]] = {"started_on": "start_date", "ended_on": "end_date"}
    change_form_template = "admin/subjects/pair_page.html"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "line", "lab"),
                    ("father", "mother1", "mother2"),
                    ("started_on", "ended_on"),
                    "description",
                ]
            },
        ),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """A new pair gets the next name of its line."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "name" in form.base_fields and obj is None:
            form.base_fields["name"].required = False
            form.base_fields["name"].help_text = "empty: the line's next one"
        return form

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of litters and pups, and with those of the parents that this user reads."""
        litters: Any = BreedingPair._meta.get_field("litters").related_model
        rows: QuerySet[Any] = super().get_queryset(request)
        annotated: QuerySet[Any] = rows.annotate(
            litters_=counted(litters.objects.all(), "breeding_pair"),
            pups_=counted(Subject.objects.shown(), "litter__breeding_pair"),
        )
        animals = readable(request.user, Subject.objects.all())
        return annotated.prefetch_related(*(Prefetch(name, animals) for name in ("father", "mother1", "mother2")))

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> BreedingPair:
        """A pair."""
        if change:
            return change_pair(actor=actor, pair=row, changes=said)
        return create_pair(actor=actor, values=said)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With its litters."""
        pair = self.get_object(request, unquote(object_id))
        shown: dict[str, Any] = {}
        if pair is not None:
            litters = readable(request.user, pair.litters.all())
            litters = litters.annotate(n_pups=Count("subjects", filter=Q(subjects__withdrawn_at__isnull=True)))
            shown = {
                "litters": litters.order_by("-born_on", "name"),
                "enter_url": f"{reverse('admin:subjects_litter_add')}?breeding_pair={pair.pk}",
            }
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    @admin.display(description="father", ordering="father__nickname")
    def dad(self, pair: BreedingPair) -> str:
        """The father."""
        return str(pair.father or "–")

    @admin.display(description="mothers", ordering="mother1__nickname")
    def mums(self, pair: BreedingPair) -> str:
        """One or two."""
        return listed(animal for animal in (pair.mother1, pair.mother2) if animal)

    @admin.display(description="litters", ordering="litters_")
    def n_litters(self, pair: Any) -> int:
        """How many."""
        return int(pair.litters_)

    @admin.display(description="pups", ordering="pups_")
    def n_pups(self, pair: Any) -> int:
        """How many."""
        return int(pair.pups_)


class OpenFilter(admin.SimpleListFilter):
    """Requests that wait."""

    title, parameter_name = "open", "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The answers."""
        return [("yes", "open"), ("no", "closed"), ("mine", "mine")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        if self.value() == "mine":
            return queryset.filter(user=request.user)
        return queryset.filter(closed_on__isnull=self.value() == "yes") if self.value() else queryset


@admin.register(SubjectRequest)
class SubjectRequestPage(ColonyPage):
    """Who asks for animals, and which they got."""

    list_display = ["asked", "user", "line", "lab", "given", "due_on", "standing"]
    list_select_related = ["user", "line", "lab"]
    list_filter = [OpenFilter, filters.LineFilter, "lab"]
    search_fields = ["name", "user__username", "line__name", "line__nickname"]
    wire: ClassVar[dict[str, str]] = {"due_on": "due_date"}
    actions = ["close"]
    page_actions: ClassVar[dict[str, str]] = {"close": "Close"}
    change_form_template = "admin/subjects/request_page.html"
    readonly_fields = ["requested_on", "closed_on"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("user", "line", "lab"),
                    ("count", "due_on", "name"),
                    ("requested_on", "closed_on"),
                    "description",
                ]
            },
        ),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who registers in a lab asks it; who asked, and breeders of the lab, change it."""
        if obj is None or obj.created_at is None:
            return self.has_right(request, self.right, obj)
        return obj.user_id == request.user.pk or super().may_write(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Who asked whom stays."""
        return [*self.readonly_fields, *(["user", "lab"] if obj else [])]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """For me."""
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of animals given."""
        rows: QuerySet[Any] = super().get_queryset(request)
        annotated: QuerySet[Any] = rows.annotate(n_given=counted(Subject.objects.shown(), "request"))
        return annotated

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> SubjectRequest:
        """A request."""
        if change:
            return change_request(actor=actor, request=row, changes=said)
        return open_request(actor=actor, values=said)

    def buttons(self, request: HttpRequest, obj: Any) -> Any:
        """An open one can be closed."""
        return {} if obj.closed_on else super().buttons(request, obj)

    @admin.action(description="Close: filled, or no longer wanted", permissions=["act"])
    def close(self, request: HttpRequest, requests: QuerySet[Any]) -> None:
        """Close."""
        self.each(request, requests, lambda row: close_request(actor=request.user, request=row), "requests closed")

    @admin.display(description="request", ordering="requested_on")
    def asked(self, row: SubjectRequest) -> str:
        """What is asked."""
        return row.name or f"{row.count} × {row.line or 'any line'}"

    @admin.display(description="given", ordering="n_given")
    def given(self, row: Any) -> str:
        """How many of how many."""
        return f"{row.n_given} of {row.count}"

    @admin.display(description="state", ordering="closed_on")
    def standing(self, row: SubjectRequest) -> Any:
        """Open or closed."""
        return badge(Status.NEUTRAL, f"closed {row.closed_on}") if row.closed_on else badge(Status.WARNING, "open")

    # Allocating.

    def get_urls(self) -> list[URLPattern]:
        """With the page that gives animals."""
        view = self.admin_site.admin_view(self.allocate_page)
        return [path("<uuid:key>/allocate/", view, name="subjects_subjectrequest_allocate"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With the animals given, and the way to give more."""
        row = self.get_object(request, unquote(object_id))
        shown: dict[str, Any] = {}
        if row is not None:
            given = row.subjects.filter(withdrawn_at__isnull=True).select_related("line", "lab")
            shown["given"] = readable(request.user, given)
            if row.closed_on is None and may_do_somewhere(request, Act.MANAGE):
                shown["allocate_url"] = reverse("admin:subjects_subjectrequest_allocate", args=[row.pk])
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    def allocate_page(self, request: HttpRequest, key: Any) -> HttpResponse:
        """Tick animals of the line and give them; who asked becomes responsible for them."""
        row = self.get_object(request, str(key))
        if row is None:
            raise Http404
        if not may_do_somewhere(request, Act.MANAGE):
            raise PermissionDenied
        candidates = self._candidates(request, row)
        form = WorkForm(request.POST or None)
        ticked = set(request.POST.getlist("ids"))
        if request.method == "POST" and form.is_valid():
            animals = [animal for animal in candidates if str(animal.pk) in ticked]
            if not animals:
                form.add_error(None, "No animal is ticked.")
            elif carried_out(form, lambda: allocate(actor=request.user, request=row, subjects=animals)):
                self.message_user(request, f"{len(animals)} animals given to {row.user}", messages.SUCCESS)
                return HttpResponseRedirect(page_of(row))
        return work_page(
            self,
            request,
            "admin/subjects/allocate_page.html",
            title="Give animals",
            about=row,
            form=form,
            verb="Give the ticked animals",
            missing=max(0, row.count - row.n_given),
            lines=[(animal, age_of(animal), genotype_of(animal), str(animal.pk) in ticked) for animal in candidates],
        )

    def _candidates(self, request: HttpRequest, row: SubjectRequest) -> list[Subject]:
        """Living animals of the line that are free and that this person may give, the oldest first."""
        zygosities = Prefetch("zygosities", Zygosity.objects.select_related("allele"))
        free = readable(request.user, Subject.objects.shown().alive().filter(request__isnull=True))
        if row.line_id:
            free = free.filter(line=row.line_id)
        elif row.lab_id:
            free = free.filter(lab=row.lab_id)
        free = free.select_related("lab", "responsible_user", "line").prefetch_related(zygosities)
        found = list(free.order_by("born_on", "nickname")[:MOST_CANDIDATES])
        allowed = permitted(request.user, found, Act.MANAGE)
        return [animal for animal in found if animal.pk in allowed and animal.responsible_user_id != row.user_id]
