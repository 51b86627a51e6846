"""REST for kinds of procedures."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.views import ListEndpoint
from subjects.api import serializers
from subjects.models import ProcedureType
from subjects.services.procedure import create_procedure_type


class ProcedureList(ListEndpoint):
    """`/procedures`."""

    serializer_class = serializers.ProcedureType
    queryset = ProcedureType.objects.order_by("name")

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Procedures."""
        return [{"id": row.pk, "name": row.name, "json": row.json, "description": row.description} for row in rows]

    def post(self, request: Request) -> Response:
        """A new kind of procedure."""
        made = create_procedure_type(actor=self.actor, values=self.sent(partial=False))
        return Response(self.records([made])[0], status=201)
