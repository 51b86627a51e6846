"""Who lived with whom, and when. Pure: stays in, answers out; an open start or end means "always before", "still"."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

Span = tuple[datetime | None, datetime | None]


@dataclass(frozen=True)
class Lived:
    """An animal in a cage, from a moment to another."""

    subject: Hashable
    cage: Hashable
    start: datetime | None
    end: datetime | None

    @property
    def span(self) -> Span:
        """From, to."""
        return self.start, self.end


def overlap(one: Span, other: Span) -> Span | None:
    """What two spans share; None when it is nothing or a mere moment."""
    start = _latest(one[0], other[0])
    end = _earliest(one[1], other[1])
    return None if start is not None and end is not None and start >= end else (start, end)


def mates(stays: Iterable[Lived], subject: Hashable) -> list[Lived]:
    """With whom an animal shared which cage and when, the first first; spans that touch are one."""
    by_cage: dict[Hashable, list[Lived]] = defaultdict(list)
    for stay in stays:
        by_cage[stay.cage].append(stay)
    found: dict[tuple[Hashable, Hashable], list[Span]] = defaultdict(list)
    for cage, lived in by_cage.items():
        own = [stay.span for stay in lived if stay.subject == subject]
        for other in lived:
            if other.subject != subject:
                shared = (overlap(span, other.span) for span in own)
                found[other.subject, cage] += [span for span in shared if span is not None]
    merged = [Lived(mate, cage, *span) for (mate, cage), spans in found.items() for span in joined(spans)]
    return sorted(merged, key=lambda mate: (mate.start is not None, mate.start or datetime.min, str(mate.subject)))  # noqa: DTZ901


def joined(spans: Iterable[Span]) -> list[Span]:
    """The spans in order of time, those that touch or overlap made one."""
    ordered = sorted(spans, key=lambda span: (span[0] is not None, span[0] or datetime.min))  # noqa: DTZ901
    found: list[Span] = []
    for start, end in ordered:
        if found and _reaches(found[-1][1], start):
            found[-1] = (found[-1][0], _last(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def in_two_cages(stays: Iterable[Lived]) -> list[tuple[Lived, Lived]]:
    """Pairs of stays of one animal that overlap in time: it cannot have been in both."""
    by_subject: dict[Hashable, list[Lived]] = defaultdict(list)
    for stay in stays:
        by_subject[stay.subject].append(stay)
    return [pair for lived in by_subject.values() for pair in _overlapping(lived)]


def _overlapping(lived: Sequence[Lived]) -> list[tuple[Lived, Lived]]:
    return [
        (one, other)
        for index, one in enumerate(lived)
        for other in lived[index + 1 :]
        if overlap(one.span, other.span) is not None
    ]


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    """Of two starts; None: always before."""
    return max(one, other) if one is not None and other is not None else one or other


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    """Of two ends; None: still."""
    return min(one, other) if one is not None and other is not None else one or other


def _last(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two ends; None: still."""
    return None if one is None or other is None else max(one, other)


def _reaches(end: datetime | None, start: datetime | None) -> bool:
    return end is None or start is None or end >= start
