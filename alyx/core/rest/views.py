"""What every endpoint shares. A view parses, calls one service, renders; rules live in the services.

A list endpoint gives `queryset` (with a total order), `filters`, `query_fields` (see `filters`, `query_language`) and
`records(rows)`, which turns a page of rows into wire records. `serializer_class` describes the record for the schema and
checks bodies (`self.sent(...)`). A detail endpoint gives `record(row)`, and
`found()` where the path names the row by something else than its key.
"""

import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar, final
from urllib.parse import quote

import pghistory
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid, NotFound
from alyx.core.reading import readable
from alyx.core.rest import etags, idempotency
from alyx.core.rest.filters import DeclaredFilters, Filters
from alyx.core.rest.parsing import StrictJSONParser
from alyx.core.rest.query_language import QueryFields
from alyx.core.rest.query_time import bounded

IN_A_SEGMENT = "~:@!$&'()*+,;="
"""What stands in a segment of a path as it is, besides letters, digits and `-._` (RFC 3986)."""


class Endpoint(GenericAPIView[Any]):
    """The base of all views: the caller is named in the audit, answers are JSON whatever was asked for."""

    parser_classes: Sequence[type[BaseParser]] = [StrictJSONParser]
    filter_backends = [DeclaredFilters]
    metadata_class = None  # OPTIONS tells nothing: the schema does
    filters: ClassVar[Filters] = {}
    query_fields: ClassVar[QueryFields | None] = None
    bounded_in_time: ClassVar[bool] = True
    posted: ClassVar[tuple[int, ...]] = (201,)
    """The codes a POST may answer with."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Reading is bounded in time (`query_time`)."""
        with bounded() if self.bounded_in_time and request.method in {"GET", "HEAD"} else nullcontext():
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Name the caller in the audit context that the middleware opened; heed a key given to a POST."""
        super().initial(request, *args, **kwargs)
        if not request.user.is_authenticated:
            return
        pghistory.context(actor=str(request.user.pk), actor_name=request.user.get_username())
        if request.method == "POST" and idempotency.HEADER in request.headers and hasattr(self, "post"):
            handler: Any = getattr(self, "post")  # noqa: B009  (not every endpoint has one)
            setattr(self, "post", idempotency.answered_once(self, handler))  # noqa: B010

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Always our JSON: a client that asks for another type is answered, not refused."""
        renderer = self.get_renderers()[0]
        return renderer, str(renderer.media_type)

    @property
    def actor(self) -> Any:
        """Who calls."""
        return self.request.user

    def rows(self) -> QuerySet[Any]:
        """All rows of the endpoint, in their order: `queryset`, unless a view says more."""
        return super().get_queryset()

    @final
    def get_queryset(self) -> QuerySet[Any]:
        """Those of the rows that the caller reads."""
        return self.rows() if getattr(self, "swagger_fake_view", False) else readable(self.actor, self.rows())

    def body(self) -> dict[str, Any]:
        """The request's JSON object. Raises Invalid when it is something else."""
        data = self.request.data
        if not isinstance(data, dict):
            raise Invalid("the body must be a JSON object")
        return data

    def sent(self, *, partial: bool) -> dict[str, Any]:
        """The checked fields of the body; with `partial`, none is required. Raises ValidationError (400)."""
        serializer = self.get_serializer(data=self.body(), partial=partial)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def link(self, endpoint: str, key: object) -> str:
        """The absolute URL of a record. A name may hold any character."""
        return f"{self.base_url}/{endpoint}/{quote(str(key), safe=IN_A_SEGMENT)}"

    @property
    def base_url(self) -> str:
        """The server as this caller reaches it, without slash at the end."""
        return self.request.build_absolute_uri("/").rstrip("/")


class ListEndpoint(ListModelMixin, Endpoint):
    """`GET /x`, paged."""

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """The wire records of a page. Override."""
        raise NotImplementedError

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of records."""
        rows = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.records(page or []))


class DetailEndpoint(Endpoint):
    """`GET /x/{key}`; PUT with a partial body is a PATCH."""

    noun: ClassVar[str] = "record"
    """What it is called where there is none."""

    def found(self) -> Any:
        """The row whose key is in the path, of those that the caller reads. Raises NotFound."""
        row = self.get_queryset().filter(pk=self.key()).first()
        if row is None:
            raise NotFound(f"there is no {self.noun} {self.key()}")
        return row

    def record(self, row: Any) -> dict[str, Any]:
        """The wire record. Override."""
        raise NotImplementedError

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The record."""
        return Response(self.record(self.found()))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """A record carries its tag."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if request.method in {"GET", "PUT", "PATCH"} and answer.status_code == 200:
            record = getattr(response, "data", None)
            if isinstance(record, dict) and "ETag" not in answer.headers:
                answer.headers["ETag"] = self.tag(record)
        return answer

    def tag(self, record: dict[str, Any]) -> str:
        """The tag of a record (`etags`)."""
        return etags.etag_of(record, self.get_serializer_class() if self.serializer_class else None)

    def key(self, name: str = "id") -> uuid.UUID:
        """The UUID in the path. Raises NotFound."""
        try:
            return uuid.UUID(self.kwargs[name])
        except ValueError:
            raise NotFound(f"{self.kwargs[name][:80]!r} is not a UUID, so nothing has it as key") from None


class ChangeableEndpoint(DetailEndpoint):
    """Adds PUT and PATCH: both change what is sent and nothing else."""

    def change(self, row: Any, sent: dict[str, Any]) -> Any:
        """Call the service; returns the row as it is then. Override."""
        raise NotImplementedError

    def _changed(self) -> Response:
        asked = self.request.headers.get("If-Match")
        if asked is None:
            return Response(self.record(self.change(self.found(), self.sent(partial=True))))
        with transaction.atomic():
            etags.lock(self.found())
            row = self.found()  # as it is now that it is held
            tag = self.tag(self.record(row))
            if not etags.is_asked_for(asked, tag):
                raise etags.ChangedSince(
                    "somebody has changed this record since it was read; read it again", extra={"etag": tag}
                )
            return Response(self.record(self.change(row, self.sent(partial=True))))

    def put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the fields sent; absent ones keep their value."""
        return self._changed()

    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the fields sent."""
        return self._changed()
