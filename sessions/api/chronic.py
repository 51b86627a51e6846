"""REST for chronic insertions: the implants of the surgeries."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.fields import JsonField, MomentField, TextField
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from sessions.api.filters import CHRONIC_FILTERS
from sessions.api.query_fields import CHRONIC_INSERTIONS
from sessions.queries.insertion import chronic_records
from sessions.services.chronic import change_chronic, create_chronic, shown_implants, withdraw_chronic
from subjects.models import Implant


class ChronicInsertionList(serializers.Serializer[Any]):
    """A probe that stays in an animal, and the sessions it recorded in."""

    id = serializers.UUIDField(read_only=True)
    name = TextField(required=False)
    subject = serializers.CharField(max_length=255)
    lab = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    model = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    start_time = MomentField(required=False, allow_null=True)
    serial = TextField(required=False)
    json = JsonField(required=False)
    probe_insertion = serializers.ListField(child=serializers.DictField(), read_only=True)


class ChronicInsertionDetail(ChronicInsertionList):
    """A probe that stays in an animal, and the sessions it recorded in."""


class _Chronic(Endpoint):
    serializer_class = ChronicInsertionDetail

    def rows(self) -> QuerySet[Any]:
        """Those not withdrawn, newest first."""
        rows = shown_implants().select_related("subject", "lab", "probe_model")
        return rows.order_by("-started_wall", "-created_at", "id")

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Chronic insertions."""
        return chronic_records(self.actor, rows)

    def record(self, row: Any) -> dict[str, Any]:
        """A chronic insertion."""
        return chronic_records(self.actor, self.get_queryset().filter(pk=row.pk))[0]


class ChronicListView(_Chronic, ListEndpoint):
    """`/chronic-insertions`."""

    query_fields = CHRONIC_INSERTIONS
    filters = CHRONIC_FILTERS
    posted = (200, 201)

    def get_serializer_class(self) -> Any:
        """Bodies are detail records."""
        return ChronicInsertionDetail if self.request and self.request.method == "POST" else ChronicInsertionList

    def post(self, request: Request) -> Response:
        """A chronic insertion: 201 when it is new, 200 when a surgery or an earlier call entered it."""
        row, is_new = create_chronic(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(row), status=201 if is_new else 200)


class ChronicDetailView(_Chronic, ChangeableEndpoint):
    """`/chronic-insertions/{id}`."""

    lookup_field = "id"
    noun = "chronic insertion"

    def change(self, row: Any, sent: dict[str, Any]) -> Implant:
        """Apply what was sent."""
        return change_chronic(actor=self.actor, implant=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw it."""
        withdraw_chronic(actor=self.actor, implant=self.found())
        return Response(status=204)
