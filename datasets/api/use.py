"""`/downloads`, `/new-download`, `/data-notices`."""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.html import linebreaks
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid
from alyx.core.rest import fields
from alyx.core.rest.filters import as_uuid, asked, contains, equals, iequals, is_day, is_key, is_number
from alyx.core.rest.query_language import (
    QueryFields,
    day,
    instant,
    json_path,
    not_withdrawn,
    number,
    relation,
    text,
)
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from alyx.labs.query_fields import USERS
from datasets.api.query_fields import DATASETS
from datasets.api.wire import server_time
from datasets.models import DataNotice, Dataset, Download, Importance
from datasets.services.use import (
    AT_MOST,
    change_download,
    change_notice,
    count_downloads,
    post_notice,
    take_back_notice,
)


class DownloadRecord(serializers.Serializer[Any]):
    """How often somebody downloaded a dataset."""

    id = serializers.UUIDField(read_only=True)
    user = serializers.CharField(read_only=True)
    dataset = serializers.UUIDField(read_only=True)
    count = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    json = fields.JsonField(required=False)

    class Meta:
        ref_name = "Download"


def _json_contains(rows: Any, value: str) -> QuerySet[Any]:
    return rows.alias(json_text=Cast("json", TextField())).filter(json_text__icontains=value)  # type: ignore[no-any-return]


class _Downloads(Endpoint):
    serializer_class = DownloadRecord
    queryset = (
        Download.objects.filter(dataset__withdrawn_at__isnull=True).select_related("user").order_by("-updated_at", "id")
    )

    def record(self, row: Any) -> dict[str, Any]:
        """A counter on the wire."""
        return {
            "id": row.pk,
            "user": row.user.username,
            "dataset": row.dataset_id,
            "count": row.count,
            "json": row.json,
        }


