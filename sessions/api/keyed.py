"""List endpoints that page over keys and fill only the rows of the page."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.views import ListEndpoint


class KeyedPages(ListEndpoint):
    """Pages of keys, then `filled(rows)`: what is costly is computed for what is shown, in a constant number of statements."""

    def filled(self, rows: Any) -> list[dict[str, Any]]:
        """The records of these rows, in any order. Override."""
        raise NotImplementedError

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of records."""
        keys: Sequence[UUID] = (
            self.paginate_queryset(self.filter_queryset(self.get_queryset()).values_list("pk", flat=True)) or []
        )
        rows = self.get_queryset().model._base_manager.filter(pk__in=list(keys))
        records = {record["id"]: record for record in (self.filled(rows) if keys else [])}
        return self.get_paginated_response([records[key] for key in keys if key in records])
