"""Pages whose records PostgreSQL writes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request

from alyx.core.rest.rendering import encode_json, json_text
from alyx.core.rest.views import ListEndpoint


class TextPages(ListEndpoint):
    """A list endpoint that passes the records on as text, never as objects."""

    def text(self, ids: Sequence[UUID]) -> str:
        """The JSON array of these records, in order. Override, or `read`."""
        raise NotImplementedError

    def read(self, rows: QuerySet[Any]) -> tuple[str, int]:
        """The JSON array of a page of rows, and how many they are."""
        ids = list(rows.values_list("pk", flat=True))
        return self.text(ids) if ids else "[]", len(ids)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """A page of records: four keys, the records last."""
        pages: Any = self.paginator
        text = pages.page_of(self.filter_queryset(self.get_queryset()), request, self.read)
        head = {"count": pages.count, "next": pages.get_next_link(), "previous": pages.get_previous_link()}
        return json_text(f'{encode_json(head).decode().removesuffix("}")},"results":{text}}}')