class DownloadList(_Downloads, ListEndpoint):
    """`/downloads`."""

    query_fields = QueryFields(
        {
            "user": relation("user", USERS),
            "dataset": relation("dataset", DATASETS),
            "count": number("count"),
            "json": json_path("json"),
            "auto_datetime": instant("updated_at"),
        }
    )
    filters = {
        "user": iequals("user__username"),
        "dataset": is_key("dataset"),
        "dataset_type": contains("dataset__dataset_type__name"),
        "count": is_number("count"),
        "json": asked(_json_contains, "the JSON's text contains this, ignoring case"),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Counters."""
        return [self.record(row) for row in rows]


class DownloadDetail(_Downloads, ChangeableEndpoint):
    """`/downloads/{id}`."""

    lookup_field = "id"
    noun = "download"

    def change(self, row: Any, sent: dict[str, Any]) -> Download:
        """Apply what was sent."""
        return change_download(actor=self.actor, download=row, changes=sent)


class NewDownload(Endpoint):
    """`/new-download`."""

    pagination_class = None

    @extend_schema(request=None, responses={201: dict[str, Any]})
    def post(self, request: Request) -> Response:
        """`{datasets: id or [ids], projects: name or [names]}`; answers `{download: [ids], count: [numbers]}`."""
        data = self.body()
        keys, user = _listed(data, "datasets"), data.get("user") or ""
        try:
            datasets = [as_uuid(str(key)) for key in keys]
        except ValueError as error:
            raise Invalid.of("datasets", str(error)) from None
        if not isinstance(user, str):
            raise Invalid.of("user", "a user's name")
        projects = [str(name) for name in _listed(data, "projects")]
        rows = count_downloads(actor=self.actor, datasets=datasets, user=user, projects=projects)
        return Response({"download": [row.pk for row in rows], "count": [row.count for row in rows]}, status=201)


def _listed(data: dict[str, Any], name: str) -> list[Any]:
    value = data.get(name) or []
    return value if isinstance(value, list) else [value]


class ImportanceField(serializers.ChoiceField):
    """A number, or its name."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the choices."""
        for one in Importance:
            if str(data).strip().lower() in {one.label, str(one.value)}:
                return one.value
        choices = ", ".join(f"{one.value} ({one.label})" for one in Importance)
        raise serializers.ValidationError(f"{str(data)[:80]!r} is not one of {choices}")


class DataNoticeRecord(serializers.Serializer[Any]):
    """Something users of some datasets have to know."""

    id = serializers.UUIDField(read_only=True)
    created_by = serializers.CharField(max_length=150, required=False, allow_null=True, allow_blank=True)
    datasets = serializers.ListField(child=fields.KeyField(), required=False, max_length=AT_MOST)
    description_html = serializers.CharField(read_only=True)
    name = fields.TextField(required=False)
    json = fields.JsonField(required=False)
    description = fields.TextField(required=False, max_length=None)
    importance = ImportanceField(choices=Importance.choices, required=False)
    created_datetime = fields.MomentField(read_only=True)
    version_affected = fields.TextField(required=False)
    affected_date_start = serializers.DateField(required=False, allow_null=True, source="from_on")
    affected_date_end = serializers.DateField(required=False, allow_null=True, source="to_on")

    class Meta:
        ref_name = "DataNotice"


def _importance(value: Any) -> int:
    try:
        return int(ImportanceField(choices=Importance.choices).to_internal_value(value))
    except serializers.ValidationError as error:
        raise ValueError(" ".join(map(str, error.detail))) from None


_SHOWN = Dataset.objects.filter(withdrawn_at__isnull=True)


class _Notices(Endpoint):
    serializer_class = DataNoticeRecord

    def rows(self) -> QuerySet[Any]:
        """The important first, then the newest, with the keys of their datasets."""
        keys = ArraySubquery(_SHOWN.filter(notices=OuterRef("pk")).order_by("id").values("pk"))
        rows = DataNotice.objects.select_related("created_by").annotate(dataset_keys=keys)
        return rows.order_by("-importance", "-created_at", "id")

    def record(self, row: Any) -> dict[str, Any]:
        """A notice on the wire."""
        return {
            "id": row.pk,
            "created_by": row.created_by.username if row.created_by else None,
            "datasets": row.dataset_keys,
            "description_html": linebreaks(row.description, autoescape=True),
            "name": row.name,
            "json": row.json,
            "description": row.description,
            "importance": row.importance,
            "created_datetime": server_time(row.created_at),
            "version_affected": row.version_affected,
            "affected_date_start": row.from_on,
            "affected_date_end": row.to_on,
        }


class DataNoticeList(_Notices, ListEndpoint):
    """`/data-notices`."""

    query_fields = QueryFields(
        {
            "name": text("name"),
            "description": text("description"),
            "importance": number("importance"),
            "version_affected": text("version_affected"),
            "affected_date_start": day("from_on"),
            "affected_date_end": day("to_on"),
            "created_datetime": instant("created_at"),
            "created_by": relation("created_by", USERS),
            "datasets": relation("datasets", DATASETS, many=True, only=not_withdrawn),
            "json": json_path("json"),
        }
    )
    filters = {
        "name": contains("name"),
        "created_by": iequals("created_by__username"),
        "datasets": is_key("datasets", many=True),
        "dataset_tag": equals("datasets__tags__name", many=True),
        "importance": asked(
            lambda rows, value: rows.filter(importance=_importance(value)),
            ", ".join(f"{one.value} ({one.label})" for one in Importance),
        ),
        "version_affected": equals("version_affected"),
        "affected_date_start": is_day("from_on"),
        "affected_date_end": is_day("to_on"),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Notices."""
        return [self.record(row) for row in rows]

    def post(self, request: Request) -> Response:
        """A new notice."""
        made = post_notice(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(self.get_queryset().get(pk=made.pk)), status=201)


class DataNoticeDetail(_Notices, ChangeableEndpoint):
    """`/data-notices/{id}`."""

    lookup_field = "id"
    noun = "notice"

    def change(self, row: Any, sent: dict[str, Any]) -> Any:
        """Apply what was sent."""
        change_notice(actor=self.actor, notice=row, changes=sent)
        return self.found()

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Remove the notice."""
        take_back_notice(actor=self.actor, notice=self.found())
        return Response(status=204)
