"""Who an animal descends from. Pure. Data may say that an animal is its own ancestor: that is shown, not followed."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

MAX_DEPTH = 8
"""Three parents a generation: 3^8 places are as many as a page can show."""


@dataclass(frozen=True)
class Parents(Generic[Key]):
    """Father and possible mothers, as far as known."""

    father: Key | None = None
    mothers: tuple[Key, ...] = ()

    def everyone(self) -> tuple[Key, ...]:
        """All of them, each once."""
        known = () if self.father is None else (self.father,)
        return tuple(dict.fromkeys((*known, *self.mothers)))


@dataclass(frozen=True)
class Place(Generic[Key]):
    """An animal in a pedigree. `loops`: it is among its own descendants here, so its parents are not followed again."""

    key: Key
    generation: int
    father: "Place[Key] | None" = None
    mothers: "tuple[Place[Key], ...]" = ()
    loops: bool = False


def pedigree(key: Key, parents: Mapping[Key, Parents[Key]], depth: int) -> Place[Key]:
    """The animal and its ancestors, `depth` generations back (at most MAX_DEPTH)."""
    return _place(key, parents, min(max(depth, 0), MAX_DEPTH), 0, frozenset())


def _place(
    key: Key, parents: Mapping[Key, Parents[Key]], depth: int, generation: int, below: frozenset[Key]
) -> Place[Key]:
    if key in below:
        return Place(key, generation, loops=True)
    known = parents.get(key)
    if known is None or generation == depth:
        return Place(key, generation)
    seen = below | {key}
    father = None if known.father is None else _place(known.father, parents, depth, generation + 1, seen)
    mothers = tuple(_place(mother, parents, depth, generation + 1, seen) for mother in dict.fromkeys(known.mothers))
    return Place(key, generation, father, mothers)


def ancestors(key: Key, parents: Mapping[Key, Parents[Key]], depth: int) -> set[Key]:
    """All ancestors of the last `depth` generations; itself only where the data say so. Any depth ends."""
    found: set[Key] = set()
    here = {key}
    for _ in range(max(depth, 0)):
        above = {one for at in here if at in parents for one in parents[at].everyone()}
        here = above - found
        if not here:
            break
        found |= here
    return found
