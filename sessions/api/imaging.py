"""REST for fields of view, their locations and stacks."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid
from alyx.core.rest.fields import JsonField, KeyField, MomentField, NumberField, TextField
from alyx.core.rest.views import ChangeableEndpoint, DetailEndpoint, Endpoint, ListEndpoint
from sessions.api.filters import FOV_FILTERS, LOCATION_FILTERS, STACK_FILTERS, joint_dataset_filters
from sessions.api.keyed import KeyedPages
from sessions.api.query_fields import FOV_LOCATIONS, FOVS, IMAGING_STACKS
from sessions.models import FOV, FOVLocation, FOVProvenance, ImagingStack
from sessions.queries.imaging import fov_records, location_records, stack_records
from sessions.services.imaging import (
    change_fov,
    change_location,
    create_fov,
    create_location,
    create_stack,
    delete_location,
    shown_fovs,
    shown_locations,
    withdraw_fov,
)

MOST_REGIONS = 2000


def _corners() -> Any:
    return serializers.ListField(child=NumberField(), max_length=8)


class FOVLocationList(serializers.Serializer[Any]):
    """Where a field of view lies, as known from one source: corners, size in pixels, regions."""

    id = serializers.UUIDField(read_only=True)
    brain_region = serializers.ListField(
        child=serializers.IntegerField(min_value=-(2**63), max_value=2**63 - 1),
        required=False,
        max_length=MOST_REGIONS,
    )
    coordinate_system = serializers.CharField(max_length=255, required=False)
    provenance = serializers.ChoiceField(choices=FOVProvenance.choices)
    x = _corners()
    y = _corners()
    z = _corners()
    n_xyz = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=2**31), min_length=3, max_length=3
    )
    default_provenance = serializers.BooleanField(required=False)
    auto_datetime = MomentField(read_only=True)


class FOVLocationDetail(FOVLocationList):
    """Where a field of view lies, as known from one source: corners, size in pixels, regions."""

    json = JsonField(required=False)
    field_of_view = KeyField()


class FOVRecord(serializers.Serializer[Any]):
    """A field of view of a session. Its datasets are those of the session in a folder with its name."""

    id = serializers.UUIDField(read_only=True)
    imaging_type = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    location = FOVLocationList(many=True, read_only=True)
    name = serializers.CharField(max_length=255)
    json = JsonField(required=False)
    session = KeyField()
    stack = KeyField(required=False, allow_null=True)
    datasets = serializers.ListField(child=serializers.UUIDField(), read_only=True)

    class Meta:
        ref_name = "FOV"


class ImagingStackList(serializers.Serializer[Any]):
    """Fields of view that are slices of one volume."""

    id = serializers.UUIDField(read_only=True)
    slices = FOVRecord(many=True, read_only=True)


class ImagingStackDetail(ImagingStackList):
    """Fields of view that are slices of one volume."""

    name = TextField()
    json = JsonField(required=False)


class _Fovs(Endpoint):
    serializer_class = FOVRecord

    def rows(self) -> QuerySet[Any]:
        """Those not withdrawn; of the newest sessions first."""
        return shown_fovs().order_by("-session__started_wall", "session_id", "name", "id")

    def record(self, row: Any) -> dict[str, Any]:
        """A field of view."""
        return fov_records(FOV.objects.filter(pk=row.pk))[0]


class FOVListView(_Fovs, KeyedPages):
    """`/fields-of-view`."""

    query_fields = FOVS
    filters = FOV_FILTERS

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The filters, and those on its own datasets together."""
        rows = super().filter_queryset(queryset)
        try:
            return joint_dataset_filters(rows, self.request.query_params, in_folders=True)
        except ValueError as error:
            raise Invalid.of("dataset_qc_lte", str(error)) from None

    def filled(self, rows: Any) -> list[dict[str, Any]]:
        """Fields of view."""
        return fov_records(rows)

    def post(self, request: Request) -> Response:
        """A new field of view."""
        made = create_fov(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(made), status=201)


class FOVDetailView(_Fovs, ChangeableEndpoint):
    """`/fields-of-view/{id}`."""

    lookup_field = "id"
    noun = "field of view"

    def change(self, row: Any, sent: dict[str, Any]) -> FOV:
        """Apply what was sent."""
        return change_fov(actor=self.actor, fov=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw it with its locations."""
        withdraw_fov(actor=self.actor, fov=self.found())
        return Response(status=204)


class _Locations(Endpoint):
    serializer_class = FOVLocationDetail

    def rows(self) -> QuerySet[Any]:
        """Those of fields of view that are shown; the default first."""
        return shown_locations().order_by("field_of_view_id", "-default_provenance", "provenance", "id")

    def record(self, row: Any) -> dict[str, Any]:
        """A location."""
        return location_records(FOVLocation.objects.filter(pk=row.pk), whole=True)[0]


class FOVLocationListView(_Locations, KeyedPages):
    """`/fov-location`."""

    query_fields = FOV_LOCATIONS
    filters = LOCATION_FILTERS

    def get_serializer_class(self) -> Any:
        """Bodies are detail records."""
        return FOVLocationDetail if self.request and self.request.method == "POST" else FOVLocationList

    def filled(self, rows: Any) -> list[dict[str, Any]]:
        """Locations."""
        return location_records(rows, whole=False)

    def post(self, request: Request) -> Response:
        """A new location."""
        made = create_location(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(made), status=201)


class FOVLocationDetailView(_Locations, ChangeableEndpoint):
    """`/fov-location/{id}`."""

    lookup_field = "id"
    noun = "location"

    def change(self, row: Any, sent: dict[str, Any]) -> FOVLocation:
        """Apply what was sent."""
        return change_location(actor=self.actor, location=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Remove it."""
        delete_location(actor=self.actor, location=self.found())
        return Response(status=204)


class _Stacks(Endpoint):
    serializer_class = ImagingStackDetail
    queryset = ImagingStack.objects.order_by("-created_at", "id")

    def record(self, row: Any) -> dict[str, Any]:
        """A stack."""
        return {**stack_records([row])[0], "name": row.name, "json": row.json}


class ImagingStackListView(_Stacks, ListEndpoint):
    """`/imaging-stack`."""

    query_fields = IMAGING_STACKS
    filters = STACK_FILTERS

    def get_serializer_class(self) -> Any:
        """Bodies are detail records."""
        return ImagingStackDetail if self.request and self.request.method == "POST" else ImagingStackList

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Stacks."""
        return stack_records(rows)

    def post(self, request: Request) -> Response:
        """A new stack."""
        made = create_stack(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(made), status=201)


class ImagingStackDetailView(_Stacks, DetailEndpoint):
    """`/imaging-stack/{id}`."""

    lookup_field = "id"
    noun = "imaging stack"
