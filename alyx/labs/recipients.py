"""Who is told of something. Pure: people, their rules and their mutes in, people out. No Django.

Without a rule of their own the responsible user is told, and whoever the news names. Delegates are not: they may act for somebody,
which does not make the animals theirs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

NONE, MINE, LAB, ALL = "none", "mine", "lab", "all"
"""As `alyx.labs.models.RuleScope` stores them."""


@dataclass(frozen=True)
class Silence:
    """A mute: of one kind or all (`""`), of one record or all (None), until a time or until it is taken away (None)."""

    kind: str = ""
    record: UUID | None = None
    until: datetime | None = None

    def covers(self, kind: str, record: UUID, now: datetime) -> bool:
        """Whether this news is meant."""
        return self.kind in {"", kind} and self.record in {None, record} and (self.until is None or self.until > now)


@dataclass(frozen=True)
class Person:
    """Somebody who may be told. `scope` is their rule for the kind at hand; None: they made none."""

    id: UUID
    is_active: bool = True
    labs: frozenset[UUID] = frozenset()
    scope: str | None = None
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True)
class News:
    """What there is to tell: of which kind, about which record of which lab, and whom it concerns by name."""

    kind: str
    record: UUID
    lab: UUID | None
    concerned: frozenset[UUID]


@dataclass(frozen=True)
class Told:
    """Who is told; `muted` would have been."""

    told: frozenset[UUID]
    muted: frozenset[UUID]


def wants(person: Person, lab: UUID | None, concerned: bool) -> bool:
    """Whether a person's rule asks for news of this lab, which concerns them by name or not."""
    if not person.is_active or person.scope == NONE:
        return False
    if concerned or person.scope == ALL:
        return True
    return person.scope == LAB and lab is not None and lab in person.labs


def recipients(news: News, people: Iterable[Person], now: datetime) -> Told:
    """Each person at most once, whatever they are to the record."""
    told: set[UUID] = set()
    muted: set[UUID] = set()
    for person in people:
        if wants(person, news.lab, person.id in news.concerned):
            silent = any(silence.covers(news.kind, news.record, now) for silence in person.silences)
            (muted if silent else told).add(person.id)
    return Told(frozenset(told), frozenset(muted))
