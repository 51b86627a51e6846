"""Who lives and lived where, read in a constant number of queries."""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Prefetch, QuerySet
from django.db.models.functions import Lower

from alyx.core.errors import Invalid
from alyx.core.reading import readable
from alyx.core.rest.names import nearest
from alyx.labs.models import Lab
from subjects.models import Housing, Stay, Subject
from subjects.rules.housing import Lived, mates


@dataclass(frozen=True)
class CageMate:
    """Another animal of the cage, and from when to when both were in it (wall clock)."""

    subject: Subject
    started_wall: datetime | None
    ended_wall: datetime | None


@dataclass(frozen=True)
class HousedThere:
    """A stay of an animal: where, from when to when, under which conditions, with whom."""

    housing: Housing
    zone: str
    started_wall: datetime | None
    ended_wall: datetime | None
    conditions: str
    mates: list[CageMate]


def housing_history(subject: Subject, *, reader: Any) -> list[HousedThere]:
    """Where an animal lived, the newest first, with those mates that the reader reads. Two queries."""
    stays = list(
        Stay.objects.filter(subject=subject)
        .select_related("housing__lab", *(f"housing__{name}" for name in OPTIONS))
        .order_by(F("started_at").desc(nulls_last=True), "pk")
    )
    lived: dict[object, list[Stay]] = {}
    others = Stay.objects.filter(housing__in={stay.housing_id for stay in stays}).exclude(subject=subject)
    others = readable(reader, others)
    for other in others.select_related("subject").order_by("subject__nickname"):
        lived.setdefault(other.housing_id, []).append(other)
    return [
        HousedThere(
            housing=stay.housing,
            zone=stay.zone,
            started_wall=stay.started_wall,
            ended_wall=stay.ended_wall,
            conditions=said_conditions(stay.housing),
            mates=_mates(stay, lived.get(stay.housing_id, [])),
        )
        for stay in stays
    ]


def cage_history(housing: Housing, *, reader: Any) -> list[Housing]:
    """All rows of a cage, the newest first, each with its `lived` stays and their animals. Two queries."""
    rows = Housing.objects.filter(lab_id=housing.lab_id, cage_name=housing.cage_name).select_related(*OPTIONS)
    return list(with_stays(rows, reader=reader).order_by(F("started_at").desc(nulls_last=True), "pk"))


def with_stays(rows: "QuerySet[Housing]", *, reader: Any) -> "QuerySet[Housing]":
    """Each with those of its stays that the reader reads as `lived`."""
    stays = readable(reader, Stay.objects.select_related("subject")).order_by("subject__nickname")
    return rows.prefetch_related(Prefetch("stays", stays, to_attr="lived"))


def stays_of(housing: Housing) -> list[Stay]:
    """The stays of a row of `with_stays`."""
    lived: list[Stay] = getattr(housing, "lived")  # noqa: B009  (an attribute of the query)
    return lived


def living_in(housing: Housing) -> list[Subject]:
    """The animals of a row of `with_stays` that are in it now (of a closed one: that were in it to its end)."""
    return [stay.subject for stay in stays_of(housing) if stay.ended_at == housing.ended_at]


def said_conditions(housing: Housing) -> str:
    """How animals live there, in one line; empty when nothing is said. The options must have been fetched."""
    words = [str(option) for option in (housing.cage_type, housing.enrichment, housing.food) if option is not None]
    if housing.light_cycle:
        words.append(f"{housing.light_cycle} light")
    if housing.cleaned_every_days:
        words.append(f"cleaned every {housing.cleaned_every_days} d")
    return ", ".join(words)


def subjects_named(lab: Lab, text: str, *, field: str) -> list[Subject]:
    """The animals of a lab whose nicknames were scanned or typed, in any case, apart by spaces, commas or lines.

    Raises Invalid, saying which name is unknown and what is near.
    """
    words = list(dict.fromkeys(word.lower() for word in re.split(r"[\s,;]+", text) if word))
    rows = Subject.objects.shown().filter(lab=lab).alias(lower=Lower("nickname"))
    found = {subject.nickname.lower(): subject for subject in rows.filter(lower__in=words)} if words else {}
    if unknown := [word for word in words if word not in found]:
        near = nearest(unknown[0], rows.filter(died_on__isnull=True).values_list("nickname", flat=True)[:5000])
        raise Invalid.of(field, f"lab {lab.name} has no animal named {', '.join(unknown[:10])}{near}")
    return [found[word] for word in words]


OPTIONS = ("cage_type", "enrichment", "food")


def _mates(stay: Stay, others: Iterable[Stay]) -> list[CageMate]:
    by_key: dict[Hashable, Subject] = {other.subject_id: other.subject for other in others}
    lived = [_lived(stay), *(_lived(other) for other in others)]
    return [CageMate(by_key[mate.subject], mate.start, mate.end) for mate in mates(lived, stay.subject_id)]


def _lived(stay: Stay) -> Lived:
    return Lived(stay.subject_id, stay.housing_id, stay.started_wall, stay.ended_wall)
