"""Genotype tests and zygosities of all animals, as lists to look through."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest

from alyx.core.admin_shown import badge
from alyx.core.status import Status
from subjects.admin.of_animal import OfAnimalPage
from subjects.admin.shown import in_conflict
from subjects.models import GenotypeTest, Zygosity
from subjects.permissions import Act
from subjects.rules.genotype import State
from subjects.services.genotype import record_test, remove_test, set_zygosity


@admin.register(GenotypeTest)
class GenotypeTestPage(OfAnimalPage):
    """Tests. A wrong one is removed and made anew; the history keeps it."""

    act = Act.MANAGE
    list_display = ["animal", "line", "sequence", "found", "tested_on", "user"]
    list_select_related = ["subject__lab", "subject__line", "subject__responsible_user", "sequence", "user"]
    list_filter = ["result", "subject__lab", "tested_on"]
    search_fields = ["subject__nickname", "sequence__name"]
    search_help_text = "nickname or sequence"
    fields = [("subject", "sequence"), ("result", "tested_on")]
    actions = ["remove"]
    page_actions: ClassVar[dict[str, str]] = {"remove": "Remove"}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A test is made or removed, never edited."""
        return obj is None and super().has_change_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Of animals that are shown."""
        rows: QuerySet[Any] = super().get_queryset(request).filter(subject__withdrawn_at__isnull=True)
        return rows

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> GenotypeTest:
        """A test."""
        return record_test(actor=actor, **{name: said[name] for name in ("subject", "sequence", "result", "tested_on")})

    @admin.action(description="Remove: a mistake", permissions=["act"])
    def remove(self, request: HttpRequest, tests: QuerySet[Any]) -> None:
        """Remove; the rules decide anew."""
        self.each(request, tests, lambda test: remove_test(actor=request.user, test=test), "tests removed")

    @admin.display(description="animal", ordering="subject__nickname")
    def animal(self, test: GenotypeTest) -> str:
        """Whose."""
        return test.subject.nickname

    @admin.display(description="line", ordering="subject__line__name")
    def line(self, test: GenotypeTest) -> str:
        """Of its animal."""
        return str(test.subject.line or "–")

    @admin.display(description="result", ordering="result")
    def found(self, test: GenotypeTest) -> str:
        """Present or absent."""
        return str(test.get_result_display())


class ConflictFilter(admin.SimpleListFilter):
    """Where the tests say something else."""

    title, parameter_name = "conflict", "conflict"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One answer."""
        return [("yes", "the tests say something else")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """As `subjects.rules.genotype.contradicts` has it: "present" is less said than het or hom, not against it."""
        if self.value() != "yes":
            return queryset
        carrying = [State.HETEROZYGOUS, State.HOMOZYGOUS]
        less_said = Q(state=State.PRESENT, derived__in=carrying) | Q(derived=State.PRESENT, state__in=carrying)
        return queryset.filter(derived__isnull=False).exclude(derived=F("state")).exclude(less_said)


@admin.register(Zygosity)
class ZygosityPage(OfAnimalPage):
    """What animals carry, and how it is known."""

    act = Act.MANAGE
    list_display = ["animal", "line", "allele", "shown_state", "basis", "by_tests"]
    list_select_related = ["subject__lab", "subject__line", "subject__responsible_user", "allele"]
    list_filter = [ConflictFilter, "state", "basis", "subject__lab"]
    search_fields = ["subject__nickname", "allele__nickname"]
    search_help_text = "nickname or allele"
    readonly_fields = ["basis", "by_tests"]
    labels: ClassVar[dict[str, str]] = {"why": "Because"}
    fieldsets = [
        (None, {"fields": [("subject", "allele"), ("state", "basis", "by_tests"), "why"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]
    actions = ["let_tests_decide"]
    page_actions: ClassVar[dict[str, str]] = {"let_tests_decide": "Let the tests decide"}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Whose, and of which allele, stays."""
        return [*self.readonly_fields, *(["subject", "allele"] if obj else []), "json"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Of animals that are shown."""
        rows: QuerySet[Any] = super().get_queryset(request).filter(subject__withdrawn_at__isnull=True)
        return rows

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Zygosity | None:
        """A person says it."""
        return set_zygosity(actor=actor, subject=row.subject, allele=row.allele, state=row.state, why=row.why)

    @admin.action(description="Let the tests decide", permissions=["act"])
    def let_tests_decide(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """What was said goes; what the rules make of the tests takes its place, where they decide."""
        self.each(
            request,
            rows.select_related("subject", "allele"),
            lambda row: set_zygosity(actor=request.user, subject=row.subject, allele=row.allele, state=None),
            "left to the tests",
        )

    @admin.display(description="animal", ordering="subject__nickname")
    def animal(self, row: Zygosity) -> str:
        """Whose."""
        return row.subject.nickname

    @admin.display(description="line", ordering="subject__line__name")
    def line(self, row: Zygosity) -> str:
        """Of its animal."""
        return str(row.subject.line or "–")

    @admin.display(description="zygosity", ordering="state")
    def shown_state(self, row: Zygosity) -> str:
        """In words."""
        return str(row.get_state_display())

    @admin.display(description="the tests say", ordering="derived")
    def by_tests(self, row: Zygosity) -> Any:
        """What the rules make of the tests; marked where it contradicts."""
        if row.derived is None:
            return "–"
        word = State(row.derived).word
        return badge(Status.WARNING, word, "it contradicts what is said") if in_conflict(row) else word
