"""Fields of view, where they lie, and the stacks they are slices of."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.rest.names import by_name
from alyx.labs.permissions import authorise_anywhere
from sessions.models import FOV, BrainRegion, CoordinateSystem, FOVLocation, FOVProvenance, ImagingStack, ImagingType
from sessions.models import Session as SessionRow
from sessions.permissions import Right, authorise_session
from sessions.services.rows import others, session_by_key, system_by_name

DEFAULT_SYSTEM = "IBL-Allen"
CORNERS = (4, 8)
COORDINATES = ("x", "y", "z")


def shown_fovs() -> QuerySet[FOV]:
    """Those not withdrawn, of sessions not withdrawn."""
    return FOV.objects.filter(withdrawn_at__isnull=True, session__withdrawn_at__isnull=True)


def shown_locations() -> QuerySet[FOVLocation]:
    """Those of fields of view that are shown."""
    rows: QuerySet[FOVLocation] = FOVLocation.objects.filter(
        field_of_view__withdrawn_at__isnull=True, field_of_view__session__withdrawn_at__isnull=True
    )
    return rows


@transaction.atomic
def create_fov(*, actor: Any, values: Mapping[str, Any]) -> FOV:
    """A field of view of a session. Raises Invalid (unknown session, type or stack; a name the session has), Forbidden."""
    session = session_by_key(values["session"])
    authorise_session(actor, session, act="register fields of view", to=Right.PROBE)
    _refuse_taken(session, values["name"])
    made: FOV = FOV.objects.create(session=session, **_fov_columns(values))
    return made


@transaction.atomic
def change_fov(*, actor: Any, fov: FOV, changes: Mapping[str, Any]) -> FOV:
    """Change what is sent and nothing else. Raises Invalid, Forbidden, NotFound."""
    fov = locked(shown_fovs().select_related("session__lab"), fov.pk)
    authorise_session(actor, fov.session, act="change fields of view", to=Right.PROBE)
    columns, session = _fov_columns(changes), fov.session
    if changes.get("session") and changes["session"] != session.pk:
        session = columns["session"] = session_by_key(changes["session"])
        authorise_session(actor, session, act="register fields of view", to=Right.PROBE)
    name = columns.get("name", fov.name)
    if (session.pk, name) != (fov.session_id, fov.name):
        _refuse_taken(session_by_key(session.pk), name, but=fov)
    store(fov, columns)
    return fov


@transaction.atomic
def withdraw_fov(*, actor: Any, fov: FOV) -> None:
    """Out of every answer, with its locations. Raises Forbidden, NotFound."""
    fov = locked(shown_fovs().select_related("session__lab"), fov.pk)
    authorise_session(actor, fov.session, act="withdraw fields of view")
    store(fov, {"withdrawn_at": clock.now()})


@transaction.atomic
def create_stack(*, actor: Any, values: Mapping[str, Any]) -> ImagingStack:
    """A stack; fields of view name it. Raises Forbidden."""
    authorise_anywhere(actor, act="make imaging stacks", to=Right.PROBE)
    made: ImagingStack = ImagingStack.objects.create(name=values.get("name", ""), json=values.get("json"))
    return made


@transaction.atomic
def create_location(*, actor: Any, values: Mapping[str, Any]) -> FOVLocation:
    """Where a field of view lies, from one source; the default one takes that from the others. Raises Invalid, Forbidden."""
    fov = _fov(values["field_of_view"])
    authorise_session(actor, fov.session, act="register locations of fields of view", to=Right.LOCATE)
    _refuse_twice(fov, values["provenance"])
    columns = _location_columns(values)
    if "coordinate_system" not in columns:
        columns["coordinate_system"] = CoordinateSystem.objects.get_or_create(name=DEFAULT_SYSTEM)[0]
    _refuse_shapes(columns)
    _one_default(fov, columns)
    made: FOVLocation = FOVLocation.objects.create(field_of_view=fov, **columns)
    made.brain_regions.set(_regions(values.get("brain_region", [])))
    return made


@transaction.atomic
def change_location(*, actor: Any, location: FOVLocation, changes: Mapping[str, Any]) -> FOVLocation:
    """Change what is sent and nothing else. Raises Invalid, Forbidden, NotFound."""
    location = locked(shown_locations().select_related("field_of_view__session__lab"), location.pk)
    authorise_session(actor, location.field_of_view.session, act="change locations of fields of view", to=Right.LOCATE)
    columns = _location_columns(changes)
    fov = _fov(changes.get("field_of_view", location.field_of_view_id))
    if fov.pk != location.field_of_view_id:
        authorise_session(actor, fov.session, act="register locations of fields of view", to=Right.LOCATE)
        columns["field_of_view"] = fov
    provenance = columns.get("provenance", location.provenance)
    if (fov.pk, provenance) != (location.field_of_view_id, location.provenance):
        _refuse_twice(fov, provenance, but=location)
    if not columns.keys().isdisjoint(COORDINATES):
        _refuse_shapes({**{name: getattr(location, name) for name in COORDINATES}, **columns})
    is_default = columns.get("default_provenance", location.default_provenance)
    _one_default(fov, {"default_provenance": is_default}, but=location)
    regions = _regions(changes["brain_region"]) if "brain_region" in changes else None
    store(location, {**columns, "located_at": clock.now()} if columns or regions is not None else {})
    if regions is not None:
        location.brain_regions.set(regions)
    return location


@transaction.atomic
def delete_location(*, actor: Any, location: FOVLocation) -> None:
    """Remove it; the history keeps it. Raises Forbidden, NotFound."""
    location = locked(shown_locations().select_related("field_of_view__session__lab"), location.pk)
    authorise_session(actor, location.field_of_view.session, act="remove locations of fields of view", to=Right.LOCATE)
    location.delete()


def _fov_columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: sent[name] for name in ("name", "json") if name in sent}
    if "imaging_type" in sent:
        word = sent["imaging_type"]
        types = ImagingType.objects.all()
        columns["imaging_type"] = by_name(types, word, field="imaging_type", what="imaging type") if word else None
    if "stack" in sent:
        columns["stack"] = _stack(sent["stack"])
    return columns


def _stack(key: UUID | None) -> ImagingStack | None:
    if key is None:
        return None
    found = ImagingStack.objects.filter(pk=key).first()
    if found is None:
        raise Invalid.of("stack", f"there is no imaging stack {key}")
    return found


def _refuse_taken(session: SessionRow, name: str, but: FOV | None = None) -> None:
    taken = FOV.objects.filter(session=session, name=name, withdrawn_at__isnull=True)
    there = others(taken, but).first()
    if there is not None:
        raise Invalid.of("name", f"the fields session, name must make a unique set; {name!r} is {there.pk}")


def _fov(key: UUID) -> FOV:
    """The field of view, locked: one default, one location per source."""
    rows = shown_fovs().select_related("session__lab").select_for_update(of=("self",), no_key=True)
    found = rows.filter(pk=key).first()
    if found is None:
        raise Invalid.of("field_of_view", f"there is no field of view {key}")
    return found


def _location_columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    names = ("provenance", "default_provenance", *COORDINATES, "n_xyz", "json")
    columns: dict[str, Any] = {name: sent[name] for name in names if name in sent}
    if "coordinate_system" in sent:
        columns["coordinate_system"] = system_by_name(sent["coordinate_system"])
    return columns


def _refuse_shapes(columns: Mapping[str, Any]) -> None:
    """Raise Invalid unless there are the corners of a plane (4) or a box (8) in each dimension."""
    for name in COORDINATES:
        if len(columns[name]) not in CORNERS:
            raise Invalid.of(name, f"the corners are 4 or 8 numbers; these are {len(columns[name])}")
    if len({len(columns[name]) for name in COORDINATES}) > 1:
        raise Invalid.of("x", "x, y and z must have the same number of corners")


def _refuse_twice(fov: FOV, provenance: str, but: FOVLocation | None = None) -> None:
    rows = FOVLocation.objects.filter(field_of_view=fov, provenance=provenance)
    there = others(rows, but).first()
    if there is not None:
        name = FOVProvenance(provenance).label
        raise Invalid.of("provenance", f"the field of view has a location from {name!r} already: {there.pk}")


def _one_default(fov: FOV, columns: Mapping[str, Any], but: FOVLocation | None = None) -> None:
    """The newly named default takes that from the one before."""
    if columns.get("default_provenance"):
        before = FOVLocation.objects.filter(field_of_view=fov, default_provenance=True)
        others(before, but).update(default_provenance=False)


def _regions(keys: list[int]) -> list[BrainRegion]:
    found = {row.pk: row for row in BrainRegion.objects.filter(pk__in=keys)}
    if missing := set(keys) - found.keys():
        raise Invalid.of("brain_region", f"there is no brain region {min(missing)}")
    return list(found.values())
