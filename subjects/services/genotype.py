"""Tests, the rules that read them, and what is known of an animal's alleles.

On each change of tests, rules or line the rules are applied anew. A zygosity that follows from tests follows; one that a person
typed, accepted from the parents or brought along is never overwritten: beside it stands what the tests say, and where the two
cannot both be true a review flag is open until they agree again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from alyx.core.changes import locked, store
from alyx.core.errors import Conflict, Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.core.rest.names import by_name
from subjects.models import (
    Allele,
    Basis,
    GenotypeTest,
    Line,
    Subject,
    TestResult,
    Zygosity,
    ZygosityRule,
    ZygosityState,
)
from subjects.models import Sequence as SequenceRow
from subjects.permissions import Act, authorise_animal, authorise_breeding
from subjects.rules.genotype import Decision, State, Suggestion, decide, infer
from subjects.services.life import life_doubts
from subjects.services.zygosity import apply_rules, apply_rules_of_line, rules_of, tests_of

# What was tested.


@transaction.atomic
def record_tests(*, actor: Any, subject: Subject, tests: Iterable[Mapping[str, Any]]) -> list[GenotypeTest]:
    """Results of an animal: `sequence` (a row or its name), `result`, and `tested_on`, where known; all or none.

    Raises Forbidden, Invalid; Doubtful in a form for a sequence that the animal's line does not have.
    """
    subject = _animal(actor, subject)
    return add_tests(actor=actor, subject=subject, tests=tests)


def record_test(*, actor: Any, subject: Subject, sequence: Any, result: Any, tested_on: Any = None) -> GenotypeTest:
    """One result. See `record_tests`."""
    said = {"sequence": sequence, "result": result, "tested_on": tested_on}
    return record_tests(actor=actor, subject=subject, tests=[said])[0]


def add_tests(*, actor: Any, subject: Subject, tests: Iterable[Mapping[str, Any]]) -> list[GenotypeTest]:
    """The tests of `record_tests`, for callers who hold the animal and have asked whether the actor may."""
    made: list[GenotypeTest] = []
    doubts: list[Doubt] = []
    known = {row.pk: row.name for row in sequences_of(subject.line)} if subject.line else None
    for said in tests:
        sequence = _sequence(said["sequence"])
        test = GenotypeTest.objects.create(
            subject=subject,
            sequence=sequence,
            result=_result(said["result"]),
            tested_on=said.get("tested_on"),
            user=actor,
            json=said.get("json"),
        )
        made.append(test)
        if known is not None and sequence.pk not in known:
            doubts.append(_foreign(subject, sequence, known.values()))
        midnight = datetime.combine(test.tested_on, time()) if test.tested_on else None
        doubts.extend(life_doubts(subject, {"tested_on": midnight}))
    raise_flags(Subject, [(subject.pk, doubt) for doubt in doubts], lab_id=subject.lab_id)
    if made:
        _say_genotyped(subject, made)
        apply_rules([subject.pk])
    return made


@transaction.atomic
def remove_test(*, actor: Any, test: GenotypeTest) -> None:
    """Remove a result that was a mistake; the history keeps it. Raises Forbidden, NotFound."""
    subject = _animal(actor, test.subject)
    locked(GenotypeTest.objects.all(), test.pk).delete()
    apply_rules([subject.pk])


# What is said of an allele.


@transaction.atomic
def set_zygosity(*, actor: Any, subject: Subject, allele: Any, state: int | None, why: str = "") -> Zygosity | None:
    """A person says what an animal carries; None: as the tests say, which then decide again.

    Raises Forbidden, Invalid; Doubtful in a form for an allele that the animal's line does not have.
    """
    subject = _animal(actor, subject)
    allele = _allele(allele)
    rows = Zygosity.objects.filter(subject=subject, allele=allele)
    if state is None:
        rows.delete()
    else:
        _doubt_allele(subject, allele)
        said = {"state": _state(state), "basis": Basis.TYPED, "why": why}
        rows.update_or_create(subject=subject, allele=allele, defaults=said)
    apply_rules([subject.pk])
    return rows.first()


@transaction.atomic
def accept_suggestion(*, actor: Any, subject: Subject, allele: Any) -> Zygosity:
    """Take over what is certain from the parents. Raises Forbidden; Conflict when nothing is certain, or known otherwise."""
    subject = _animal(actor, subject)
    allele = _allele(allele)
    suggestion = suggest(subject).get(allele.nickname)
    if suggestion is None or suggestion.state is None:
        why = suggestion.why if suggestion else "its parents are not known"
        raise Conflict(f"nothing is certain of {allele} in {subject}: {why}")
    known = Zygosity.objects.filter(subject=subject, allele=allele).first()
    if known is not None and known.basis != Basis.PARENTS:
        raise Conflict(
            f"{allele} of {subject} is known already: {known.get_state_display()}, {known.get_basis_display()}"
        )
    said = {"state": suggestion.state, "basis": Basis.PARENTS, "why": suggestion.why}
    Zygosity.objects.update_or_create(subject=subject, allele=allele, defaults=said)
    apply_rules([subject.pk])
    return Zygosity.objects.get(subject=subject, allele=allele)


def suggest(subject: Subject) -> dict[str, Suggestion]:
    """Per allele (of the line, or carried by a parent): what the parents let expect. Empty when no parent is known."""
    pair = subject.litter.breeding_pair if subject.litter else None
    if pair is None or not (pair.father_id or pair.mother1_id or pair.mother2_id):
        return {}
    mothers = [key for key in (pair.mother1_id, pair.mother2_id) if key]
    rows = Zygosity.objects.filter(subject__in=[key for key in (pair.father_id, *mothers) if key])
    known = {
        (key, nickname): State(state)
        for key, nickname, state in rows.values_list("subject_id", "allele__nickname", "state")
    }
    alleles = {nickname for _, nickname in known}
    if subject.line:
        alleles |= set(subject.line.alleles.values_list("nickname", flat=True))
    return {
        name: infer(name, known.get((pair.father_id, name)), [known.get((mother, name)) for mother in mothers])
        for name in sorted(alleles)
    }


def decisions(subject: Subject) -> dict[str, Decision]:
    """Per allele: what rules and tests say, with their reasoning; those of the line without a rule included."""
    alleles = set(subject.line.alleles.values_list("nickname", flat=True)) if subject.line else set()
    rules = rules_of([subject.line_id]).get(subject.line_id, []) if subject.line_id else []
    return decide(tests_of([subject.pk]).get(subject.pk, []), rules, alleles)


def sequences_of(line: Line) -> QuerySet[SequenceRow]:
    """What animals of the line are tested for: the sequences of its alleles."""
    return SequenceRow.objects.filter(pk__in=line.alleles.values("sequences")).order_by("name")


# The rules of a line.


@transaction.atomic
def create_rule(*, actor: Any, line: Line, values: Mapping[str, Any]) -> ZygosityRule:
    """Results of one or two sequences mean a state: `allele`, `sequence0`, `result0`, `sequence1`, `result1`, `state`.

    Raises Forbidden, Invalid; Doubtful in a form for an allele or a sequence that the line does not have.
    """
    line = _breeding(actor, line)
    columns = _rule_columns(values)
    try:
        with transaction.atomic():
            rule = ZygosityRule.objects.create(line=line, **columns)
    except IntegrityError:
        raise _same_rule() from None
    _doubt_rule(rule)
    apply_rules_of_line(line)
    return rule


@transaction.atomic
def change_rule(*, actor: Any, rule: ZygosityRule, changes: Mapping[str, Any]) -> ZygosityRule:
    """Change what is sent. Raises Forbidden, Invalid; Doubtful in a form."""
    line = _breeding(actor, rule.line)
    rule = locked(ZygosityRule.objects.select_related("line"), rule.pk)
    words = ("allele", "sequence0", "result0", "sequence1", "result1", "state")
    columns = _rule_columns({**{word: getattr(rule, word) for word in words}, **changes})
    try:
        with transaction.atomic():
            store(rule, columns)
    except IntegrityError:
        raise _same_rule() from None
    _doubt_rule(rule)
    apply_rules_of_line(line)
    return rule


@transaction.atomic
def remove_rule(*, actor: Any, rule: ZygosityRule) -> None:
    """The line has this rule no more; what followed from it alone is not decided any more. Raises Forbidden."""
    line = _breeding(actor, rule.line)
    ZygosityRule.objects.filter(pk=rule.pk).delete()
    apply_rules_of_line(line)


# Steps.


def _animal(actor: Any, subject: Subject) -> Subject:
    """The animal, locked, if the actor may say what it carries."""
    rows = Subject.objects.shown().select_related("lab", "responsible_user", "line", "litter__breeding_pair")
    found: Subject = locked(rows, subject.pk)
    authorise_animal(actor, found, Act.MANAGE, what="genotype")
    return found


def _breeding(actor: Any, line: Line) -> Line:
    found = locked(Line.objects.select_related("lab"), line.pk)
    authorise_breeding(actor, found.lab)
    return found


def _sequence(value: Any, name: str = "sequence") -> SequenceRow:
    if isinstance(value, SequenceRow):
        return value
    return by_name(SequenceRow.objects.all(), value, field=name, what="sequence")


def _allele(value: Any) -> Allele:
    if isinstance(value, Allele):
        return value
    return by_name(Allele.objects.all(), value, field="allele", what="allele", column="nickname")


def _result(value: Any, name: str = "result") -> TestResult:
    words = {
        "present": TestResult.PRESENT,
        "+": TestResult.PRESENT,
        "absent": TestResult.ABSENT,
        "-": TestResult.ABSENT,
    }
    try:
        return (
            words[value.strip().lower()]
            if isinstance(value, str) and value not in {"0", "1"}
            else TestResult(int(value))
        )
    except (KeyError, ValueError, TypeError):
        raise Invalid.of(name, f"a test says present or absent, not {str(value)[:40]!r}") from None


def _state(value: Any) -> ZygosityState:
    try:
        return ZygosityState(int(value))
    except (ValueError, TypeError):
        raise Invalid.of("state", "absent (0), heterozygous (1), homozygous (2) or present (3)") from None


def _foreign(subject: Subject, sequence: SequenceRow, known: Iterable[str]) -> Doubt:
    own = ", ".join(known)
    return Doubt(
        "sequence-not-of-line",
        f"line {subject.line} is not tested for {sequence}",
        {"sequence": sequence.name, "line": str(subject.line)},
        f"its sequences: {own}" if own else "its alleles have no sequences yet",
        ("sequence",),
    )


def _doubt_allele(subject: Subject, allele: Allele) -> None:
    if subject.line is None or subject.line.alleles.filter(pk=allele.pk).exists():
        return
    text = f"line {subject.line} does not carry {allele}"
    facts = {"allele": allele.nickname, "line": str(subject.line)}
    doubt = Doubt("allele-not-of-line", text, facts, "add it to the line, or choose another", ("allele",))
    raise_flags(Subject, [(subject.pk, doubt)], lab_id=subject.lab_id)


def _say_genotyped(subject: Subject, tests: Sequence[GenotypeTest]) -> None:
    """The animal has been genotyped: no more to do, and the last day of a test is its day."""
    columns: dict[str, Any] = {"to_be_genotyped": False} if subject.to_be_genotyped else {}
    days = [day for day in (subject.genotyped_on, *(test.tested_on for test in tests)) if day]
    if days and max(days) != subject.genotyped_on:
        columns["genotyped_on"] = max(days)
    store(subject, columns)


def _rule_columns(said: Mapping[str, Any]) -> dict[str, Any]:
    second = said.get("sequence1") or None
    if (second is None) != (said.get("result1") in {None, ""}):
        raise Invalid.of("result1", "a second sequence and its result go together")
    first = _sequence(said["sequence0"], "sequence0")
    columns = {
        "allele": _allele(said["allele"]),
        "sequence0": first,
        "result0": _result(said["result0"], "result0"),
        "sequence1": _sequence(second, "sequence1") if second else None,
        "result1": _result(said["result1"], "result1") if second else None,
        "state": _state(said["state"]),
    }
    if columns["sequence1"] == first:
        raise Invalid.of("sequence1", "the second sequence is another one than the first")
    return columns


def _same_rule() -> Invalid:
    return Invalid.of("sequence0", "the line has a rule for these results already: change that one")


def _doubt_rule(rule: ZygosityRule) -> None:
    doubts: list[Doubt] = []
    if not rule.line.alleles.filter(pk=rule.allele_id).exists():
        text = f"line {rule.line} does not carry {rule.allele}"
        doubts.append(
            Doubt("allele-not-of-line", text, {"allele": str(rule.allele)}, "add it to the line", ("allele",))
        )
    wanted = {"sequence0": rule.sequence0, "sequence1": rule.sequence1}
    known = set(sequences_of(rule.line).values_list("pk", flat=True))
    for name, sequence in wanted.items():
        if sequence is not None and sequence.pk not in known:
            text = f"line {rule.line} is not tested for {sequence}"
            doubts.append(Doubt("sequence-not-of-line", text, {name: sequence.name}, "add it to the allele", (name,)))
    raise_flags(ZygosityRule, [(rule.pk, doubt) for doubt in doubts], lab_id=rule.line.lab_id)
