"""Two people at one field: the rule, and what entries make of it."""

import random

import pytest

from alyx.core.journal.merging import FieldConflict, apply_edit, merged


@pytest.mark.parametrize(
    ("current", "base", "value", "holds", "changes"),
    [
        ("a", "a", "b", "b", True),
        ("b", "a", "b", "b", False),  # both typed the same
        ("b", "a", "a", "b", False),  # nothing was edited
        ("", "", "x", "x", True),
        ("a\nb\nC", "a\nb\nc", "A\nb\nc", "A\nb\nC", True),  # different lines, one between
        ("a\nb\nc\nd", "a\nb\nc", "A\nb\nc", "A\nb\nc\nd", True),
        ("one\n\ntwo!", "one\n\ntwo", "one?\n\ntwo", "one?\n\ntwo!", True),
    ],
)
def test_what_becomes_of_it(current: str, base: str, value: str, holds: str, changes: bool) -> None:
    done = merged(current, base=base, value=value)
    assert (done.value, done.changes, done.clash) == (holds, changes, False)


@pytest.mark.parametrize(
    ("current", "base", "value"),
    [("b", "a", "c"), ("a\nB", "a\nb", "A\nb"), ("a b", "a", "a c"), ("x\na", "a", "y\na"), ("", "a", "b")],
)
def test_the_same_place_is_a_clash(current: str, base: str, value: str) -> None:
    assert merged(current, base=base, value=value).clash
    written: list[str] = []
    with pytest.raises(FieldConflict) as error:
        apply_edit(field="text", current=current, base=base, value=value, write=written.append)
    assert error.value.extra == {"field": "text", "base": base, "mine": value, "theirs": current}
    assert written == []


def test_short_fields_are_not_joined() -> None:
    assert merged("1\n2\n4", base="1\n2\n3", value="0\n2\n3", by_paragraph=False).clash


def test_joining_is_the_same_from_both_sides_and_keeps_every_line() -> None:
    chance = random.Random(7)
    joined = 0
    for _ in range(3000):
        base = [f"line {number}" for number in range(chance.randrange(1, 9))]
        mine, theirs = (
            [f"{who}{chance.randrange(99)}" if chance.random() < 0.2 else line for line in base] for who in "mt"
        )
        texts = ["\n".join(lines) for lines in (base, mine, theirs)]
        one = merged(texts[2], base=texts[0], value=texts[1])
        other = merged(texts[1], base=texts[0], value=texts[2])
        assert one.clash == other.clash
        if one.clash:
            continue
        assert one.value == other.value
        joined += one.joined
        new = [line for line in [*mine, *theirs] if line[0] in "mt"]
        assert all(line in one.value.split("\n") for line in new)
    assert joined > 100
