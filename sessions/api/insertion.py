"""REST for probe insertions."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid, NotFound
from alyx.core.reading import reach_of
from alyx.core.rest.fields import JsonField, KeyField, MomentField, TextField
from alyx.core.rest.text_pages import TextPages
from alyx.core.rest.views import ChangeableEndpoint, Endpoint
from sessions.api.filters import INSERTION_FILTERS, joint_dataset_filters
from sessions.api.query_fields import INSERTIONS
from sessions.api.serializers import SessionDatasets, SessionList
from sessions.models import ProbeInsertion
from sessions.queries.insertion import insertions_json
from sessions.queries.session_record import dataset_records
from sessions.services.insertion import change_insertion, create_insertion, shown_insertions, withdraw_insertion


class ProbeInsertionList(serializers.Serializer[Any]):
    """A probe in a session. Its datasets are those of the session in a folder with its name."""

    id = serializers.UUIDField(read_only=True)
    session = KeyField()
    model = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    session_info = SessionList(read_only=True)
    name = serializers.CharField(max_length=255)
    json = JsonField(required=False)
    serial = TextField(required=False)
    auto_datetime = MomentField(read_only=True)
    chronic_insertion = KeyField(required=False, allow_null=True)
    datasets = serializers.ListField(child=serializers.UUIDField(), read_only=True)


class ProbeInsertionDetail(ProbeInsertionList):
    """A probe in a session, with its datasets."""

    datasets = SessionDatasets(many=True, read_only=True)  # type: ignore[assignment]


class _Insertions(Endpoint):
    is_public = True
    serializer_class = ProbeInsertionDetail

    def rows(self) -> QuerySet[Any]:
        """Those not withdrawn; of the newest sessions first."""
        return shown_insertions().order_by("-session__started_wall", "session_id", "name", "id")

    def detailed(self, key: UUID) -> dict[str, Any]:
        """The full record. Raises NotFound."""
        row = self.get_queryset().filter(pk=key).first()
        if row is None:
            raise NotFound(f"there is no insertion {key}")
        [record] = json.loads(insertions_json([key]))
        return {
            **record,
            "datasets": dataset_records(
                row.session_id, self.base_url, folder=row.name, only_public=reach_of(self.actor).is_public
            ),
        }


class InsertionListView(_Insertions, TextPages):
    """`/insertions`."""

    query_fields = INSERTIONS
    filters = INSERTION_FILTERS

    def get_serializer_class(self) -> Any:
        """Bodies are detail records."""
        return ProbeInsertionDetail if self.request and self.request.method == "POST" else ProbeInsertionList

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The filters, and those on the insertion's own datasets together."""
        rows = super().filter_queryset(queryset)
        try:
            return joint_dataset_filters(rows, self.request.query_params, in_folders=True)
        except ValueError as error:
            raise Invalid.of("dataset_qc_lte", str(error)) from None

    def text(self, ids: Sequence[UUID]) -> str:
        """Insertions."""
        return insertions_json(ids)

    def post(self, request: Request) -> Response:
        """A new insertion."""
        made = create_insertion(actor=self.actor, values=self.sent(partial=False))
        return Response(self.detailed(made.pk), status=201)


class InsertionDetailView(_Insertions, ChangeableEndpoint):
    """`/insertions/{id}`."""

    lookup_field = "id"
    noun = "insertion"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The full record."""
        return Response(self.detailed(self.key()))

    def record(self, row: Any) -> dict[str, Any]:
        """The full record."""
        return self.detailed(row.pk)

    def change(self, row: Any, sent: dict[str, Any]) -> ProbeInsertion:
        """Apply what was sent."""
        return change_insertion(actor=self.actor, insertion=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw it."""
        withdraw_insertion(actor=self.actor, insertion=self.found())
        return Response(status=204)
