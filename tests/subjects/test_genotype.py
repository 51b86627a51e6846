"""Tests, rules and zygosities: what follows, what stays, and what is told."""

from datetime import date

import pytest
from pytest_django import DjangoAssertNumQueries

from alyx.core.errors import Conflict, Doubtful, Forbidden, Invalid
from alyx.core.flags import decide_flag, typing
from alyx.core.models import FlagState, ReviewFlag
from alyx.labs.models import Lab, Role, User
from subjects.models import Allele, Basis, GenotypeTest, Line, Sequence, Subject, Zygosity, ZygosityRule
from subjects.rules.genotype import State
from subjects.services import genotype
from subjects.services.subject import change_subject
from subjects.services.zygosity import apply_rules
from tests.factories.animals import a_line, a_litter, a_pair, a_word, an_allele
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_subject

pytestmark = pytest.mark.django_db
ABSENT, HET, HOM, PRESENT = State


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def anna(lab: Lab) -> User:
    return a_member(lab, name="anna")


@pytest.fixture
def cre(lab: Lab) -> Allele:
    allele = an_allele("Cre", sequences=0)
    allele.sequences.set([a_word(Sequence, "cre"), a_word(Sequence, "wt")])
    return allele


@pytest.fixture
def line(lab: Lab, anna: User, cre: Allele) -> Line:
    line = a_line(lab, "Ai32")
    line.alleles.set([cre])
    for needs, state in (
        ({"sequence0": "cre", "result0": "absent"}, ABSENT),
        ({"sequence0": "cre", "result0": "present"}, PRESENT),
        ({"sequence0": "cre", "result0": 1, "sequence1": "wt", "result1": 1}, HET),
        ({"sequence0": "cre", "result0": 1, "sequence1": "wt", "result1": 0}, HOM),
    ):
        genotype.create_rule(actor=anna, line=line, values={"allele": "Cre", "state": state, **needs})
    return line


@pytest.fixture
def pup(lab: Lab, line: Line) -> Subject:
    return a_subject(lab, "pup", line=line, to_be_genotyped=True)


def known(subject: Subject) -> tuple[State, str, State | None] | None:
    row = Zygosity.objects.filter(subject=subject).first()
    if row is None:
        return None
    return State(row.state), row.basis, None if row.derived is None else State(row.derived)


def flags(state: FlagState = FlagState.OPEN) -> list[str]:
    return sorted(ReviewFlag.objects.filter(state=state).values_list("rule", flat=True))


def test_a_zygosity_from_tests_follows_the_tests(anna: User, pup: Subject) -> None:
    first = genotype.record_test(actor=anna, subject=pup, sequence="cre", result="present", tested_on=date(2026, 2, 10))
    assert known(pup) == (PRESENT, Basis.TESTS, PRESENT)
    pup.refresh_from_db()
    assert (pup.to_be_genotyped, pup.genotyped_on, first.user) == (False, date(2026, 2, 10), anna)
    second = genotype.record_test(actor=anna, subject=pup, sequence="wt", result=False)
    assert known(pup) == (HOM, Basis.TESTS, HOM)
    assert "rule: cre present and wt absent → homozygous" in Zygosity.objects.get().why
    genotype.remove_test(actor=anna, test=second)
    assert known(pup) == (PRESENT, Basis.TESTS, PRESENT)
    genotype.remove_test(actor=anna, test=first)
    assert known(pup) is None


