"""Which dataset type and which format a file name has.

Matchers are built once per call from the vocabulary's rows and asked once per file.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from datasets.rules.alf import object_attribute
from datasets.rules.refusals import Refusal, shown


class TypeRow(NamedTuple):
    """A dataset type: its pattern matches file names without regard to case; without one, `object.attribute` must
    equal the name."""

    id: UUID
    name: str
    filename_pattern: str


class FormatRow(NamedTuple):
    """A data format and its extension, with the dot; "" for none."""

    id: UUID
    name: str
    file_extension: str


class UnknownType(Refusal):
    """No dataset type for this name."""

    rule = "file_has_a_dataset_type"


class AmbiguousType(Refusal):
    """Two dataset types fit equally well."""

    rule = "file_has_one_dataset_type"


class UnknownFormat(Refusal):
    """No data format for this extension."""

    rule = "file_has_a_data_format"


class _Nearest:
    """The nearest of the known words, for the first few refusals only: looking takes milliseconds, and a call may hold
    thousands of files."""

    def __init__(self, words: Iterable[str], looks: int = 5) -> None:
        self._words = list(words)
        self._looks = looks

    def hint(self, word: str) -> str:
        """The nearest words as the beginning of a fix, or nothing."""
        self._looks -= 1
        near = get_close_matches(word, self._words, n=3, cutoff=0.5) if self._looks >= 0 else []
        return f"the nearest are {', '.join(near)}; " if near else ""


class TypeMatcher:
    """Finds the dataset type of a file name.

    Where several fit, the most specific is taken: an exact name before a pattern, then the pattern with more literal
    characters, then the longer one.
    """

    def __init__(self, types: Iterable[TypeRow]) -> None:
        self._by_name: dict[str, TypeRow] = {}
        self._patterns: list[tuple[str, str, TypeRow]] = []
        rows = list(types)
        self._nearest = _Nearest(row.name for row in rows)
        for row in rows:
            if pattern := row.filename_pattern.strip().casefold():
                self._patterns.append((_longest_literal(pattern), pattern, row))
            else:
                self._by_name[row.name] = row

    def match(self, name: str) -> TypeRow:
        """The dataset type of `name` (no folders). Raises UnknownType or AmbiguousType."""
        described = object_attribute(name) or name.rpartition(".")[0] or name
        if exact := self._by_name.get(described):
            return exact
        folded = name.casefold()
        hits = [
            (_weight(pattern), row)
            for literal, pattern, row in self._patterns
            if literal in folded and fnmatchcase(folded, pattern)
        ]
        if not hits:
            raise self._unknown(name, described)
        best = max(weight for weight, _ in hits)
        rows = [row for weight, row in hits if weight == best]
        if len(rows) > 1:
            names = " and ".join(sorted(row.name for row in rows))
            raise AmbiguousType(f"{shown(name)} fits the dataset types {names}", "make one of their patterns longer")
        return rows[0]

    def _unknown(self, name: str, described: str) -> UnknownType:
        fix = f"{self._nearest.hint(described)}rename it or add a dataset type"
        return UnknownType(f"no dataset type fits the file name {shown(name)}", fix)


@lru_cache(maxsize=4096)
def _longest_literal(pattern: str) -> str:
    if "[" in pattern:
        return ""
    return max(re.split(r"[*?]", pattern), key=len)


@lru_cache(maxsize=4096)
def _weight(pattern: str) -> tuple[int, int]:
    return len(re.sub(r"\[.*?\]|[*?]", "", pattern)), len(pattern)


class FormatMatcher:
    """Finds the data format of a file name: the longest extension that ends it, without regard to case."""

    def __init__(self, formats: Iterable[FormatRow]) -> None:
        self._by_extension = {
            f".{extension}": row for row in formats if (extension := row.file_extension.strip().casefold().lstrip("."))
        }
        self._nearest = _Nearest(self._by_extension)

    def match(self, name: str) -> FormatRow:
        """The format of `name` (no folders). Raises UnknownFormat."""
        folded = name.casefold()
        at = folded.find(".", 1)
        while at != -1:
            if row := self._by_extension.get(folded[at:]):
                return row
            at = folded.find(".", at + 1)
        extension = name[name.rfind(".") :] if "." in name[1:] else ""
        hint = self._nearest.hint(extension.casefold())
        problem = f"no data format has the extension of {shown(name)}"
        raise UnknownFormat(problem, f"{hint}rename it or add a data format")
