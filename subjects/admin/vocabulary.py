"""Vocabularies of the colony: species, strains, sources, sequences, alleles."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from alyx.core.admin_shown import counted
from alyx.core.reading import readable
from alyx.labs.admin import LabPage
from alyx.labs.permissions import Right
from subjects.admin.work import listed
from subjects.models import Allele, Line, Sequence, Source, Species, Strain, Subject
from subjects.services.colony import change_allele, change_word, create_allele, create_word


class SharedPage(LabPage):
    """A vocabulary of all labs: managers of any lab extend and change it."""

    lab_path = ""
    right = Right.MANAGE

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Any:
        """A word."""
        if change:
            return change_word(actor=actor, row=row, changes=said)
        return create_word(actor=actor, model=self.model, values=said)


class WordPage(SharedPage):
    """A name that stands once, what it means, and how many living animals have it."""

    list_display = ["name", "description", "living"]
    search_fields = ["name", "description"]
    animals_by: ClassVar[str] = ""
    """The animal's column that points here."""
    fieldsets = [
        (None, {"fields": ["name", "description"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of their animals."""
        counts = counted(Subject.objects.shown().alive(), self.animals_by)
        rows: QuerySet[Any] = super().get_queryset(request).annotate(n_living=counts)
        return rows

    @admin.display(description="animals alive", ordering="n_living")
    def living(self, row: Any) -> int:
        """How many animals live."""
        return int(row.n_living)


@admin.register(Species)
class SpeciesPage(WordPage):
    """Species."""

    animals_by = "species"
    list_display = ["name", "nickname", "registry_id", "living"]
    search_fields = ["name", "nickname", "registry_id"]
    fieldsets = [
        (None, {"fields": [("name", "nickname", "registry_id"), "description"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]


@admin.register(Strain)
class StrainPage(WordPage):
    """Strains."""

    animals_by = "strain"
    list_display = ["name", "registry_id", "description", "living"]
    search_fields = ["name", "registry_id", "description"]
    fieldsets = [
        (None, {"fields": [("name", "registry_id"), "description"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]


@admin.register(Source)
class SourcePage(WordPage):
    """Where animals come from."""

    animals_by = "source"


@admin.register(Sequence)
class SequencePage(SharedPage):
    """What genotype tests look for."""

    list_display = ["name", "of_alleles", "description"]
    search_fields = ["name", "description", "alleles__nickname"]
    readonly_fields = ["of_alleles"]
    labels: ClassVar[dict[str, str]] = {"base_pairs": "Base pairs"}
    fieldsets = [
        (None, {"fields": [("name", "of_alleles"), "base_pairs", "description"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With their alleles in one query."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related("alleles")

    @admin.display(description="of alleles")
    def of_alleles(self, sequence: Sequence) -> str:
        """What it finds."""
        return listed(sequence.alleles.all()) if sequence.pk else "–"


@admin.register(Allele)
class AllelePage(SharedPage):
    """Alleles, and the sequences that find them."""

    list_display = ["nickname", "name", "found_by", "in_lines"]
    search_fields = ["nickname", "name", "sequences__name"]
    fieldsets = [
        (None, {"fields": [("nickname", "name"), "sequences"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With their sequences and lines."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related("sequences", Prefetch("lines", readable(request.user, Line.objects.all())))

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Allele:
        """An allele."""
        if change:
            return change_allele(actor=actor, allele=row, changes=said)
        return create_allele(actor=actor, values=said)

    @admin.display(description="sequences")
    def found_by(self, allele: Allele) -> str:
        """What finds it."""
        return listed(allele.sequences.all())

    @admin.display(description="lines")
    def in_lines(self, allele: Allele) -> str:
        """Which lines carry it."""
        return listed(allele.lines.all())
