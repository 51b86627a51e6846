"""Pages whose records PostgreSQL writes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from rest_framework.request import Request

from alyx.core.rest.rendering import encode_json, json_text
from alyx.core.rest.views import ListEndpoint


class TextPages(ListEndpoint):
    """A list endpoint that pages over keys and passes the records on as text, never as objects."""

    def text(self, ids: Sequence[UUID]) -> str:
        """The JSON array of these records, in order. Override."""
        raise NotImplementedError

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """A page of records."""
        ids = self.paginate_queryset(self.filter_queryset(self.get_queryset()).values_list("pk", flat=True))
        paginator: Any = self.paginator
        return self.page(paginator.count, paginator.get_next_link(), paginator.get_previous_link(), list(ids or []))

    def page(self, count: int, following: str | None, previous: str | None, ids: Sequence[UUID]) -> HttpResponseBase:
        """The answer: four keys, the records last."""
        head = encode_json({"count": count, "next": following, "previous": previous}).removesuffix(b"}").decode()
        return json_text(f'{head},"results":{self.text(ids) if ids else "[]"}}}')
