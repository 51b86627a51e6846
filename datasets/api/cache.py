"""`/cache/info`, `/cache.zip`: the tables from which ONE searches by itself."""

import os
from typing import IO, Any
from uuid import UUID

from django.db.models import Q
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import NotFound
from alyx.core.reading import readable
from alyx.core.rest.views import Endpoint
from alyx.core.tasks import enqueue_on_commit
from datasets.api.sending import send_file
from datasets.exports.cache_tables import Scope, build, info_of, is_fresh, is_small, published
from datasets.models import Tag
from datasets.tasks import build_cache_tables

RETRY_AFTER_S = 60


class CacheInformation(serializers.Serializer[Any]):
    """When the tables were made, where from, and where they are."""

    date_created = serializers.CharField()
    origin = serializers.CharField()
    min_api_version = serializers.CharField()
    tables = serializers.DictField(help_text="by table: rows (`nrecs`) and bytes (`size`)")
    database_tags = serializers.ListField(child=serializers.CharField(), required=False)
    location = serializers.CharField(help_text="address of the zip")


class NotBuilt(APIException):
    """The tables of a large registry are made by a job; clients go on without them."""

    status_code = 503
    default_detail = "the cache tables are being made; ask again in a minute, and search the server meanwhile"
    wait = RETRY_AFTER_S - 1


class _Tables(Endpoint):
    is_public = True
    bounded_in_time = False  # small tables are made while the caller waits

    def scope(self) -> Scope:
        """What was asked for, as far as this caller may know it. Raises NotFound for an unknown tag."""
        name = self.kwargs.get("tag", "").rstrip("/")
        seen = readable(self.actor, Tag.objects.all())
        if not name:
            return Scope.of(self.actor)
        named = Q(name=name) | Q(pk=_as_key(name))
        tag = None if "\x00" in name else seen.filter(named).order_by("name").first()
        if tag is None:
            raise NotFound(f"there is no tag {name[:255]!r}")
        return Scope.of(self.actor, tag)

    def tables(self, scope: Scope) -> IO[bytes]:
        """The open zip, made now when it never was and that takes seconds. Raises NotBuilt."""
        if not is_fresh(scope):
            if is_small():
                build(scope)
            else:
                enqueue_on_commit(build_cache_tables, scope.message)
        try:
            return scope.file.open("rb")
        except FileNotFoundError:
            raise NotBuilt from None


def _as_key(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


class CacheInfo(_Tables):
    """`/cache/info/`."""

    serializer_class = CacheInformation

    def get(self, request: Request, tag: str = "") -> Response:
        """What the tables of all datasets, or of those with a tag, say about themselves."""
        scope = self.scope()
        with self.tables(scope) as file:
            info = info_of(file)
        if info is None:  # damaged behind our back: made anew
            scope.file.unlink(missing_ok=True)
            with self.tables(scope) as file:
                info = info_of(file) or {}
        info.pop("fingerprint", None)
        name = f"cache/{scope.tag.pk}.zip" if scope.tag else "cache.zip"
        return Response({**info, "location": published(scope) or f"{self.base_url}/{name}"})


@extend_schema(exclude=True)
class CacheInfoOfTag(CacheInfo):
    """`/cache/info`, `/cache/info/{tag}`: the schema names the first only, as its clients know it."""


class CacheZip(_Tables):
    """`/cache.zip`."""

    @extend_schema(responses={200: OpenApiTypes.BINARY})
    def get(self, request: Request, tag: str = "") -> HttpResponseBase:
        """The tables themselves."""
        scope = self.scope()
        with self.tables(scope) as file:
            handle = os.dup(file.fileno())
        found = os.fstat(handle)
        return send_file(
            request._request,  # noqa: SLF001  (Django's own request, whose headers and method it is)
            handle,
            path=str(scope.file.resolve()),
            tag=f'"{found.st_mtime_ns:x}-{found.st_size:x}"',
        )


@extend_schema(exclude=True)
class CacheZipOfTag(CacheZip):
    """`/cache/{tag}.zip` (name or UUID)."""
