"""Ancestors and offspring of an animal, as its pedigree page shows them. A fixed number of queries, however many there are."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from alyx.core.reading import readable
from subjects.admin.shown import genotype_of, standing_of
from subjects.models import Litter, Subject, Zygosity
from subjects.rules.pedigree import Parents, Place, pedigree

GENERATIONS = 3
COUSINS = 200
"""Litters listed at most."""


@dataclass
class Cell:
    """An animal in the table of ancestors; `rows` high."""

    animal: Subject | None
    role: str
    rows: int = 1
    loops: bool = False
    genotype: Any = ""
    standing: Any = ""


@dataclass
class Offspring:
    """The pups of one litter."""

    litter: Litter
    other_parents: list[Subject] = field(default_factory=list)
    pups: list[Subject] = field(default_factory=list)


def pedigree_of(subject: Subject, *, reader: Any) -> dict[str, Any]:
    """What the template shows; of animals that the reader does not read, that they are there."""
    animals, parents = _ancestors(subject, reader)
    place = pedigree(subject.pk, parents, GENERATIONS)
    rows: list[list[Cell]] = []
    _lay(place, "", animals, rows, begins=True)
    return {
        "subject": subject,
        "ancestry": rows,
        "generations": ["", "parents", "grandparents", "great-grandparents"][1 : _depth(place) + 1],
        "has_parents": bool(place.father or place.mothers),
        "offspring": _offspring(subject, reader),
    }


def _people(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Animals with what is said of each, in a fixed number of queries."""
    zygosities = Prefetch("zygosities", Zygosity.objects.select_related("allele"))
    return rows.select_related("lab", "line", "litter__breeding_pair").prefetch_related(zygosities)


def _ancestors(subject: Subject, reader: Any) -> tuple[dict[UUID, Subject], dict[UUID, Parents[UUID]]]:
    """Three generations, one reading each."""
    known: dict[UUID, Subject] = {}
    parents: dict[UUID, Parents[UUID]] = {}
    wanted: set[UUID] = {subject.pk}
    for _ in range(GENERATIONS + 1):
        for animal in _people(readable(reader, Subject.objects.filter(pk__in=wanted))):
            known[animal.pk] = animal
            pair = animal.litter.breeding_pair if animal.litter else None
            if pair is not None:
                mothers = tuple(key for key in (pair.mother1_id, pair.mother2_id) if key)
                parents[animal.pk] = Parents(pair.father_id, mothers)
        wanted = set(chain.from_iterable(one.everyone() for one in parents.values())) - known.keys()
    return known, parents


def _lay(place: Place[UUID], role: str, animals: dict[UUID, Subject], rows: list[list[Cell]], *, begins: bool) -> int:
    """Put a place and those behind it into the table: an animal stands beside all rows of its ancestors."""
    animal = animals.get(place.key)
    cell = Cell(animal, role, loops=place.loops)
    if animal is not None:
        cell.genotype, cell.standing = genotype_of(animal), standing_of(animal)
    if begins:
        rows.append([])
    rows[-1].append(cell)
    behind = [("father", place.father)] if place.father else []
    behind += [("mother" if len(place.mothers) == 1 else "possible mother", mother) for mother in place.mothers]
    heights = [_lay(one, word, animals, rows, begins=number > 0) for number, (word, one) in enumerate(behind)]
    cell.rows = sum(heights) or 1
    return cell.rows


def _depth(place: Place[UUID]) -> int:
    behind = [one for one in (place.father, *place.mothers) if one is not None]
    return 1 + max(map(_depth, behind)) if behind else 0


def _offspring(subject: Subject, reader: Any) -> list[Offspring]:
    pairs = ("father", "mother1", "mother2")
    mine = Q(**{f"breeding_pair__{pairs[0]}": subject})
    for name in pairs[1:]:
        mine |= Q(**{f"breeding_pair__{name}": subject})
    related = [f"breeding_pair__{name}" for name in pairs]
    litters = list(
        readable(reader, Litter.objects.filter(mine))
        .select_related("line", *related)
        .order_by("-born_on", "name")[:COUSINS]
    )
    others = {litter.pk: _others(litter, subject, pairs) for litter in litters}
    named = {animal.pk for animals in others.values() for animal in animals}
    read = set(readable(reader, Subject.objects.filter(pk__in=named)).values_list("pk", flat=True))
    shown = {
        litter.pk: Offspring(litter, [animal for animal in others[litter.pk] if animal.pk in read])
        for litter in litters
    }
    for pup in _people(readable(reader, Subject.objects.shown().filter(litter__in=shown)).order_by("nickname")):
        shown[pup.litter_id].pups.append(pup)
    return list(shown.values())


def _others(litter: Litter, subject: Subject, pairs: Iterable[str]) -> list[Subject]:
    found = [getattr(litter.breeding_pair, name) for name in pairs]
    if litter.breeding_pair is not None and litter.breeding_pair.father_id == subject.pk:
        return [animal for animal in found[1:] if animal is not None]
    return [animal for animal in found[:1] if animal is not None]
