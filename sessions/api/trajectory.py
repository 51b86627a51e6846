"""REST for trajectories and their channels."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid
from alyx.core.rest.fields import JsonField, KeyField, MomentField, NumberField, TextField
from alyx.core.rest.query_language import Refused
from alyx.core.rest.views import ChangeableEndpoint, Endpoint
from sessions.api.filters import CHANNEL_FILTERS, TRAJECTORY_FILTERS
from sessions.api.keyed import KeyedPages
from sessions.api.query_fields import CHANNELS, TRAJECTORIES, provenance_value
from sessions.api.serializers import SessionList
from sessions.models import Channel, Provenance, TrajectoryEstimate
from sessions.queries.insertion import channel_record, channel_records, trajectory_records
from sessions.services.trajectory import (
    change_channel,
    change_trajectory,
    create_channels,
    create_trajectory,
    delete_channel,
    delete_trajectory,
    shown_channels,
    shown_trajectories,
)


@extend_schema_field(OpenApiTypes.STR)
class ProvenanceField(serializers.Field[int, Any, str, Any]):
    """A source by its name."""

    def to_internal_value(self, data: Any) -> int:
        """Raises ValidationError naming them."""
        try:
            value = provenance_value(data)
            return int(Provenance(value))
        except Refused as error:
            raise serializers.ValidationError(str(error)) from None
        except ValueError:
            labels = ", ".join(Provenance.labels)
            raise serializers.ValidationError(f"{str(data)[:80]!r} is not one of {labels}") from None

    def to_representation(self, value: int) -> str:
        """Its name."""
        return Provenance(value).label


class TrajectoryRecord(serializers.Serializer[Any]):
    """Where a probe lay, as known from one source; micrometres and degrees."""

    id = serializers.UUIDField(read_only=True)
    probe_insertion = KeyField(required=False, allow_null=True)
    x = NumberField(allow_null=True)
    y = NumberField(allow_null=True)
    z = NumberField(required=False, allow_null=True)
    depth = NumberField(allow_null=True)
    theta = NumberField(allow_null=True)
    phi = NumberField(allow_null=True)
    roll = NumberField(required=False, allow_null=True)
    provenance = ProvenanceField()
    session = SessionList(read_only=True)
    probe_name = serializers.CharField(read_only=True)
    coordinate_system = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    datetime = MomentField(read_only=True)
    json = JsonField(required=False)
    chronic_insertion = KeyField(required=False, allow_null=True)

    class Meta:
        ref_name = "TrajectoryEstimate"


class _Trajectories(Endpoint):
    serializer_class = TrajectoryRecord

    def rows(self) -> QuerySet[Any]:
        """Those shown, the best known first."""
        return shown_trajectories().order_by("-provenance", "-created_at", "id")

    def record(self, row: Any) -> dict[str, Any]:
        """A trajectory."""
        return trajectory_records(TrajectoryEstimate.objects.filter(pk=row.pk))[0]


class TrajectoryListView(_Trajectories, KeyedPages):
    """`/trajectories`."""

    query_fields = TRAJECTORIES
    filters = TRAJECTORY_FILTERS

    def filled(self, rows: Any) -> list[dict[str, Any]]:
        """Trajectories."""
        return trajectory_records(rows)

    def post(self, request: Request) -> Response:
        """A new trajectory."""
        made = create_trajectory(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(made), status=201)


class TrajectoryDetailView(_Trajectories, ChangeableEndpoint):
    """`/trajectories/{id}`."""

    lookup_field = "id"
    noun = "trajectory"

    def change(self, row: Any, sent: dict[str, Any]) -> TrajectoryEstimate:
        """Apply what was sent."""
        return change_trajectory(actor=self.actor, trajectory=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Remove it with its channels."""
        delete_trajectory(actor=self.actor, trajectory=self.found())
        return Response(status=204)


class ChannelRecord(serializers.Serializer[Any]):
    """A recording site along a trajectory; micrometres."""

    id = serializers.UUIDField(read_only=True)
    trajectory_estimate = KeyField()
    brain_region = serializers.IntegerField(required=False, allow_null=True, min_value=-(2**63), max_value=2**63 - 1)
    name = TextField(required=False)
    json = JsonField(required=False)
    axial = NumberField(required=False, allow_null=True)
    lateral = NumberField(required=False, allow_null=True)
    x = NumberField(required=False, allow_null=True)
    y = NumberField(required=False, allow_null=True)
    z = NumberField(required=False, allow_null=True)

    class Meta:
        ref_name = "Channel"


class _Channels(Endpoint):
    serializer_class = ChannelRecord

    def rows(self) -> QuerySet[Any]:
        """Those along trajectories that are shown, from the tip upwards."""
        return shown_channels().order_by("trajectory_id", "axial", "lateral", "id")

    def record(self, row: Any) -> dict[str, Any]:
        """A channel."""
        return channel_record(row)


class ChannelListView(_Channels, KeyedPages):
    """`/channels`."""

    query_fields = CHANNELS
    filters = CHANNEL_FILTERS

    def filled(self, rows: Any) -> list[dict[str, Any]]:
        """Channels."""
        return channel_records(rows)

    @extend_schema(request=ChannelRecord, responses={201: ChannelRecord})
    def post(self, request: Request) -> Response:
        """One channel, or the list of a whole probe: all or none, answered as sent."""
        several = isinstance(request.data, list)
        bodies = request.data if several else [self.body()]
        if not all(isinstance(body, dict) for body in bodies):
            raise Invalid("the body must be a channel or a list of channels, each a JSON object")
        serializer = self.get_serializer(data=bodies, many=True)
        serializer.is_valid(raise_exception=True)
        made = create_channels(actor=self.actor, bodies=serializer.validated_data)
        records = [channel_record(channel) for channel in made]
        return Response(records if several else records[0], status=201)


class ChannelDetailView(_Channels, ChangeableEndpoint):
    """`/channels/{id}`."""

    lookup_field = "id"
    noun = "channel"

    def change(self, row: Any, sent: dict[str, Any]) -> Channel:
        """Apply what was sent."""
        return change_channel(actor=self.actor, channel=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Remove it."""
        delete_channel(actor=self.actor, channel=self.found())
        return Response(status=204)
