"""REST for weights."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.fields import MomentField, NumberField, TextField
from alyx.core.rest.views import DetailEndpoint, Endpoint, ListEndpoint
from subjects.api.moments import MOMENT, amount, found_in
from subjects.api.query_fields import WEIGHINGS
from subjects.models import Weighing
from subjects.queries.water import (
    weighing_record,
)
from subjects.services.water import (
    record_weight,
    withdraw_weighing,
)


class WeighingDetail(serializers.Serializer[Any]):
    """A weighing."""

    subject = serializers.CharField(max_length=255)
    date_time = MomentField(required=False, allow_null=True)
    weight = NumberField()
    user = TextField(required=False, allow_null=True)
    url = serializers.URLField(read_only=True)


class _Weighings(Endpoint):
    serializer_class = WeighingDetail
    queryset = (
        Weighing.objects.shown()
        .filter(subject__withdrawn_at__isnull=True)
        .select_related("subject", "user")
        .order_by("-at_wall", "id")
    )

    def record(self, row: Any) -> dict[str, Any]:
        """A weighing."""
        return weighing_record(row, row.subject.nickname, self.base_url)

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Weighings."""
        return [self.record(row) for row in rows]


class WeighingListView(_Weighings, ListEndpoint):
    """`/weighings`."""

    query_fields = WEIGHINGS
    filters = {**MOMENT, "weight": amount("weight_g", "grams")}
    posted = (200, 201)

    def post(self, request: Request) -> Response:
        """A weighing: 201 when it is new, 200 when it was there."""
        row, is_new = record_weight(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(row), status=201 if is_new else 200)


class WeighingDetailView(_Weighings, DetailEndpoint):
    """`/weighings/{id}`."""

    lookup_field = "id"

    def found(self) -> Weighing:
        """The weighing in the path."""
        found: Weighing = found_in(self.get_queryset(), self.key(), "weighing")
        return found

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw it."""
        withdraw_weighing(actor=self.actor, weighing=self.found())
        return Response(status=204)
