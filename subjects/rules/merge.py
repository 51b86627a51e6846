"""Two people change one field: what it then says, or that somebody has to decide. Pure."""

import re
from collections.abc import Hashable, Iterable
from difflib import SequenceMatcher
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
_TOKENS = re.compile(r"\s|\w+|[^\w\s]")
MOST_COMPARED = 4_000_000
"""Pairs of words: beyond it the whole stretch counts as changed."""
_Change = tuple[int, int, str]
"""The tokens of the base from … to (exclusive) become this text."""


def merged_set(base: Iterable[T], mine: Iterable[T], theirs: Iterable[T]) -> set[T]:
    """What both added is in, what either took out is out. There is nothing to decide."""
    before, one, other = set(base), set(mine), set(theirs)
    return (one | other) - (before - one) - (before - other)


def merged_value(base: T, mine: T, theirs: T) -> tuple[bool, T]:
    """(agreed, value): agreed when at most one of the two changed it, or both to the same."""
    if mine in (theirs, base):
        return True, theirs
    return theirs == base, mine


def merged_text(base: str, mine: str, theirs: str) -> str | None:
    """The text with the changes of both, word by word; None when both changed the same words, or words side by side, differently.

    What both wrote at the same place stands there twice, theirs first, on lines of their own: no word is lost.
    """
    if mine in (theirs, base):
        return theirs
    if theirs == base:
        return mine
    tokens = _TOKENS.findall(base)
    both = [(*change, 1) for change in _changes(tokens, mine)] + [(*change, 0) for change in _changes(tokens, theirs)]
    both.sort(key=lambda change: (change[0], change[1], change[3]))
    out: list[str] = []
    at = 0
    last: tuple[int, int, str, int] | None = None
    for start, end, text, who in both:
        if last is not None and last[3] != who:
            if (start, end, text) == last[:3]:
                continue  # both did the same
            if start == end == last[0] == last[1]:
                text = _apart("".join(out), text)  # noqa: PLW2901
            elif start <= last[1]:
                return None
        out += [*tokens[at:start], text]
        at, last = max(at, end), (start, end, text, who)
    return "".join([*out, *tokens[at:]])


def _apart(before: str, text: str) -> str:
    return text if not before or before.endswith("\n") or text.startswith("\n") else f"\n{text.lstrip(' ')}"


def _changes(tokens: list[str], text: str) -> list[_Change]:
    """Compared between what both have at the beginning and at the end alone: a long narrative changes in one place."""
    wanted = _TOKENS.findall(text)
    shorter = min(len(tokens), len(wanted))
    head = next((at for at in range(shorter) if tokens[at] != wanted[at]), shorter)
    tail = next((at for at in range(shorter - head) if tokens[-1 - at] != wanted[-1 - at]), shorter - head)
    old, new = tokens[head : len(tokens) - tail], wanted[head : len(wanted) - tail]
    compared = SequenceMatcher(a=old, b=new, autojunk=False)
    if len(old) * len(new) > MOST_COMPARED:
        return [(head, head + len(old), "".join(new))]
    return [
        (head + start, head + end, "".join(new[first:last]))
        for kind, start, end, first, last in compared.get_opcodes()
        if kind != "equal"
    ]
