"""`/datasets`."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import NotFound
from alyx.core.reading import readable
from alyx.core.rest.filters import (
    BOOLEAN,
    asked,
    contains,
    equals,
    is_day,
    is_key,
    is_number,
    is_true,
    matches_nothing,
    qc_is,
)
from alyx.core.rest.text_pages import TextPages
from alyx.core.rest.views import ChangeableEndpoint, DetailEndpoint, Endpoint
from datasets.api import serializers
from datasets.api.filters import any_tag, created, exists_on_server, of_insertion, of_subject, tagged
from datasets.api.query_fields import DATASETS
from datasets.models import Dataset
from datasets.queries import copies_of, datasets_json
from datasets.services.datasets import change_dataset, create_dataset
from datasets.services.withdrawal import withdraw_dataset


class _Datasets(Endpoint):
    is_public = True
    serializer_class = serializers.Dataset

    def rows(self) -> QuerySet[Any]:
        """Those not withdrawn, newest first."""
        rows: QuerySet[Any] = Dataset.objects.shown().order_by("-created_at", "id")
        return rows

    def record(self, row: Any) -> dict[str, Any]:
        """One record: that of the list without `protected` and `public`."""
        [record] = json.loads(datasets_json([row.pk], base=self.base_url))
        return {name: value for name, value in record.items() if name not in {"protected", "public"}}


class DatasetList(_Datasets, TextPages):
    """`/datasets`."""

    query_fields = DATASETS
    filters = {
        "id": is_key("id"),
        "name": equals("name"),
        "collection": equals("collection"),
        "session": is_key("session"),
        "subject": asked(of_subject, "nickname of the animal"),
        "lab": equals("session__lab__name"),
        "date": is_day("session__path_date"),
        "experiment_number": is_number("session__number"),
        "created_by": equals("created_by__username"),
        "created_date": created("exact"),
        "created_date_gte": created("gte"),
        "created_date_lte": created("lte"),
        "created_datetime": created("exact"),
        "auto_datetime": is_day("updated_at__date"),
        "dataset_type": equals("dataset_type__name"),
        "data_format": equals("data_format__name"),
        "default_dataset": is_true("is_default"),
        "exists": asked(exists_on_server, "on a server repository", BOOLEAN),
        "file_size": is_number("size_bytes", 0, 2**63 - 1),
        "generating_software": equals("generating_software"),
        "hash": equals("md5"),
        "md5": equals("md5"),
        "version": equals("software_version"),
        "content_type": equals("content_type__model"),
        "object_id": is_key("object_id"),
        "probe_insertion": asked(of_insertion, "id or name of the insertion"),
        "protected": tagged("protected"),
        "public": tagged("public"),
        "provenance_directory": matches_nothing("this server keeps no provenance directories"),
        "qc": qc_is("qc"),
        "revision": equals("revision__name"),
        "tag": contains("tags__name", many=True),
        "tags": asked(any_tag, "one of these names"),
    }

    def text(self, ids: Sequence[UUID]) -> str:
        """Dataset records."""
        return datasets_json(ids, base=self.base_url)

    def post(self, request: Request) -> Response:
        """A dataset without copies; of one that is there, what was sent changes."""
        made = create_dataset(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(made), status=201)


class DatasetDetail(_Datasets, ChangeableEndpoint):
    """`/datasets/{id}`."""

    lookup_field = "id"
    noun = "dataset"

    def change(self, row: Any, sent: dict[str, Any]) -> Dataset:
        """Apply what was sent."""
        return change_dataset(actor=self.actor, dataset=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw the dataset: gone from every answer, bytes and history kept."""
        withdraw_dataset(actor=self.actor, dataset=self.found())
        return Response(status=204)


class DatasetCopies(DetailEndpoint):
    """`/datasets/{id}/copies`: every copy with its evidence."""

    pagination_class = None

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The copies, withdrawn and removed ones included."""
        if not readable(self.actor, Dataset.objects.shown().filter(pk=self.key())).exists():
            raise NotFound(f"there is no dataset {self.key()}")
        return Response(copies_of(self.key()))
