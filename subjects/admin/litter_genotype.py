"""Genotyping a litter on one page: pups × sequences, one save; beside it what the rules make of it and what the parents suggest."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from alyx.core.admin_shown import badge, page_now
from alyx.core.clock import utc_to_wall
from alyx.core.reading import readable
from alyx.core.status import Status
from subjects.admin.litter_entry import RESULTS
from subjects.admin.shown import SHORT, in_conflict
from subjects.admin.work import WorkForm, carried_out, day_field, work_page
from subjects.models import (
    Allele,
    Basis,
    GenotypeTest,
    Litter,
    Sequence,
    Subject,
    Zygosity,
    ZygosityRule,
    ZygosityState,
)
from subjects.permissions import Act, permitted
from subjects.rules.genotype import Decision, Found, Rule, State, Suggestion, decide
from subjects.services.genotype import accept_suggestion, record_tests, remove_test, suggest

ALL = "all"


class GridForm(WorkForm):
    """The day of the tests; the boxes of the grid are added for the litter."""

    tested_on = day_field(label="Tested")


@dataclass
class Known:
    """What is known of an allele in a pup."""

    allele: Allele
    state: str = ""
    why: str = ""
    conflict: Any = ""
    accept: str = ""
    """What the parents make certain, where nothing else is known."""
    key: str = ""


@dataclass
class Row:
    """A pup of the grid."""

    pup: Subject
    may: bool
    boxes: list[Any] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)


class Grid:
    """Everything about the litter, read in a fixed number of queries."""

    def __init__(self, request: HttpRequest, litter: Litter) -> None:
        related = ("lab", "responsible_user", "line", "litter__breeding_pair")
        rows = readable(request.user, Subject.objects.shown().filter(litter=litter)).select_related(*related)
        self.litter = litter
        self.pups: list[Subject] = list(rows.order_by("nickname", "id"))
        self.may = permitted(request.user, self.pups, Act.MANAGE)
        lines = {pup.line_id for pup in self.pups if pup.line_id}
        self.tests: dict[tuple[UUID, UUID], list[GenotypeTest]] = {}
        for test in GenotypeTest.objects.filter(subject__in=self.pups).select_related("sequence", "subject"):
            self.tests.setdefault((test.subject_id, test.sequence_id), []).append(test)
        tested = [key for _, key in self.tests]
        of_lines = Sequence.objects.filter(alleles__lines__in=lines) | Sequence.objects.filter(pk__in=tested)
        self.sequences = list(of_lines.distinct().order_by("name"))
        self.zygosities = {
            (row.subject_id, row.allele_id): row for row in Zygosity.objects.filter(subject__in=self.pups)
        }
        self.suggested = {pup.line_id: suggest(pup) for pup in {pup.line_id: pup for pup in self.pups}.values()}
        named = {name for found in self.suggested.values() for name in found}
        carried = [allele for _, allele in self.zygosities]
        alleles = Allele.objects.filter(lines__in=lines) | Allele.objects.filter(pk__in=carried)
        self.alleles = list((alleles | Allele.objects.filter(nickname__in=named)).distinct().order_by("nickname"))
        self.rules: dict[UUID, list[Rule]] = {}
        for rule in ZygosityRule.objects.filter(line__in=lines).select_related("allele", "sequence0", "sequence1"):
            needs = {Found(rule.sequence0.name, bool(rule.result0))}
            if rule.sequence1 is not None:
                needs.add(Found(rule.sequence1.name, bool(rule.result1)))
            self.rules.setdefault(rule.line_id, []).append(
                Rule(rule.allele.nickname, frozenset(needs), State(rule.state))
            )

    def result(self, pup: Subject, sequence: Sequence) -> str:
        """The result as its box says it; empty: none, or several that differ."""
        results = {test.result for test in self.tests.get((pup.pk, sequence.pk), [])}
        return str(results.pop()) if len(results) == 1 else ""

    def form(self, request: HttpRequest) -> GridForm:
        """With a box per pup and sequence."""
        zone = self.litter.lab.timezone if self.litter.lab else "UTC"
        form = GridForm(
            request.POST if request.method == "POST" else None,
            initial={"tested_on": utc_to_wall(page_now(), zone).date()},
        )
        for pup in self.pups:
            for sequence in self.sequences if pup.pk in self.may else ():
                box = forms.ChoiceField(choices=RESULTS, required=False, initial=self.result(pup, sequence))
                box.widget.attrs["aria-label"] = f"{sequence.name}, {pup.nickname}"
                if len({test.result for test in self.tests.get((pup.pk, sequence.pk), [])}) > 1:
                    box.help_text = "found and not found: choose the right one"
                form.fields[name_of(pup, sequence)] = box
        return form

    def rows(self, form: GridForm) -> list[Row]:
        """As the template shows them."""
        found: list[Row] = []
        for pup in self.pups:
            may = pup.pk in self.may
            row = Row(pup, may)
            for sequence in self.sequences:
                words = dict(RESULTS)[self.result(pup, sequence)]
                row.boxes.append((sequence.name, form[name_of(pup, sequence)] if may else None, words))
            decided = self._decided(pup)
            row.known = [self._known(pup, allele, decided.get(allele.nickname), may) for allele in self.alleles]
            found.append(row)
        return found

    def _decided(self, pup: Subject) -> dict[str, Decision]:
        told = [
            Found(test.sequence.name, bool(test.result))
            for sequence in self.sequences
            for test in self.tests.get((pup.pk, sequence.pk), [])
        ]
        return decide(told, self.rules.get(pup.line_id, []) if pup.line_id else [])

    def _known(self, pup: Subject, allele: Allele, decided: Decision | None, may: bool) -> Known:
        known = Known(allele, key=f"{pup.pk}:{allele.pk}")
        row = self.zygosities.get((pup.pk, allele.pk))
        if row is not None:
            known.state = SHORT[ZygosityState(row.state)]
            known.why = row.why or row.get_basis_display()
            if in_conflict(row) and row.derived is not None:
                known.conflict = badge(Status.WARNING, f"the tests say {State(row.derived).word}")
        if decided is not None and decided.is_conflict:
            known.conflict = badge(Status.WARNING, "conflict", decided.why)
            known.why = decided.why
        elif row is None and decided is not None:
            known.why = decided.why
        suggestion = self.suggested.get(pup.line_id, {}).get(allele.nickname)
        if may and row is None and suggestion is not None and suggestion.state is not None:
            known.accept = SHORT[ZygosityState(suggestion.state)]
        return known

    def parents(self) -> list[Suggestion]:
        """What they suggest, with the reasoning."""
        told: dict[str, Suggestion] = {}
        for found in self.suggested.values():
            told.update(found)
        return [told[name] for name in sorted(told)]


def name_of(pup: Subject, sequence: Sequence) -> str:
    """Of a box."""
    return f"r-{pup.pk}-{sequence.pk}"


def genotype_view(page: Any, request: HttpRequest, litter: Litter) -> HttpResponse:
    """The page."""
    if not page.has_view_permission(request, litter):
        raise PermissionDenied
    grid = Grid(request, litter)
    if request.method == "POST" and not grid.may:
        raise PermissionDenied
    form = grid.form(request)
    if request.method == "POST" and form.is_valid():
        count = carried_out(form, lambda: _save(request, grid, form))
        if count is not None:
            page.message_user(request, f"{count} saved" if count else "Nothing was changed", messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:subjects_litter_genotype", args=[litter.pk]))
    return work_page(
        page,
        request,
        "admin/subjects/litter_genotype.html",
        title="Genotype a litter",
        about=litter,
        form=form,
        head=[form["tested_on"]],
        tail=[form[name] for name in ("confirmed", "reason") if name in form.fields],
        rows=grid.rows(form),
        sequences=grid.sequences,
        parents=grid.parents(),
        pair=litter.breeding_pair,
        may=bool(grid.may),
        certain=any(known.accept for row in grid.rows(form) for known in row.known),
        verb="Save results" if grid.may else "",
    )


def _save(request: HttpRequest, grid: Grid, form: GridForm) -> int:
    """Results that changed, then what is accepted from the parents. How many."""
    count = 0
    for pup in grid.pups:
        if pup.pk not in grid.may:
            continue
        fresh = []
        for sequence in grid.sequences:
            said = form.cleaned_data.get(name_of(pup, sequence), "")
            if said == grid.result(pup, sequence):
                continue
            for test in grid.tests.get((pup.pk, sequence.pk), []):
                remove_test(actor=request.user, test=test)
            count += 1
            if said:
                tested_on = form.cleaned_data["tested_on"]
                fresh.append({"sequence": sequence, "result": int(said), "tested_on": tested_on})
        if fresh:
            record_tests(actor=request.user, subject=pup, tests=fresh)
    return count + _accept(request, grid, request.POST.get("accept", ""))


def _accept(request: HttpRequest, grid: Grid, asked: str) -> int:
    """What was asked for, one or all that is certain; what the tests have told in between stays."""
    count = 0
    for pup in grid.pups if asked else []:
        for allele in grid.alleles:
            suggestion = grid.suggested.get(pup.line_id, {}).get(allele.nickname)
            wanted = asked in {ALL, f"{pup.pk}:{allele.pk}"} and pup.pk in grid.may
            if not wanted or suggestion is None or suggestion.state is None:
                continue
            known = Zygosity.objects.filter(subject=pup, allele=allele).first()
            if asked == ALL and known is not None and known.basis != Basis.PARENTS:
                continue
            accept_suggestion(actor=request.user, subject=pup, allele=allele)
            count += 1
    return count
