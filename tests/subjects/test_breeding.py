"""Lines, pairs, litters, weaning, requests and hand-overs, by their services."""

from datetime import date
from typing import Any

import pytest

from alyx.core.errors import Conflict, DomainError, Doubtful, Forbidden, Invalid
from alyx.core.flags import typing
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, Role, User
from subjects.models import (
    BreedingPair,
    GenotypeTest,
    HandOver,
    Line,
    Litter,
    Sequence,
    Species,
    Strain,
    Subject,
    Zygosity,
    ZygosityRule,
    ZygosityState,
)
from subjects.services import colony
from subjects.services.subject import change_subject, create_subject
from tests.factories.animals import a_line, a_litter, a_pair, a_word, an_allele
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_subject

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def anna(lab: Lab) -> User:
    return a_member(lab, name="anna")


@pytest.fixture
def line(lab: Lab) -> Line:
    return a_line(lab, "Ai32", alleles=1, species=a_word(Species, "Mus musculus"), strain=a_word(Strain, "C57BL/6J"))


def rules() -> list[str]:
    return sorted(ReviewFlag.objects.values_list("rule", flat=True))


# Vocabularies and lines.


def test_words_are_made_and_changed_by_managers_once_per_name(lab: Lab, anna: User) -> None:
    manager = a_member(lab, Role.DATA_MANAGER)
    strain = colony.create_word(actor=manager, model=Strain, values={"name": "CBA"})
    assert colony.change_word(actor=manager, row=strain, changes={"description": "agouti"}).description == "agouti"
    with pytest.raises(Invalid, match="'CBA' already"):
        colony.create_word(actor=manager, model=Strain, values={"name": "CBA"})
    with pytest.raises(Forbidden):
        colony.create_word(actor=anna, model=Strain, values={"name": "DBA"})
    sequence = a_word(Sequence, "cre")
    allele = colony.create_allele(actor=manager, values={"nickname": "Cre", "sequences": ["cre"]})
    assert list(allele.sequences.all()) == [sequence]
    with pytest.raises(Invalid, match="no sequence named 'cree'; nearest: cre"):
        colony.change_allele(actor=manager, allele=allele, changes={"sequences": ["cree"]})


def test_a_line_is_made_by_breeders_of_its_lab_and_stands_once(lab: Lab, anna: User) -> None:
    allele = an_allele("ChR2")
    said: dict[str, Any] = {"name": "Pvalb-Cre; Ai32", "nickname": "PvAi32", "lab": "cortexlab", "alleles": ["ChR2"]}
    made = colony.create_line(actor=anna, values=said)
    assert (made.lab, list(made.alleles.all())) == (lab, [allele])
    bad: list[tuple[dict[str, Any], str]] = [
        ({"name": "pvalb-cre; ai32", "lab": lab}, "name"),
        ({"name": "other", "nickname": "pvai32", "lab": lab}, "nickname"),
        ({"name": "other", "nickname": "a b", "lab": lab}, "nickname"),
        ({"name": " ", "lab": lab}, "name"),
    ]
    for wrong, field in bad:
        with pytest.raises(Invalid) as refused:
            colony.create_line(actor=anna, values=wrong)
        assert list(refused.value.fields) == [field]
    with pytest.raises(Forbidden):
        colony.change_line(actor=a_member(a_lab()), line=made, changes={"description": "x"})
    assert colony.change_line(actor=anna, line=made, changes={"is_active": False}).is_active is False


# Automatic names.


def test_names_of_a_line_count_on_over_hand_typed_and_withdrawn_ones(lab: Lab, anna: User, line: Line) -> None:
    a_subject(lab, "ai32_0003", withdrawn_at="2026-01-01T00:00:00Z")
    assert colony.next_subject_name(line, lab) == "Ai32_0004"
    made = create_subject(actor=anna, values={"lab": "cortexlab", "line": "Ai32 line"})
    assert (made.nickname, made.line, made.species) == ("Ai32_0004", line, line.species)
    change_subject(actor=anna, subject=made, changes={"nickname": "renamed"})
    assert create_subject(actor=anna, values={"lab": "cortexlab", "line": "Ai32"}).nickname == "Ai32_0005"
    assert colony.create_pair(actor=anna, values={"line": line}).name == "Ai32_BP_001"
    assert colony.create_litter(actor=anna, values={"line": line})[0].name == "Ai32_L_001"


