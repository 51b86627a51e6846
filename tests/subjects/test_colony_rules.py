"""Names, zygosities and pedigrees, without a database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subjects.rules.genotype import Decision, Found, Rule, State, contradicts, decide, infer
from subjects.rules.names import Kind, next_names
from subjects.rules.pedigree import MAX_DEPTH, Parents, Place, ancestors, pedigree

ABSENT, HET, HOM, PRESENT = State


@pytest.mark.parametrize(
    ("kind", "last", "taken", "name"),
    [
        (Kind.SUBJECT, 0, [], "Ai32_0001"),
        (Kind.BREEDING_PAIR, 0, [], "Ai32_BP_001"),
        (Kind.LITTER, 11, [], "Ai32_L_012"),
        (Kind.SUBJECT, 3, ["ai32_0007"], "Ai32_0008"),
        (Kind.SUBJECT, 9, ["Ai32_0002"], "Ai32_0010"),
        (Kind.SUBJECT, 0, ["Ai32_1"], "Ai32_0002"),
        (Kind.SUBJECT, 0, ["Ai32_20240311", "Ai32_BP_004", "Ai3_0005", "Ai32_0005b"], "Ai32_0001"),
        (Kind.SUBJECT, 12345, [], "Ai32_12346"),
    ],
)
def test_the_next_name_follows_the_counter_and_every_name_there_is(
    kind: Kind, last: int, taken: list[str], name: str
) -> None:
    assert [one.name for one in next_names("Ai32", kind, last=last, taken=taken)] == [name]


def test_a_nickname_that_no_folder_may_have_is_cleaned() -> None:
    assert next_names("Pvalb-Cre; Ai32", Kind.SUBJECT, last=0, taken=[])[0].name == "Pvalb-Cre-Ai32_0001"


names = st.one_of(st.integers(0, 10**8).map(lambda n: f"{'nick' if n % 2 else 'NICK'}_{n:04d}"), st.text(max_size=12))


@given(taken=st.lists(names), last=st.integers(0, 10**6), count=st.integers(1, 5))
def test_new_names_are_new_in_any_case_and_after_the_counter(taken: list[str], last: int, count: int) -> None:
    made = next_names("Nick", Kind.SUBJECT, last=last, taken=taken, count=count)
    assert made == next_names("Nick", Kind.SUBJECT, last=last, taken=reversed(taken), count=count)
    assert len({one.name.lower() for one in made}) == count
    assert not {one.name.lower() for one in made} & {one.lower() for one in taken}
    assert all(one.number > last for one in made)
    assert [one.number for one in made] == sorted(one.number for one in made)


def rule(state: State, *needs: tuple[str, bool], allele: str = "Cre") -> Rule:
    return Rule(allele, frozenset(Found(*need) for need in needs), state)


CRE = [
    rule(ABSENT, ("cre", False)),
    rule(PRESENT, ("cre", True)),
    rule(HET, ("cre", True), ("wt", True)),
    rule(HOM, ("cre", True), ("wt", False)),
]


@pytest.mark.parametrize(
    ("tests", "state", "is_conflict", "told"),
    [
        ([], None, False, "no test yet of cre, wt"),
        ([("cre", False)], ABSENT, False, "cre absent → absent"),
        ([("cre", True)], PRESENT, False, "cre present → present"),
        ([("cre", True), ("wt", True)], HET, False, "cre present and wt present → heterozygous"),
        ([("cre", True), ("wt", False)], HOM, False, "cre present and wt absent → homozygous"),
        ([("wt", True)], None, False, "no test yet of cre"),
        ([("cre", True), ("cre", False)], None, True, "cre: one test found it and another did not"),
        ([("other", True), ("other", False), ("cre", False)], ABSENT, False, "cre absent"),
    ],
)
def test_the_rule_with_more_sequences_decides(
    tests: list[tuple[str, bool]], state: State | None, is_conflict: bool, told: str
) -> None:
    decision = decide([Found(*one) for one in tests], CRE)["Cre"]
    assert (decision.state, decision.is_conflict) == (state, is_conflict)
    assert told in decision.why


def test_rules_that_disagree_are_a_conflict_and_missing_ones_are_said() -> None:
    rules = [rule(HET, ("a", True)), rule(HOM, ("b", True)), rule(HET, ("a", True), allele="Flp")]
    found = [Found("a", True), Found("b", True)]
    decided = decide(found, rules, ["Chr2"])
    assert decided["Cre"].state is None
    assert decided["Cre"].is_conflict
    assert "a present → heterozygous; b present → homozygous" in decided["Cre"].why
    assert decided["Flp"].state == HET
    assert decided["Chr2"] == Decision("Chr2", None, "the line has no rule for Chr2")
    assert "no rule for c absent" in decide([Found("c", False)], [rule(HET, ("c", True))])["Cre"].why


found = st.builds(Found, st.sampled_from("abc"), st.booleans())
some_rules = st.lists(
    st.builds(Rule, st.sampled_from(["X", "Y"]), st.frozensets(found, max_size=2), st.sampled_from(State)), max_size=8
)


@given(tests=st.lists(found, max_size=8), rules=some_rules, data=st.data())
def test_every_input_has_one_answer_whatever_its_order(tests: list[Found], rules: list[Rule], data: Any) -> None:
    answer = decide(tests, rules, ["Z"])
    again = decide(data.draw(st.permutations(tests)), data.draw(st.permutations(rules)), ["Z"])
    assert answer == again
    assert set(answer) == {"Z", *(one.allele for one in rules)}
    for allele, decision in answer.items():
        assert decision.why
        assert not (decision.is_conflict and decision.state is not None)
        if decision.state is not None:
            assert any(
                one.allele == allele and one.state == decision.state and one.needs <= set(tests) for one in rules
            )


@given(tests=st.lists(found, max_size=6), rules=some_rules)
def test_a_test_said_twice_changes_nothing(tests: list[Found], rules: list[Rule]) -> None:
    assert decide(tests * 2, rules * 2) == decide(tests, rules)


def test_present_contradicts_absent_only() -> None:
    assert not contradicts(HET, None)
    assert not contradicts(HET, HET)
    assert not contradicts(HET, PRESENT)
    assert not contradicts(PRESENT, HOM)
    assert contradicts(PRESENT, ABSENT)
    assert contradicts(HET, HOM)


@pytest.mark.parametrize(
    ("father", "mothers", "state", "chances"),
    [
        (HOM, [HOM], HOM, {HOM: "certain"}),
        (HOM, [ABSENT], HET, {HET: "certain"}),
        (ABSENT, [ABSENT], ABSENT, {ABSENT: "certain"}),
        (HET, [HET], None, {ABSENT: "1 in 4", HET: "1 in 2", HOM: "1 in 4"}),
        (HET, [ABSENT], None, {ABSENT: "1 in 2", HET: "1 in 2"}),
        (HOM, [HET], PRESENT, {HET: "1 in 2", HOM: "1 in 2"}),
        (HOM, [None], PRESENT, {HET: "possible", HOM: "possible"}),
        (PRESENT, [ABSENT], None, {ABSENT: "possible", HET: "possible"}),
        (HOM, [ABSENT, HOM], PRESENT, {HET: "possible", HOM: "possible"}),
        (HOM, [ABSENT, ABSENT], HET, {HET: "certain"}),
        (None, [], None, {ABSENT: "possible", HET: "possible", HOM: "possible"}),
    ],
)
def test_parents_suggest_what_is_certain_and_tell_the_chances(
    father: State | None, mothers: list[State | None], state: State | None, chances: dict[State, str]
) -> None:
    suggestion = infer("Cre", father, mothers)
    assert (suggestion.state, dict(suggestion.chances)) == (state, chances)
    assert suggestion.why.startswith("father ")


maybe = st.one_of(st.none(), st.sampled_from(State))


@given(father=maybe, mothers=st.lists(maybe, max_size=2))
def test_a_suggestion_is_one_of_what_is_possible_and_parents_may_change_places(
    father: State | None, mothers: list[State | None]
) -> None:
    suggestion = infer("Cre", father, mothers)
    possible = {state for state, _ in suggestion.chances}
    assert possible
    if suggestion.state == PRESENT:
        assert ABSENT not in possible
    elif suggestion.state is not None:
        assert possible == {suggestion.state}
    assert suggestion == infer("Cre", father, mothers[::-1])
    if len(mothers) == 1:
        turned = infer("Cre", mothers[0], [father])
        assert (turned.state, turned.chances) == (suggestion.state, suggestion.chances)


TREE = {"pup": Parents("dad", ("mum", "aunt")), "dad": Parents("grandad", ()), "mum": Parents("grandad", ("pup",))}


def test_ancestors_to_a_depth_and_a_loop_is_shown_not_followed() -> None:
    assert ancestors("pup", TREE, 1) == {"dad", "mum", "aunt"}
    assert ancestors("pup", TREE, 99) == {"dad", "mum", "aunt", "grandad", "pup"}
    assert ancestors("pup", TREE, 0) == ancestors("stranger", TREE, 3) == set()
    place = pedigree("pup", TREE, 3)
    assert place.father == Place("dad", 1, Place("grandad", 2))
    mum, aunt = place.mothers
    assert mum == Place("mum", 1, Place("grandad", 2), (Place("pup", 2, loops=True),))
    assert aunt == Place("aunt", 1)


keys = st.integers(0, 5)


@given(
    parents=st.dictionaries(keys, st.builds(Parents, st.one_of(st.none(), keys), st.tuples(keys, keys))),
    depth=st.integers(-1, 5),
)
def test_a_pedigree_ends_whatever_the_data_say(parents: dict[int, Parents[int]], depth: int) -> None:
    def keys_of(place: Place[int]) -> set[int]:
        above = [one for one in (place.father, *place.mothers) if one is not None]
        assert all(one.generation == place.generation + 1 <= MAX_DEPTH for one in above)
        return {one.key for one in above}.union(*map(keys_of, above))

    assert keys_of(pedigree(0, parents, depth)) <= ancestors(0, parents, depth)
