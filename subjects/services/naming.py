"""Automatic names, taken under a lock: whoever names at the same time gets the next ones, and no number is given twice."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from alyx.core.changes import store
from alyx.labs.models import Lab
from subjects.models import BreedingPair, Line, Litter, Subject
from subjects.rules.names import Kind, next_names, stem

_COUNTERS = {
    Kind.SUBJECT: "last_subject_number",
    Kind.BREEDING_PAIR: "last_breeding_pair_number",
    Kind.LITTER: "last_litter_number",
}
_NAMED: dict[Kind, tuple[Any, str]] = {
    Kind.SUBJECT: (Subject, "nickname"),
    Kind.BREEDING_PAIR: (BreedingPair, "name"),
    Kind.LITTER: (Litter, "name"),
}


def take_names(kind: Kind, *, lab: Lab, line: Line | None = None, count: int = 1) -> list[str]:
    """The next names of the line in the lab (of the lab itself, where the line has no nickname), and the counter moved on.

    For use in a transaction: it holds the lab's and the line's row until the end.
    """
    Lab.objects.select_for_update(no_key=True).get(pk=lab.pk)
    line = _naming(line)
    if line is None:
        return [one.name for one in next_names(lab.name, kind, last=0, taken=_ever(kind, lab), count=count)]
    counted = Line.objects.select_for_update(no_key=True).get(pk=line.pk)
    last = getattr(counted, _COUNTERS[kind])
    named = next_names(counted.nickname, kind, last=last, taken=_taken(kind, lab, counted), count=count)
    store(counted, {_COUNTERS[kind]: named[-1].number})
    return [one.name for one in named]


def next_name(kind: Kind, *, lab: Lab, line: Line | None = None) -> str:
    """What the next name will be, if nobody is faster: for forms."""
    line = _naming(line)
    if line is None:
        return next_names(lab.name, kind, last=0, taken=_ever(kind, lab))[0].name
    last = getattr(line, _COUNTERS[kind])
    return next_names(line.nickname, kind, last=last, taken=_taken(kind, lab, line))[0].name


def next_subject_name(line: Line, lab: Lab) -> str:
    """What the next animal of the line will be called, if nobody is faster: for forms."""
    return next_name(Kind.SUBJECT, lab=lab, line=line)


def _taken(kind: Kind, lab: Lab, line: Line) -> Iterable[str]:
    """Names of the lab that begin as the line's do, those of withdrawn animals included."""
    model, column = _NAMED[kind]
    rows = model.objects.filter(lab=lab, **{f"{column}__istartswith": stem(line.nickname) + kind.word}).order_by()
    return rows.values_list(column, flat=True)  # type: ignore[no-any-return]


def _ever(kind: Kind, lab: Lab) -> Iterator[str]:
    """Names that begin as the lab's do and ever were: a lab has no counter, so an animal renamed or moved is found in the history."""
    model, column = _NAMED[kind]
    begins = {f"{column}__istartswith": stem(lab.name) + kind.word}
    return chain.from_iterable(
        one.objects.filter(**begins).order_by().values_list(column, flat=True).distinct()
        for one in (model, model.pgh_event_model)
    )


def _naming(line: Line | None) -> Line | None:
    """The line, where its nickname can begin a name."""
    return line if line is not None and stem(line.nickname) != "_" else None
