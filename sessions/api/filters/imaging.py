"""Query parameters of fields of view, their locations and stacks."""

from collections.abc import Callable
from datetime import datetime
from math import isfinite

from alyx.core.clock import server_zone
from alyx.core.rest.filters import (
    STRING,
    asked,
    equals,
    is_key,
    is_true,
    split,
)
from sessions.api.filters.common import Rows
from sessions.api.filters.of_datasets import JOINT
from sessions.api.filters.regions import atlas_filters, recorded_fovs, recorded_stacks
from sessions.api.filters.session import OF_SESSION
from sessions.models import FOVProvenance
from sessions.queries.atlas import region_by


def _with_region(rows: Rows, value: str) -> Rows:
    region = region_by(value)
    return rows.filter(pk__in=region.fov_locations.order_by().values("pk")) if region else rows.none()


def _fov_source(rows: Rows, value: str) -> Rows:
    for one in FOVProvenance:
        if value.upper() in {one.value, one.label.upper()}:
            return rows.filter(provenance=one)
    raise ValueError(f"{value[:80]!r} is not one of {', '.join(f'{one.value} ({one.label})' for one in FOVProvenance)}")


def _located(rows: Rows, value: str) -> Rows:
    moment = datetime.fromisoformat(value)
    return rows.filter(located_at=moment if moment.tzinfo else moment.replace(tzinfo=server_zone()))


def _numbers(path: str) -> Callable[[Rows, str], Rows]:
    def apply(rows: Rows, value: str) -> Rows:
        numbers = [float(word) for word in split(value.strip("[]() "))]
        if not all(map(isfinite, numbers)):
            raise ValueError(f"{value[:80]!r} is not a list of numbers")
        return rows.filter(**{path: numbers})

    return apply


FOV_FILTERS = {
    **OF_SESSION,
    "id": is_key("id"),
    "name": equals("name"),
    "imaging_type": equals("imaging_type__name"),
    "stack": is_key("stack"),
    "datasets": JOINT["datasets"],
    "dataset_types": JOINT["dataset_types"],
    **atlas_filters(recorded_fovs),
}


STACK_FILTERS = {"id": is_key("id"), "name": equals("name"), **atlas_filters(recorded_stacks)}


LOCATION_FILTERS = {
    "id": is_key("id"),
    "name": equals("field_of_view__name"),
    "field_of_view": is_key("field_of_view"),
    "provenance": asked(_fov_source, "E, F, L or H, or what it stands for"),
    "default_provenance": is_true("default_provenance"),
    "coordinate_system": equals("coordinate_system__name"),
    "brain_region": asked(_with_region, "id or acronym of a region it lies in", STRING),
    "auto_datetime": asked(_located, "exact time of the last change"),
    **{name: asked(_numbers(name), "exactly this list of numbers") for name in ("x", "y", "z", "n_xyz")},
}
