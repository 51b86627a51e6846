"""Automatic names of animals, breeding pairs and litters. Pure.

`NICK_0001`, `NICK_BP_001`, `NICK_L_001`. A number is given once: the counter remembers it, and names that were typed by hand or
withdrawn count too. Case does not matter.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

_COUNTED_DIGITS = 6
"""A number of more digits (a date, a tag) was not counted up to: it is stepped over, it does not raise the counter."""
_NOT_IN_NAMES = re.compile(r"[^\w.-]+", re.ASCII)


class Kind(Enum):
    """What is named: what stands between nickname and number, and how many digits the number has at least."""

    SUBJECT = ("", 4)
    BREEDING_PAIR = ("BP_", 3)
    LITTER = ("L_", 3)

    @property
    def word(self) -> str:
        """What stands before the number."""
        return self.value[0]

    @property
    def digits(self) -> int:
        """How many at least."""
        return self.value[1]


@dataclass(frozen=True)
class Named:
    """A new name, and where the counter stands with it."""

    name: str
    number: int


def name_of(nickname: str, kind: Kind, number: int) -> str:
    """The name with this number."""
    return f"{stem(nickname)}{kind.word}{number:0{kind.digits}d}"


def stem(nickname: str) -> str:
    """What the names of a line begin with: its nickname without what no folder may be called."""
    return _NOT_IN_NAMES.sub("-", nickname).strip("-.") + "_"


def next_names(nickname: str, kind: Kind, *, last: int, taken: Iterable[str], count: int = 1) -> Sequence[Named]:
    """The next `count` names after the counter `last` and after every name in `taken`."""
    pattern = re.compile(re.escape(stem(nickname) + kind.word) + r"([0-9]+)", re.IGNORECASE)
    used = {int(found.group(1)) for name in taken if (found := pattern.fullmatch(name))}
    number = max([0, last, *(one for one in used if len(str(one)) <= _COUNTED_DIGITS)])
    names: list[Named] = []
    while len(names) < count:
        number += 1
        if number not in used:
            names.append(Named(name_of(nickname, kind, number), number))
    return names