def test_a_name_of_the_lab_comes_back_neither_after_a_rename_nor_after_a_move(lab: Lab, anna: User) -> None:
    first, second = (create_subject(actor=anna, values={"lab": "cortexlab"}) for _ in range(2))
    change_subject(actor=anna, subject=second, changes={"nickname": "renamed"})
    assert create_subject(actor=anna, values={"lab": "cortexlab"}).nickname == "cortexlab_0003"
    assert first.nickname == "cortexlab_0001"


# Pairs.


def test_a_pair_has_each_animal_once(lab: Lab, anna: User, line: Line) -> None:
    father, mother = a_subject(lab, "dad", sex="M"), a_subject(lab, "mum")
    pair = colony.create_pair(actor=anna, values={"line": "Ai32", "father": "dad", "mother1": mother})
    assert (pair.father, pair.mother1, pair.lab) == (father, mother, lab)
    with pytest.raises(Invalid, match="mum is the mother already"):
        colony.change_pair(actor=anna, pair=pair, changes={"mother2": mother})
    with pytest.raises(Invalid, match="dad is the father already"):
        colony.create_pair(actor=anna, values={"line": line, "father": father, "mother1": father})
    with pytest.raises(Invalid, match="no subject named 'mumm'"):
        colony.create_pair(actor=anna, values={"line": line, "mother1": "mumm"})
    with pytest.raises(Forbidden):
        colony.create_pair(actor=a_member(lab, Role.RIG), values={"line": line})


BAD_PAIRS = [
    ({"father": "mum"}, "parent-of-wrong-sex", "father"),
    ({"mother1": "dad"}, "parent-of-wrong-sex", "mother1"),
    ({"mother2": "late", "start_date": date(2026, 1, 1)}, "parent-dead-at-start", "mother2"),
    ({"father": "dad", "start_date": date(2025, 11, 1)}, "parent-not-yet-born", "father"),
    ({"start_date": date(2026, 2, 1), "end_date": date(2026, 1, 1)}, "pair-ends-before-start", "end_date"),
]


@pytest.mark.parametrize(("said", "rule", "field"), BAD_PAIRS)
def test_an_implausible_pair_is_asked_back_in_forms_and_flagged_elsewhere(
    lab: Lab, anna: User, line: Line, said: dict[str, Any], rule: str, field: str
) -> None:
    a_subject(lab, "dad", sex="M")
    a_subject(lab, "mum")
    a_subject(lab, "late", died_on=date(2025, 12, 1))
    with typing(), pytest.raises(Doubtful) as asked:
        colony.create_pair(actor=anna, values={"line": line, **said})
    assert field in asked.value.fields
    assert not BreedingPair.objects.exists()
    with typing(confirmed=True):
        colony.create_pair(actor=anna, values={"line": line, **said})
    assert rules() == []
    colony.create_pair(actor=anna, values={"line": line, **said})
    assert rules() == [rule]
    assert BreedingPair.objects.count() == 2


# Litters.


def test_pups_are_as_their_litter_and_line_say(lab: Lab, anna: User, line: Line) -> None:
    keeper = a_member(lab, is_stock_manager=True)
    pair = a_pair(line, father=a_subject(lab, "dad", sex="M", responsible_user=keeper))
    (sequence,) = Sequence.objects.all()
    ZygosityRule.objects.create(
        line=line, allele=line.alleles.get(), sequence0=sequence, result0=1, state=ZygosityState.PRESENT
    )
    values = {"breeding_pair": pair, "birth_date": date(2026, 2, 1), "n_born": 4}
    pups: list[dict[str, Any]] = [
        {"sex": "F", "ear_mark": "L", "tests": [{"sequence": sequence, "result": "present"}]},
        {"sex": "M", "ear_mark": "R", "nickname": "Rex"},
        {"ear_mark": "LL"},
    ]
    litter, made = colony.create_litter(actor=anna, values=values, pups=pups)
    assert (litter.name, litter.line, litter.lab, litter.n_born) == ("Ai32_L_001", line, lab, 4)
    assert [pup.nickname for pup in made] == ["Ai32_0001", "Rex", "Ai32_0002"]
    assert [(pup.sex, pup.ear_mark) for pup in made] == [("F", "L"), ("M", "R"), ("U", "LL")]
    for pup in Subject.objects.filter(litter=litter).select_related("source", "responsible_user"):
        assert (pup.line, pup.species, pup.strain, pup.lab) == (line, line.species, line.strain, lab)
        assert (str(pup.source), pup.born_on, pup.responsible_user) == ("bred", date(2026, 2, 1), keeper)
    assert Zygosity.objects.get().subject == made[0]
    (more,) = colony.add_pups(actor=anna, litter=litter, pups=[{"sex": "M"}])
    assert (more.nickname, more.litter, rules()) == ("Ai32_0003", litter, [])


