"""Query parameters of brain regions, and of what was recorded in them."""

from collections.abc import Callable

from django.db.models import Q

from alyx.core.rest.filters import NUMBER, STRING, Filter, asked, contains, equals, is_number, split
from sessions.api.filters.common import Rows
from sessions.models import FOV, BrainRegion, ProbeInsertion
from sessions.queries.atlas import located, located_fovs, region_by, with_ancestors, with_descendants


def regions_asked(by: str, value: str) -> Rows:
    """The keys of the regions a parameter means, with all below: ids or acronyms, several by commas; or a name or a part of one."""
    if by != "name":
        found = {one.pk: one for one in map(region_by, split(value)) if one is not None}
        return with_descendants(found.values())
    rows = BrainRegion.objects.order_by("first", "id")
    return with_descendants(rows.filter(name__iexact=value) or rows.filter(name__icontains=value))


def _region(by: str, condition: Callable[[Rows], Q], text: str) -> Filter:
    def apply(rows: Rows, value: str) -> Rows:
        return rows.filter(condition(regions_asked(by, value)))

    return asked(apply, text, NUMBER if by == "id" else STRING)


def atlas_filters(condition: Callable[[Rows], Q]) -> dict[str, Filter]:
    """`atlas_id`, `atlas_acronym`, `atlas_name`: a region or any below it, where `condition(regions)` says where to look."""
    return {
        "atlas_id": _region("id", condition, "id of a region: recorded there or anywhere below"),
        "atlas_acronym": _region("acronym", condition, "acronym of a region: recorded there or anywhere below"),
        "atlas_name": _region("name", condition, "name of a region, or a part of it: recorded there or anywhere below"),
    }


def recorded_insertions(regions: Rows) -> Q:
    """Insertions with a channel there, by their own trajectory or that of their chronic insertion."""
    chronic = located(regions, "chronic_insertion").filter(probe_insertion__isnull=True)
    return Q(pk__in=located(regions, "probe_insertion")) | Q(chronic_insertion__in=chronic)


def recorded_chronic(regions: Rows) -> Q:
    """Chronic insertions with a channel there, by their own trajectory or that of one of their insertions."""
    single = ProbeInsertion.objects.filter(withdrawn_at__isnull=True, chronic_insertion__isnull=False)
    single = single.filter(pk__in=located(regions, "probe_insertion")).order_by()
    return Q(pk__in=located(regions, "chronic_insertion")) | Q(pk__in=single.values("chronic_insertion"))


def recorded_fovs(regions: Rows) -> Q:
    """Fields of view whose default location lies there."""
    return Q(pk__in=located_fovs(regions))


def recorded_stacks(regions: Rows) -> Q:
    """Stacks with a slice there."""
    fovs = FOV.objects.filter(withdrawn_at__isnull=True, stack__isnull=False, pk__in=located_fovs(regions))
    return Q(pk__in=fovs.order_by().values("stack"))


def recorded_sessions(regions: Rows) -> Q:
    """Sessions with an insertion or a field of view there."""
    insertions = ProbeInsertion.objects.filter(recorded_insertions(regions), withdrawn_at__isnull=True)
    fovs = FOV.objects.filter(recorded_fovs(regions), withdrawn_at__isnull=True)
    return Q(pk__in=insertions.order_by().values("session")) | Q(pk__in=fovs.order_by().values("session"))


def _below(rows: Rows, value: str) -> Rows:
    region = region_by(value)
    return rows.filter(parent=region) if region else rows.none()


def _ancestors(rows: Rows, value: str) -> Rows:
    region = region_by(value)
    if region is None:
        return rows.none()
    return rows.filter(pk__in=with_ancestors(region).order_by().values("pk"), parent__isnull=False)


def _descendants(rows: Rows, value: str) -> Rows:
    region = region_by(value)
    if region is None:
        return rows.none()
    return rows.filter(first__gte=region.first, last__lte=region.last, parent__isnull=False)


REGION_FILTERS = {
    "id": is_number("id", -(2**63), 2**63 - 1),
    "acronym": equals("acronym"),
    "name": equals("name"),
    "description": contains("description"),
    "parent": asked(_below, "id or acronym of the region directly above", STRING),
    "ancestors": asked(_ancestors, "id or acronym: the region and all above it, but for the root", STRING),
    "descendants": asked(_descendants, "id or acronym: the region and all below it, but for the root", STRING),
}
