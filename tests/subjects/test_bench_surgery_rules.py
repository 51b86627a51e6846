"""Two people at one field: nobody's words are lost, and who wrote first does not matter."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subjects.rules.merge import merged_set, merged_text, merged_value
from subjects.rules.surgery_fields import FIELDS, Unfit, merged, number
from subjects.rules.surgery_plan import SAID, part_faults, plan_faults

WORDS = st.sampled_from(["skull", "bregma", "blood", "a", "little", "no", "glue", "3,5"])
TEXTS = st.lists(st.one_of(WORDS, st.sampled_from([" ", "\n", ". "])), max_size=12).map("".join)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def added(base: str, text: str) -> list[str]:
    """Words that the text has more often than the base."""
    words = re.findall(r"\w+", text)
    left = re.findall(r"\w+", base)
    return [word for word in words if not (word in left and not left.remove(word))]  # type: ignore[func-returns-value]


@given(TEXTS, TEXTS, TEXTS)
def test_a_merged_text_has_what_each_wrote_at_the_end(base: str, mine: str, theirs: str) -> None:
    """Both go on writing behind what is there: nothing that either wrote is missing, in either order of arrival."""
    one, other = base + "\n" + mine, base + "\n" + theirs
    for first, second in ((one, other), (other, one)):
        found = merged_text(base, first, second)
        assert found is not None
        for text in (mine, theirs):
            assert not added(found, text), (found, text)
        assert found.startswith(base)


@given(TEXTS, TEXTS, TEXTS)
def test_what_only_one_changed_is_as_they_left_it(base: str, mine: str, theirs: str) -> None:
    assert merged_text(base, base, theirs) == theirs
    assert merged_text(base, mine, base) == mine
    assert merged_text(base, mine, mine) == mine
    assert (merged_text(base, mine, theirs) is None) == (merged_text(base, theirs, mine) is None)


@given(TEXTS, TEXTS, TEXTS)
def test_no_new_word_is_lost_where_texts_merge(base: str, mine: str, theirs: str) -> None:
    found = merged_text(base, mine, theirs)
    if found is not None:
        for text in (mine, theirs):
            assert set(added(base, text)) <= set(re.findall(r"\w+", found))


def test_the_same_word_changed_twice_is_somebodys_decision() -> None:
    assert merged_text("little bleeding", "no bleeding", "much bleeding") is None
    assert merged_text("a b c d", "a X c d", "a b c Y") == "a X c Y"
    assert merged_text("abc", "abc def", "xyz\nabc") == "xyz\nabc def"


def test_long_narratives_are_merged_in_reasonable_work() -> None:
    base = "word " * 20_000
    assert merged_text(base, base + "mine", base + "theirs") == base + "theirs\nmine"


@given(*[st.sets(st.integers(0, 6))] * 3)
def test_sets_take_what_either_added_and_leave_what_either_took_out(
    base: set[int], mine: set[int], theirs: set[int]
) -> None:
    found = merged_set(base, mine, theirs)
    assert found == merged_set(base, theirs, mine)
    assert (mine | theirs) - base <= found
    assert found & (base - mine) == set()
    assert base & mine & theirs <= found


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_values_agree_unless_both_changed_them_differently(base: int, mine: int, theirs: int) -> None:
    agreed, value = merged_value(base, mine, theirs)
    assert agreed == (mine == theirs or base in (mine, theirs))
    if agreed:
        assert value == (theirs if mine == base else mine)


@pytest.mark.parametrize(
    ("said", "value"), [("23,4", 23.4), ("23.4", 23.4), (" 2 ", 2.0), ("", None), (None, None), (3, 3.0), ("1,", 1.0)]
)
def test_numbers_have_points_or_commas(said: Any, value: float | None) -> None:
    assert number(said) == value


@pytest.mark.parametrize("said", ["1,2,3", "1.2.3", "a", "1e5", "٣", True, float("nan"), float("inf"), 10**400, [1]])
def test_what_is_no_number_is_told(said: Any) -> None:
    with pytest.raises(Unfit):
        number(said)


@given(st.sampled_from(sorted(FIELDS)), JSON)
def test_any_json_is_a_value_or_unfit(field: str, said: Any) -> None:
    try:
        value = FIELDS[field](said)
    except Unfit:
        return
    assert merged(field, value, value, value).agreed


@given(
    st.sampled_from([*SAID, "tail"]) | JSON,
    JSON | st.dictionaries(st.sampled_from(["ap_mm", "drug", "what", "value", "target"]), JSON),
)
def test_any_json_is_a_part_or_has_faults(kind: Any, values: Any) -> None:
    assert all(isinstance(words, str) and words for words in part_faults(kind, values).values())


@given(
    st.lists(
        JSON | st.fixed_dictionaries({"id": JSON, "part": JSON | st.sampled_from(["craniotomy", "headplate"])}),
        max_size=4,
    )
)
def test_any_json_is_a_plan_or_has_faults(plan: Any) -> None:
    faults = plan_faults(plan)
    keys = [str(item.get("id")) for item in plan if isinstance(item, dict)]
    assert bool(faults) == (any(bool(plan_faults([item])) for item in plan) or len(set(keys)) < len(keys))