@pytest.mark.parametrize(
    ("third", "field"),
    [
        ({"nickname": "a b"}, "pups.2.nickname"),
        ({"nickname": "TAKEN"}, "pups.2.nickname"),
        ({"responsible_user": "nobody"}, "pups.2.responsible_user"),
        ({"tests": [{"sequence": "no such", "result": 1}]}, "pups.2.sequence"),
        ({"tests": [{"sequence": "cre", "result": "maybe"}]}, "pups.2.result"),
    ],
)
def test_a_bad_third_pup_saves_nothing_and_is_named(
    lab: Lab, anna: User, line: Line, third: dict[str, Any], field: str
) -> None:
    a_subject(lab, "taken")
    a_word(Sequence, "cre")
    good = {"tests": [{"sequence": "cre", "result": 1}]}
    with pytest.raises(DomainError) as refused:
        colony.create_litter(actor=anna, values={"line": line}, pups=[good, good, third])
    assert list(refused.value.fields) == [field]
    assert refused.value.detail.startswith("pup 3: ")
    assert not Litter.objects.exists()
    assert not GenotypeTest.objects.exists()
    line.refresh_from_db()
    assert (line.last_subject_number, line.last_litter_number, Subject.objects.count()) == (0, 0, 1)


def test_what_cannot_be_of_a_litter_is_asked_back_in_forms(lab: Lab, anna: User, line: Line) -> None:
    pair = a_pair(line)
    values: dict[str, Any] = {"breeding_pair": pair, "birth_date": date(2025, 12, 1), "wean_date": date(2025, 11, 1)}
    with typing(), pytest.raises(Doubtful) as asked:
        colony.create_litter(actor=anna, values={**values, "n_born": 1}, pups=[{}])
    assert set(asked.value.fields) == {"birth_date", "wean_date"}
    colony.create_litter(actor=anna, values={**values, "n_born": 1}, pups=[{}, {}])
    assert set(rules()) == {"weaned-before-birth", "litter-before-pair", "more-pups-than-born", "date-before-birth"}
    with pytest.raises(Invalid, match="at most 40"):
        colony.create_litter(actor=anna, values={"line": line}, pups=[{}] * 41)


def test_pups_follow_a_corrected_birth_date_except_those_of_their_own(lab: Lab, anna: User, line: Line) -> None:
    litter = a_litter(a_pair(line))
    same = a_subject(lab, litter=litter, born_on=litter.born_on)
    own = a_subject(lab, litter=litter, born_on=date(2026, 2, 3))
    colony.change_litter(actor=anna, litter=litter, changes={"birth_date": date(2026, 2, 2)})
    same.refresh_from_db()
    own.refresh_from_db()
    assert (same.born_on, own.born_on) == (date(2026, 2, 2), date(2026, 2, 3))


