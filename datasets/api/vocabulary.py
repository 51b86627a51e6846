"""`/dataset-types`, `/data-formats`, `/revisions`, `/tags`, `/data-repository-type`."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.filters import equals
from alyx.core.rest.names import in_path
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from alyx.labs.models import User
from datasets.api import serializers
from datasets.api.wire import server_time
from datasets.models import DataFormat, DatasetType, RepositoryType, Revision, Tag
from datasets.services.vocabulary import add_word, change_word, remove_word


class _Words(Endpoint):
    is_public = True
    model: ClassVar[type[Any]]

    def values(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Columns of what was sent. Override where they differ."""
        return sent

    def record(self, row: Any) -> dict[str, Any]:
        """The wire record. Override."""
        raise NotImplementedError


class _WordList(_Words, ListEndpoint):
    def records(self, rows: Sequence[Any]) -> list[Any]:
        """The words."""
        return [self.record(row) for row in rows]

    def post(self, request: Request) -> Response:
        """A new word."""
        row = add_word(actor=self.actor, model=self.model, values=self.values(self.sent(partial=False)))
        return Response(self.record(row), status=201)


class _WordDetail(_Words, ChangeableEndpoint):
    lookup_field = "name"

    def found(self) -> Any:
        """The word in the path."""
        return in_path(self.get_queryset(), self.kwargs["name"], what=str(self.model._meta.verbose_name))

    def change(self, row: Any, sent: dict[str, Any]) -> Any:
        """Apply what was sent."""
        return change_word(actor=self.actor, word=row, changes=self.values(sent))

    def delete(self, request: Request, name: str) -> Response:
        """Remove a word that nothing uses."""
        remove_word(actor=self.actor, word=self.found())
        return Response(status=204)


class _Types(_Words):
    model = DatasetType
    queryset = DatasetType.objects.select_related("created_by").order_by("name")
    serializer_class = serializers.DatasetType

    def values(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The creator by name; an unknown one is nobody."""
        columns = dict(sent)
        if "created_by" in columns:
            columns["created_by"] = User.objects.filter(username=columns["created_by"] or "").first()
        return columns

    def record(self, row: Any) -> dict[str, Any]:
        """A type on the wire; the pattern is never null."""
        return {
            "id": row.pk,
            "name": row.name,
            "created_by": row.created_by.username if row.created_by else None,
            "description": row.description,
            "filename_pattern": row.filename_pattern or "",
        }


class DatasetTypeList(_Types, _WordList):
    """`/dataset-types`."""

    filters = {"name": equals("name")}


class DatasetTypeDetail(_Types, _WordDetail):
    """`/dataset-types/{name}`."""


class _Formats(_Words):
    model = DataFormat
    queryset = DataFormat.objects.order_by("name")
    serializer_class = serializers.DataFormat

    def record(self, row: Any) -> dict[str, Any]:
        """A format on the wire."""
        return {
            "id": row.pk,
            "json": row.json,
            "name": row.name,
            "description": row.description,
            "file_extension": row.file_extension,
            "matlab_loader_function": row.matlab_loader_function,
            "python_loader_function": row.python_loader_function,
        }


class DataFormatList(_Formats, _WordList):
    """`/data-formats`."""


class DataFormatDetail(_Formats, _WordDetail):
    """`/data-formats/{name}`."""


class _Revisions(_Words):
    model = Revision
    queryset = Revision.objects.order_by("name")
    serializer_class = serializers.Revision

    def record(self, row: Any) -> dict[str, Any]:
        """A revision on the wire."""
        return {
            "id": row.pk,
            "json": row.json,
            "name": row.name,
            "description": row.description,
            "created_datetime": server_time(row.created_at),
        }


class RevisionList(_Revisions, _WordList):
    """`/revisions`."""

    filters = {"name": equals("name")}


class RevisionDetail(_Revisions, _WordDetail):
    """`/revisions/{name}`."""


class _Tags(_Words):
    model = Tag
    queryset = Tag.objects.order_by("name")
    serializer_class = serializers.Tag

    def record(self, row: Any) -> dict[str, Any]:
        """A tag on the wire; ibllib reads `is_protected`."""
        return {
            "id": row.pk,
            "json": row.json,
            "name": row.name,
            "description": row.description,
            "protected": row.protected,
            "public": row.public,
            "hash": row.hash or None,
            "is_protected": row.protected,
        }


class TagList(_Tags, _WordList):
    """`/tags`."""

    filters = {"name": equals("name")}


class TagDetail(_Tags, _WordDetail):
    """`/tags/{name}`."""


class _RepositoryTypes(_Words):
    model = RepositoryType
    queryset = RepositoryType.objects.order_by("name")
    serializer_class = serializers.DataRepositoryType

    def record(self, row: Any) -> dict[str, Any]:
        """A type of repository on the wire."""
        return {"url": self.link("data-repository-type", row.name), "json": row.json, "name": row.name}


class RepositoryTypeList(_RepositoryTypes, _WordList):
    """`/data-repository-type`."""


class RepositoryTypeDetail(_RepositoryTypes, _WordDetail):
    """`/data-repository-type/{name}`."""