def test_a_typed_one_is_never_overwritten_and_the_conflict_stands_until_they_agree(anna: User, pup: Subject) -> None:
    genotype.set_zygosity(actor=anna, subject=pup, allele="Cre", state=HET, why="from the breeder")
    genotype.record_test(actor=anna, subject=pup, sequence="cre", result=1)
    assert (known(pup), flags()) == ((HET, Basis.TYPED, PRESENT), [])
    wrong = genotype.record_test(actor=anna, subject=pup, sequence="wt", result=0)
    assert (known(pup), flags()) == ((HET, Basis.TYPED, HOM), ["genotype-conflict"])
    assert "said to be heterozygous (typed by a person)" in ReviewFlag.objects.get().message
    assert Zygosity.objects.get().why == "from the breeder"
    genotype.remove_test(actor=anna, test=wrong)
    genotype.record_test(actor=anna, subject=pup, sequence="wt", result=1)
    assert (known(pup), flags(), flags(FlagState.RESOLVED)) == ((HET, Basis.TYPED, HET), [], ["genotype-conflict"])
    genotype.set_zygosity(actor=anna, subject=pup, allele="Cre", state=ABSENT)
    assert flags() == ["genotype-conflict"]
    genotype.set_zygosity(actor=anna, subject=pup, allele="Cre", state=None)
    assert (known(pup), flags()) == ((HET, Basis.TESTS, HET), [])


def test_an_imported_one_stays_and_a_dismissed_conflict_stays_dismissed(anna: User, pup: Subject, cre: Allele) -> None:
    Zygosity.objects.create(subject=pup, allele=cre, state=HOM, basis=Basis.IMPORTED)
    genotype.record_test(actor=anna, subject=pup, sequence="cre", result=0)
    assert (known(pup), flags()) == ((HOM, Basis.IMPORTED, ABSENT), ["genotype-conflict"])
    decide_flag(actor=anna, flag=ReviewFlag.objects.get(), state=FlagState.DISMISSED, decision="bad sample")
    apply_rules([pup.pk])
    assert flags() == []


def test_contradictory_tests_decide_nothing_and_are_told_also_while_a_person_types(anna: User, pup: Subject) -> None:
    with typing():
        genotype.record_tests(
            actor=anna, subject=pup, tests=[{"sequence": "cre", "result": one} for one in ("present", "absent")]
        )
    assert (known(pup), flags()) == (None, ["genotype-conflict"])
    assert "one test found it and another did not" in ReviewFlag.objects.get().message
    genotype.remove_test(actor=anna, test=GenotypeTest.objects.filter(result=0).get())
    assert (known(pup), flags()) == ((PRESENT, Basis.TESTS, PRESENT), [])


def test_rules_and_lines_changed_are_applied_to_their_animals(lab: Lab, anna: User, pup: Subject, line: Line) -> None:
    genotype.record_test(actor=anna, subject=pup, sequence="cre", result=1)
    rule = ZygosityRule.objects.get(state=PRESENT)
    genotype.change_rule(actor=anna, rule=rule, changes={"state": HET})
    assert known(pup) == (HET, Basis.TESTS, HET)
    genotype.remove_rule(actor=anna, rule=rule)
    assert known(pup) is None
    genotype.create_rule(
        actor=anna, line=line, values={"allele": "Cre", "sequence0": "cre", "result0": 1, "state": PRESENT}
    )
    assert known(pup) == (PRESENT, Basis.TESTS, PRESENT)
    change_subject(actor=anna, subject=pup, changes={"line": a_line(lab)})
    assert known(pup) is None


