"""Regions of the brain and what was recorded in them."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet

from sessions.models import BrainRegion, Channel, FOVLocation, Provenance, TrajectoryEstimate

KNOWN = Provenance.EPHYS_ALIGNED
"""How well a trajectory must be known for its channels to count."""


def with_descendants(regions: Iterable[BrainRegion]) -> QuerySet[Any]:
    """The keys of the regions and of all below them, for a subquery: more than a thousand below the root."""
    spans = [Q(first__gte=region.first, last__lte=region.last) for region in regions]
    rows: QuerySet[Any] = BrainRegion.objects.filter(reduce(or_, spans)) if spans else BrainRegion.objects.none()
    return rows.order_by().values("pk")


def with_ancestors(region: BrainRegion) -> QuerySet[BrainRegion]:
    """The region and all above it."""
    return BrainRegion.objects.filter(first__lte=region.first, last__gte=region.last)


def region_by(word: str) -> BrainRegion | None:
    """The region of this id, or of this acronym, ignoring case when no other has it so."""
    if word.lstrip("-").isdecimal():
        return BrainRegion.objects.filter(pk=int(word)).first() if abs(int(word)) < 2**63 else None
    rows = BrainRegion.objects.order_by("first", "id")
    return rows.filter(acronym=word).first() or rows.filter(acronym__iexact=word).first()


def located_fovs(regions: QuerySet[Any]) -> QuerySet[Any]:
    """Keys of the fields of view whose default location lies in the regions."""
    rows: QuerySet[Any] = FOVLocation.objects.filter(brain_regions__in=regions, default_provenance=True)
    return rows.order_by().values("field_of_view")


def located(regions: QuerySet[Any], owner: str) -> QuerySet[Any]:
    """Keys of the owners (`probe_insertion`, `chronic_insertion`) of well-known trajectories with a channel in the regions."""
    there = Channel.objects.filter(brain_region__in=regions).order_by().values("trajectory")
    known: QuerySet[Any] = TrajectoryEstimate.objects.filter(provenance__gte=KNOWN, pk__in=there)
    return known.filter(**{f"{owner}__isnull": False}).order_by().values(owner)


def region_records(rows: Iterable[BrainRegion]) -> list[dict[str, Any]]:
    """The records of these regions, with what is said about each and about the regions around it; one statement more."""
    regions = list(rows)
    described = list(BrainRegion.objects.exclude(description=None).exclude(description="").order_by("-first"))
    return [
        {
            "id": region.pk,
            "acronym": region.acronym,
            "name": region.name,
            "description": region.description,
            "parent": region.parent_id,
            "related_descriptions": [
                {"id": one.pk, "acronym": one.acronym, "name": one.name, "description": one.description}
                for one in described
                if one.first <= region.first and one.last >= region.last
            ],
        }
        for region in regions
    ]