def test_weaning_dates_the_litter_and_its_living_pups_and_gives_a_cage_per_sex(
    lab: Lab, anna: User, line: Line
) -> None:
    litter = a_litter(a_pair(line))
    girl, boy = a_subject(lab, litter=litter, sex="F"), a_subject(lab, litter=litter, sex="M")
    dead = a_subject(lab, litter=litter, died_on=date(2026, 2, 5))
    on = date(2026, 2, 22)
    colony.wean_litter(actor=anna, litter=litter, wean_date=on, cages={"F": "1202", "M": "1201"})
    for row in (litter, girl, boy, dead):
        row.refresh_from_db()
    assert (litter.weaned_on, girl.weaned_on, boy.weaned_on, dead.weaned_on) == (on, on, on, None)
    assert (girl.cage_name, boy.cage_name, dead.cage_name) == ("1202", "1201", "")
    assert girl.stays.get().housing.cage_name == "1202"
    with typing(), pytest.raises(Doubtful, match="weaned 2026-02-22 already"):
        colony.wean_litter(actor=anna, litter=litter, wean_date=date(2026, 2, 23))
    with pytest.raises(Forbidden):
        colony.wean_litter(actor=a_member(lab, Role.READER), litter=litter)


# Requests and hand-overs.


def test_a_request_is_filled_up_to_its_count_and_closed_when_full(lab: Lab, anna: User, line: Line) -> None:
    stock = a_member(lab, is_stock_manager=True)
    request = colony.open_request(actor=anna, values={"line": line, "count": 2})
    assert (request.user, request.lab, request.requested_on is not None) == (anna, lab, True)
    one, two, three = (a_subject(lab, line=line, responsible_user=stock) for _ in range(3))
    colony.allocate(actor=stock, request=request, subjects=[one])
    one.refresh_from_db()
    assert (one.request, one.responsible_user) == (request, anna)
    assert HandOver.objects.values_list("from_user", "to_user", "by").get() == (stock.pk, anna.pk, stock.pk)
    with pytest.raises(Conflict, match="2 asked for, this would be 3"):
        colony.allocate(actor=stock, request=request, subjects=[two, three])
    full = colony.allocate(actor=stock, request=request, subjects=[two], hand_over=False)
    two.refresh_from_db()
    assert (full.closed_on is not None, two.responsible_user) == (True, stock)
    with pytest.raises(Conflict, match="was closed"):
        colony.allocate(actor=stock, request=request, subjects=[three])
    colony.release(actor=stock, subject=two)
    request.refresh_from_db()
    assert request.closed_on is None
    colony.close_request(actor=anna, request=request)
    with pytest.raises(Conflict):
        colony.close_request(actor=anna, request=request)


def test_only_a_free_living_animal_is_allocated(lab: Lab, anna: User, line: Line) -> None:
    request = colony.open_request(actor=anna, values={"line": line, "count": 9})
    other = colony.open_request(actor=anna, values={"line": line})
    for animal, words in (
        (a_subject(lab, line=line, died_on=date(2026, 1, 1)), "died 2026-01-01"),
        (a_subject(lab, line=line, request=other), "another request"),
    ):
        with pytest.raises(Conflict, match=words):
            colony.allocate(actor=anna, request=request, subjects=[animal])
    stranger = a_subject(lab)
    with typing(), pytest.raises(Doubtful, match="is not of line Ai32"):
        colony.allocate(actor=anna, request=request, subjects=[stranger])
    theirs = a_subject(lab, line=line, responsible_user=a_member(lab))
    with pytest.raises(Forbidden, match=theirs.nickname):
        colony.allocate(actor=anna, request=request, subjects=[theirs])
    with pytest.raises(Invalid, match="count"):
        colony.open_request(actor=anna, values={"line": line, "count": 0})
    with pytest.raises(Forbidden):
        colony.change_request(actor=a_member(lab, Role.READER), request=request, changes={"count": 3})


def test_an_animal_passed_on_leaves_a_trace(lab: Lab, anna: User) -> None:
    bert = a_member(lab, name="bert")
    subject = a_subject(lab, responsible_user=anna)
    passed = colony.hand_over(actor=anna, subject=subject, to="bert", reason="holidays")
    assert passed is not None
    assert (passed.from_user, passed.to_user, passed.by, passed.reason) == (anna, bert, anna, "holidays")
    assert colony.hand_over(actor=bert, subject=subject, to=bert) is None
    with pytest.raises(Forbidden):
        colony.hand_over(actor=anna, subject=subject, to=anna)
    change_subject(actor=bert, subject=subject, changes={"responsible_user": "anna"})
    change_subject(actor=anna, subject=subject, changes={"responsible_user": "anna"})
    assert HandOver.objects.filter(subject=subject).count() == 2