def test_applying_costs_the_same_for_any_number(
    lab: Lab, line: Line, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sequence = Sequence.objects.get(name="cre")
    for count in (1, 20):
        animals = [a_subject(lab, line=line) for _ in range(count)]
        GenotypeTest.objects.bulk_create(GenotypeTest(subject=one, sequence=sequence, result=1) for one in animals)
        with django_assert_max_num_queries(9):
            apply_rules([one.pk for one in animals])
    assert Zygosity.objects.count() == 21


def test_a_sequence_of_another_line_is_asked_back_in_forms_and_flagged_elsewhere(anna: User, pup: Subject) -> None:
    a_word(Sequence, "flp")
    with typing(), pytest.raises(Doubtful, match="is not tested for flp") as asked:
        genotype.record_test(actor=anna, subject=pup, sequence="flp", result=1)
    assert "its sequences: cre, wt" in asked.value.fields["sequence"][0]
    assert not GenotypeTest.objects.exists()
    with typing(confirmed=True):
        genotype.record_test(actor=anna, subject=pup, sequence="flp", result=1)
    assert flags() == []
    genotype.record_test(actor=anna, subject=pup, sequence="flp", result=1, tested_on=date(2020, 1, 1))
    assert flags() == ["before-birth", "sequence-not-of-line"]


def test_what_cannot_be_read_or_is_not_allowed_is_refused(lab: Lab, anna: User, pup: Subject, line: Line) -> None:
    with pytest.raises(Invalid, match="no sequence named 'cree'; nearest: cre"):
        genotype.record_test(actor=anna, subject=pup, sequence="cree", result=1)
    with pytest.raises(Invalid, match="present or absent"):
        genotype.record_test(actor=anna, subject=pup, sequence="cre", result=2)
    with pytest.raises(Invalid, match="state"):
        genotype.set_zygosity(actor=anna, subject=pup, allele="Cre", state=7)
    for stranger in (a_member(a_lab()), a_member(lab, Role.READER)):
        with pytest.raises(Forbidden):
            genotype.record_test(actor=stranger, subject=pup, sequence="cre", result=1)
        with pytest.raises(Forbidden):
            genotype.remove_rule(actor=stranger, rule=ZygosityRule.objects.all()[0])
    good = {"allele": "Cre", "sequence0": "cre", "result0": 1, "state": HET}
    for bad, words in (
        ({}, "has a rule for these results already"),
        ({"sequence1": "cre", "result1": 1}, "another one than the first"),
        ({"sequence1": "wt"}, "go together"),
    ):
        with pytest.raises(Invalid, match=words):
            genotype.create_rule(actor=anna, line=line, values={**good, **bad})
    an_allele("Flp")
    with typing(), pytest.raises(Doubtful, match="does not carry Flp"):
        genotype.create_rule(actor=anna, line=line, values={**good, "allele": "Flp"})


def test_parents_suggest_and_only_a_person_takes_it_over(lab: Lab, anna: User, line: Line, cre: Allele) -> None:
    pair = a_pair(line)
    pup = a_subject(lab, "pup", line=line, litter=a_litter(pair))
    with pytest.raises(Conflict, match="nothing is certain of Cre in pup: father not known"):
        genotype.accept_suggestion(actor=anna, subject=pup, allele="Cre")
    for parent, state in ((pair.father, HOM), (pair.mother1, ABSENT)):
        assert parent is not None
        Zygosity.objects.create(subject=parent, allele=cre, state=state)
    suggestion = genotype.suggest(pup)["Cre"]
    assert (suggestion.state, suggestion.chances) == (HET, ((HET, "certain"),))
    assert known(pup) is None
    taken = genotype.accept_suggestion(actor=anna, subject=pup, allele="Cre")
    assert (known(pup), taken.why) == ((HET, Basis.PARENTS, None), suggestion.why)
    genotype.record_test(actor=anna, subject=pup, sequence="cre", result=0)
    assert (known(pup), flags()) == ((HET, Basis.PARENTS, ABSENT), ["genotype-conflict"])
    genotype.set_zygosity(actor=anna, subject=pup, allele="Cre", state=None)
    with pytest.raises(Conflict, match="known already: absent, by the rules"):
        genotype.accept_suggestion(actor=anna, subject=pup, allele="Cre")
    assert genotype.suggest(a_subject(lab)) == {}


def test_every_allele_of_the_line_is_explained(anna: User, pup: Subject, line: Line) -> None:
    line.alleles.add(an_allele("Flp"))
    told = genotype.decisions(pup)
    assert told["Cre"].why == "no test yet of cre, wt"
    assert told["Flp"].why == "the line has no rule for Flp"
