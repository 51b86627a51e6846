"""Two people at one field: what an edit does to the text that stands there now. The rule is pure.

An edit says what the field held when its author began (`base`) and what they made of it (`value`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from alyx.core.errors import Conflict


class FieldConflict(Conflict):
    """Both changed the same place: the edit is kept with both texts, for a person to choose. `extra` has field, base, mine, theirs."""

    code = "field_conflict"


@dataclass(frozen=True)
class Merged:
    """What the field shall hold; `changes` is false when it does already; `clash`: a person has to choose."""

    value: str
    changes: bool = True
    clash: bool = False
    joined: bool = False
    """Both texts are in it, paragraph by paragraph."""


def merged(current: str, *, base: str, value: str, by_paragraph: bool = True) -> Merged:
    """What becomes of a field that holds `current`.

    Untouched since `base`: set. Already `value`: nothing to do. Touched elsewhere (`by_paragraph`): both. Else a clash.
    """
    if current == value:
        return Merged(current, changes=False)
    if current == base:
        return Merged(value)
    if value == base:
        return Merged(current, changes=False)  # nothing was edited
    joined = _joined(base, current, value) if by_paragraph else None
    if joined is None:
        return Merged(current, changes=False, clash=True)
    return Merged(joined, changes=joined != current, joined=True)


def apply_edit(
    *, field: str, current: str, base: str, value: str, write: Callable[[str], None], by_paragraph: bool = True
) -> dict[str, object]:
    """Do it: `write` is called with the new text if there is one. Whoever calls holds the row's lock.

    Returns `{field, value, merged}` for the entry's result: what the field holds now. Raises FieldConflict.
    """
    done = merged(current, base=base, value=value, by_paragraph=by_paragraph)
    if done.clash:
        raise FieldConflict(
            f"{field} was changed by somebody else meanwhile: both texts are kept, choose one",
            fields={field: "was changed by somebody else meanwhile; choose one of the texts, or join them"},
            extra={"field": field, "base": base, "mine": value, "theirs": current},
        )
    if done.changes:
        write(done.value)
    return {"field": field, "value": done.value, "merged": done.joined}


def _joined(base: str, theirs: str, mine: str) -> str | None:
    """Both edits of the base's lines, when they touch different lines with at least one untouched line between; else None."""
    lines = base.split("\n")
    hunks = sorted([*_hunks(lines, theirs.split("\n")), *_hunks(lines, mine.split("\n"))], key=lambda hunk: hunk[:2])
    for (_, end, _), (begin, _, _) in pairwise(hunks):
        if begin <= end:
            return None
    made: list[str] = []
    at = 0
    for begin, end, new in hunks:
        made += [*lines[at:begin], *new]
        at = end
    return "\n".join([*made, *lines[at:]])


def _hunks(base: list[str], edited: list[str]) -> list[tuple[int, int, list[str]]]:
    """(first, after the last, what stands there now) of the base's lines."""
    matcher = SequenceMatcher(None, base, edited, autojunk=False)
    return [
        (first, last, edited[begin:end]) for tag, first, last, begin, end in matcher.get_opcodes() if tag != "equal"
    ]
