"""Records of fields of view, their locations and stacks, as the wire has them."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from sessions.models import FOV, BrainRegion, FOVLocation, ImagingStack
from sessions.queries.folders import dataset_ids
from sessions.services.imaging import shown_fovs

_LOCATION = (
    *("id", "coordinate_system__name", "provenance", "x", "y", "z", "n_xyz"),
    *("default_provenance", "located_at", "json", "field_of_view_id"),
)


def fov_records(rows: QuerySet[FOV]) -> list[dict[str, Any]]:
    """The records of these fields of view with their locations, in two statements."""
    names = ("id", "imaging_type__name", "name", "json", "session_id", "stack_id", "dataset_ids")
    values = list(rows.annotate(dataset_ids=dataset_ids()).values_list(*names))
    locations = _locations_of([columns[0] for columns in values])
    return [
        {
            "id": key,
            "imaging_type": kind,
            "location": locations[key],
            "name": name,
            "json": json,
            "session": session,
            "stack": stack,
            "datasets": datasets,
        }
        for key, kind, name, json, session, stack, datasets in values
    ]


def _locations_of(fovs: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    nested: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    if fovs:
        rows = FOVLocation.objects.filter(field_of_view__in=fovs).order_by("-default_provenance", "provenance", "id")
        for record in location_records(rows, whole=True):
            del record["json"]
            nested[record.pop("field_of_view")].append(record)
    return nested


def location_records(rows: QuerySet[FOVLocation], *, whole: bool) -> list[dict[str, Any]]:
    """The records of these locations, in one statement; `whole`: with json and the field of view."""
    regions = BrainRegion.objects.filter(fov_locations=OuterRef("pk")).order_by("id")
    filled = rows.annotate(region_ids=ArraySubquery(regions.values("pk")))
    records = []
    for columns in filled.values_list("region_ids", *_LOCATION):
        brain_region, key, system, provenance, x, y, z, n_xyz, is_default, located, json, fov = columns
        record = {
            "id": key,
            "brain_region": brain_region,
            "coordinate_system": system,
            "provenance": provenance,
            "x": x,
            "y": y,
            "z": z,
            "n_xyz": n_xyz,
            "default_provenance": is_default,
            "auto_datetime": located,
        }
        records.append({**record, "json": json, "field_of_view": fov} if whole else record)
    return records


def stack_records(rows: Iterable[ImagingStack]) -> list[dict[str, Any]]:
    """The list records of these stacks, in two statements more."""
    stacks = list(rows)
    slices: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for record in fov_records(shown_fovs().filter(stack__in=stacks).order_by("name", "id")):
        slices[record["stack"]].append(record)
    return [{"id": stack.pk, "slices": slices[stack.pk]} for stack in stacks]
