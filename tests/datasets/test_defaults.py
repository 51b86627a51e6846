"""Which revision of a file is the default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.rules.defaults import current_default, default_after_registration, latest

histories = st.dictionaries(st.sampled_from(["", "2024-01-10", "2024-01-10a", "v1"]), st.booleans())


@pytest.mark.parametrize(
    ("defaults", "registered", "wanted", "default"),
    [
        ({}, "", True, ""),
        ({}, "", None, ""),
        ({}, "", False, ""),
        ({"": True}, "2024-01-10", True, "2024-01-10"),
        ({"": True}, "2024-01-10", None, "2024-01-10"),
        ({"": True}, "2024-01-10", False, ""),
        ({"": False, "2024-01-10": True}, "", None, "2024-01-10"),
        ({"": False, "2024-01-10": True}, "", True, ""),
        ({"": False, "a": False, "b": True}, "b", False, "a"),
        ({"b": True}, "b", False, "b"),
    ],
)
def test_the_default_follows_what_the_call_says(
    defaults: dict[str, bool], registered: str, wanted: bool | None, default: str
) -> None:
    assert default_after_registration(defaults, registered, wanted) == default


@given(histories, st.sampled_from(["", "2024-01-10", "b"]), st.none() | st.booleans())
def test_there_is_one_default_and_the_same_call_twice_changes_nothing(
    defaults: dict[str, bool], registered: str, wanted: bool | None
) -> None:
    first = default_after_registration(defaults, registered, wanted)
    after = {revision: revision == first for revision in (*defaults, registered)}
    assert sum(after.values()) == 1
    assert default_after_registration(after, registered, wanted) == first


def test_without_a_flag_the_latest_is_the_default() -> None:
    assert current_default({"": False, "2024-01-10": False, "2024-01-10a": False}) == "2024-01-10a"


def test_the_original_is_the_oldest_and_a_letter_comes_after_its_day() -> None:
    assert latest(["2024-01-10a", "", "2024-01-10"]) == "2024-01-10a"
    assert latest([""]) == ""
