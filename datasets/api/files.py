"""`/files`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.filters import BOOLEAN, asked, equals, is_key
from alyx.core.rest.text_pages import TextPages
from alyx.core.rest.views import ChangeableEndpoint, Endpoint
from datasets.api import serializers
from datasets.api.filters import copy_exists, personal
from datasets.api.query_fields import FILES
from datasets.models import FileRecord
from datasets.queries import files_json
from datasets.rules.copies import HIDDEN
from datasets.services.files import add_file, change_file, withdraw_file


class _Files(Endpoint):
    is_public = True
    serializer_class = serializers.FileRecord

    def rows(self) -> QuerySet[Any]:
        """Those that clients see. A withdrawn dataset's are withdrawn, so the dataset need not be asked."""
        rows: QuerySet[Any] = FileRecord.objects.exclude(state__in=sorted(HIDDEN)).order_by("id")
        return rows

    def record(self, row: Any) -> dict[str, Any]:
        """One record."""
        [record] = orjson.loads(files_json([row.pk], base=self.base_url))
        return dict(record)


class FileList(_Files, TextPages):
    """`/files`."""

    query_fields = FILES
    filters = {
        "id": is_key("id"),
        "dataset": is_key("dataset"),
        "data_repository": equals("repository__name"),
        "exists": asked(copy_exists, "the current bytes are there", BOOLEAN),
        "globus_is_personal": personal("repository__role"),
        "lab": equals("dataset__session__lab__name"),
        "name": equals("dataset__name"),
        "relative_path": equals("relative_path"),
    }

    def text(self, ids: Sequence[UUID]) -> str:
        """File records."""
        return files_json(ids, base=self.base_url)

    def post(self, request: Request) -> Response:
        """A copy of a dataset at a repository: there with `exists`, else expected."""
        return Response(self.record(add_file(actor=self.actor, values=self.sent(partial=False))), status=201)


class FileDetail(_Files, ChangeableEndpoint):
    """`/files/{id}`."""

    lookup_field = "id"
    noun = "file record"

    def change(self, row: Any, sent: dict[str, Any]) -> FileRecord:
        """Apply what was sent."""
        return change_file(actor=self.actor, record=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Take the record back; bytes and history stay."""
        withdraw_file(actor=self.actor, record=self.found())
        return Response(status=204)
