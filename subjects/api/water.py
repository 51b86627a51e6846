"""REST for water given, and for what is drunk."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.fields import JsonField, KeyField, MomentField, NumberField, TextField
from alyx.core.rest.filters import (
    equals,
    is_key,
    is_true,
)
from alyx.core.rest.names import in_path
from alyx.core.rest.views import ChangeableEndpoint, DetailEndpoint, Endpoint, ListEndpoint
from subjects.api.moments import MOMENT, amount, found_in
from subjects.api.query_fields import WATERS
from subjects.models import WaterAdministration, WaterType
from subjects.queries.water import (
    administration_record,
)
from subjects.services.water import (
    change_water,
    create_water_type,
    record_water,
    withdraw_water,
)


class OptionalKey(KeyField):
    """A key, or none: null or the empty text."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """The empty text is none."""
        return super().run_validation(None if data == "" else data)


class WaterAdministrationDetail(serializers.Serializer[Any]):
    """Water given."""

    subject = serializers.CharField(max_length=255)
    date_time = MomentField(required=False, allow_null=True)
    water_administered = NumberField(required=False, allow_null=True)
    water_type = TextField(required=False, allow_null=True)
    user = TextField(required=False, allow_null=True)
    url = serializers.URLField(read_only=True)
    session = OptionalKey(required=False, allow_null=True)
    adlib = serializers.BooleanField(required=False)


class WaterTypeDetail(serializers.Serializer[Any]):
    """What is drunk."""

    url = serializers.URLField(read_only=True)
    json = JsonField(required=False)
    name = serializers.CharField(max_length=255)


class _Waters(Endpoint):
    serializer_class = WaterAdministrationDetail
    queryset = (
        WaterAdministration.objects.shown()
        .filter(subject__withdrawn_at__isnull=True)
        .select_related("subject", "user", "water_type")
        .order_by("-at_wall", "id")
    )

    def record(self, row: Any) -> dict[str, Any]:
        """Water given."""
        return administration_record(row, row.subject.nickname, self.base_url)

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Waters given."""
        return [self.record(row) for row in rows]


class WaterListView(_Waters, ListEndpoint):
    """`/water-administrations`."""

    query_fields = WATERS
    filters = {
        **MOMENT,
        "adlib": is_true("adlib"),
        "session": is_key("session_id"),
        "water_administered": amount("volume_ml", "millilitres"),
        "water_type": equals("water_type__name"),
    }
    posted = (200, 201)

    def post(self, request: Request) -> Response:
        """Water given: 201 when it is new, 200 when it was there."""
        row, is_new = record_water(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(row), status=201 if is_new else 200)


class WaterDetailView(_Waters, ChangeableEndpoint):
    """`/water-administrations/{id}`."""

    lookup_field = "id"

    def found(self) -> WaterAdministration:
        """The water in the path."""
        found: WaterAdministration = found_in(self.get_queryset(), self.key(), "water administration")
        return found

    def change(self, row: Any, sent: dict[str, Any]) -> WaterAdministration:
        """Apply what was sent."""
        change_water(actor=self.actor, administration=row, values=sent)
        return self.found()

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw it."""
        withdraw_water(actor=self.actor, administration=self.found())
        return Response(status=204)


class _WaterTypes(Endpoint):
    serializer_class = WaterTypeDetail
    queryset = WaterType.objects.order_by("name")

    def record(self, row: Any) -> dict[str, Any]:
        """A type of water."""
        return {"url": self.link("water-type", row.name), "json": row.json, "name": row.name}

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Types of water."""
        return [self.record(row) for row in rows]

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A new type of water."""
        made = create_water_type(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(made), status=201)


class WaterTypeListView(_WaterTypes, ListEndpoint):
    """`/water-type`."""


class WaterTypeDetailView(_WaterTypes, DetailEndpoint):
    """`/water-type/{name}`."""

    lookup_field = "name"

    def found(self) -> WaterType:
        """The type in the path."""
        found: WaterType = in_path(self.get_queryset(), self.kwargs["name"], what="type of water")
        return found
