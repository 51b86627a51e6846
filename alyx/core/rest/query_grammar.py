"""The grammar of `django=`: `field__lookup,value,field__lookup,value`. Pure; literals are parsed, never evaluated.

A leading `~` on a field excludes. Commas inside brackets do not split. A value in brackets is a list, as Python prints
lists and tuples (`['a', 'b']`, `('a',)`, `[1, 2]`, `[UUID('…')]`), or of bare words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TEXT = 200_000
MAX_TERMS = 100

Scalar = str | int | float | bool | None
Value = Scalar | list[Scalar]


class QuerySyntaxError(ValueError):
    """The text is not in the grammar; the message says where."""


@dataclass(frozen=True)
class Term:
    """One condition: the path as written (with its lookup), its value as text or a list, and whether it excludes."""

    path: str
    value: str | list[Scalar]
    excludes: bool = False


_CLOSING = {"[": "]", "(": ")"}
_WORD = re.compile(r"[^,\[\]()'\"\s][^,\[\]()'\"]*")
_UUID_CALL = re.compile(r"UUID\((['\"])([0-9a-fA-F-]{32,36})\1\)")
_INTEGER = re.compile(r"[+-]?\d{1,30}")
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d{1,3})?")
_CONSTANTS: dict[str, Scalar] = {"None": None, "True": True, "False": False, "null": None, "true": True, "false": False}


def parse_query(text: str) -> list[Term]:
    """The terms of a query. Raises QuerySyntaxError."""
    if len(text) > MAX_TEXT:
        raise QuerySyntaxError(f"a query may have {MAX_TEXT} characters, not {len(text)}")
    pieces = list(_split(text))
    if len(pieces) % 2 and not pieces[-1].strip():
        pieces.pop()  # a trailing comma
    if len(pieces) % 2:
        raise QuerySyntaxError(f"fields and values must come in pairs: {pieces[-1]!r} has no partner")
    if len(pieces) > 2 * MAX_TERMS:
        raise QuerySyntaxError(f"a query may have {MAX_TERMS} conditions")
    return [_term(pieces[at].strip(), pieces[at + 1]) for at in range(0, len(pieces), 2)]


def guess(text: str) -> Scalar:
    """A bare value as the constant or number it looks like, else as text."""
    word = text.strip()
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word):
        return float(word)
    return text


def _term(path: str, raw: str) -> Term:
    excludes = path.startswith("~")
    value: str | list[Scalar] = raw
    bare = raw.strip()
    if bare[:1] in _CLOSING and bare.endswith(_CLOSING[bare[0]]):
        value = parse_list(bare)
    return Term(path.removeprefix("~"), value, excludes)


def _split(text: str) -> Iterator[str]:
    """Pieces between commas that stand outside brackets."""
    begin = at = 0
    while at < len(text):
        if text[at] == ",":
            yield text[begin:at]
            begin = at + 1
        elif text[at] in _CLOSING and (end := _closing(text, at)):
            at = end
        at += 1
    yield text[begin:]


def _closing(text: str, begin: int) -> int | None:
    """Where the bracket that opens at `begin` closes; None when it does not (then it is just a character)."""
    depth, quote, at = 0, "", begin
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in _CLOSING:
            depth += 1
        elif char in "])":
            depth -= 1
            if not depth:
                return at
        at += 1
    return None


def parse_list(text: str) -> list[Scalar]:
    """The items of a bracketed list. Raises QuerySyntaxError."""
    inner, items, at = text[1:-1], [], 0
    while at < len(inner):
        if inner[at].isspace():
            at += 1
            continue
        item, at = _item(inner, at)
        items.append(item)
        while at < len(inner) and inner[at].isspace():
            at += 1
        if at < len(inner):
            if inner[at] != ",":
                raise QuerySyntaxError(f"expected a comma in {text[:80]!r} before {inner[at : at + 20]!r}")
            at += 1
    return items


def _item(text: str, at: int) -> tuple[Scalar, int]:
    if text[at] in "'\"":
        return _quoted(text, at)
    if call := _UUID_CALL.match(text, at):
        return call.group(2), call.end()
    if word := _WORD.match(text, at):
        return guess(word.group().strip()), word.end()
    raise QuerySyntaxError(f"only texts, numbers, True, False and None stand in a list, not {text[at : at + 20]!r}")


def _quoted(text: str, at: int) -> tuple[str, int]:
    quote, out = text[at], []
    at += 1
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            out.append(text[at + 1])
            at += 2
            continue
        if char == quote:
            return "".join(out), at + 1
        out.append(char)
        at += 1
    raise QuerySyntaxError(f"a quote is not closed in {text[:80]!r}")
