"""`/tasks`: what local servers make, poll, and report on. A task names the repository of the server that runs it, so its
endpoint stands here; the task itself is the sessions' (`sessions.services.task`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet, Subquery
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.clock import server_zone
from alyx.core.errors import NotFound
from alyx.core.rest.fields import JsonField, KeyField, MomentField, NumberField, TextField
from alyx.core.rest.filters import (
    NUMBER,
    Filter,
    as_uuid,
    asked,
    contains,
    equals,
    iequals,
    is_key,
    is_number,
    json_is,
    split,
)
from alyx.core.rest.names import by_name
from alyx.core.rest.query_language import Keyed, Refused
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from datasets.api.query_fields import REPOSITORIES
from datasets.models import Repository
from sessions.api.query_fields import TASKS, task_status
from sessions.models import Task, TaskStatus
from sessions.services.task import change_task, create_task, withdraw_task

LEAST, MOST = -(2**15), 2**15 - 1
_COLUMNS = (
    *("id", "name", "priority", "io_charge", "level", "gpu", "cpu", "ram", "time_out_secs", "time_elapsed_secs"),
    *("executable", "graph", "status", "log", "session", "version", "updated_at", "arguments"),
    *("repository_name", "parent_keys"),
)
_NULL_IF_EMPTY = ("name", "executable", "graph", "log", "version")


@extend_schema_field(OpenApiTypes.STR)
class StatusField(serializers.Field[int, Any, str, Any]):
    """A status by name, ignoring case, or by number."""

    def to_internal_value(self, data: Any) -> int:
        """Raises ValidationError naming the statuses."""
        try:
            return task_status(data)
        except Refused as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: int) -> str:
        """Its name."""
        return TaskStatus(value).label


class TaskRecord(serializers.Serializer[Any]):
    """A step of a pipeline."""

    id = serializers.UUIDField(read_only=True)
    parents = serializers.ListField(child=KeyField(), required=False, allow_null=True, max_length=1000)
    session = KeyField(required=False, allow_null=True)
    data_repository = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    status = StatusField(required=False)
    name = TextField(required=False, max_length=64)
    priority = serializers.IntegerField(required=False, allow_null=True, min_value=LEAST, max_value=MOST)
    io_charge = serializers.IntegerField(required=False, allow_null=True, min_value=LEAST, max_value=MOST)
    level = serializers.IntegerField(required=False, allow_null=True, min_value=LEAST, max_value=MOST)
    gpu = serializers.IntegerField(required=False, allow_null=True, min_value=LEAST, max_value=MOST)
    cpu = serializers.IntegerField(required=False, allow_null=True, min_value=LEAST, max_value=MOST)
    ram = serializers.IntegerField(required=False, allow_null=True, min_value=LEAST, max_value=MOST)
    time_out_secs = serializers.IntegerField(required=False, allow_null=True, min_value=LEAST, max_value=MOST)
    time_elapsed_secs = NumberField(required=False, allow_null=True)
    executable = TextField(required=False, max_length=128)
    graph = TextField(required=False, max_length=64)
    log = TextField(required=False, max_length=None)
    version = TextField(required=False, max_length=64)
    datetime = MomentField(read_only=True)
    arguments = JsonField(required=False)

    class Meta:
        ref_name = "Task"


def _repository(rows: Any, value: str) -> QuerySet[Any]:
    return rows.filter(repository_id__in=Repository.objects.filter(name=value).values("pk"))  # type: ignore[no-any-return]


def _changed(rows: Any, value: str) -> QuerySet[Any]:
    moment = datetime.fromisoformat(value)
    return rows.filter(updated_at=moment if moment.tzinfo else moment.replace(tzinfo=server_zone()))  # type: ignore[no-any-return]


def _with_parents(rows: Any, value: str) -> QuerySet[Any]:
    keys = [as_uuid(word) for word in split(value)]
    return rows.filter(pk__in=Task.objects.filter(parents__in=keys).order_by().values("pk"))  # type: ignore[no-any-return]


FILTERS: dict[str, Filter] = {
    "id": is_key("id"),
    "name": equals("name"),
    "status": asked(lambda rows, value: rows.filter(status=task_status(value)), "name, ignoring case, or number"),
    "session": is_key("session"),
    "lab": iequals("session__lab__name"),
    "data_repository": asked(_repository, "name of the repository whose server runs it"),
    "graph": equals("graph"),
    "executable": equals("executable"),
    "version": equals("version"),
    "arguments": json_is("arguments", "arguments"),
    "log": contains("log"),
    "parents": asked(_with_parents, "waits for one of these tasks, comma separated UUIDs"),
    "datetime": asked(_changed, "exact time of the last change"),
    "time_elapsed_secs": asked(lambda rows, value: rows.filter(time_elapsed_secs=float(value)), "exact", NUMBER),
    **{
        name: is_number(name, LEAST, MOST)
        for name in ("cpu", "gpu", "io_charge", "level", "priority", "ram", "time_out_secs")
    },
}
TASKS_OF_REPOSITORIES = TASKS.plus({"data_repository": Keyed("repository_id", Repository.objects.all, REPOSITORIES)})


class _Tasks(Endpoint):
    serializer_class = TaskRecord

    def rows(self) -> QuerySet[Any]:
        """Those not withdrawn, nor of a withdrawn session: low levels first, urgent first, then the newest sessions'."""
        return Task.objects.filter(
            Q(session__isnull=True) | Q(session__withdrawn_at__isnull=True), withdrawn_at__isnull=True
        ).order_by("level", "-priority", "-session__started_wall", "id")

    def sent(self, *, partial: bool) -> dict[str, Any]:
        """The checked fields, the repository as its key. Raises Invalid naming the nearest repositories."""
        fields = super().sent(partial=partial)
        if "data_repository" in fields:
            name = fields.pop("data_repository")
            fields["repository_id"] = (
                by_name(Repository.objects.all(), name, field="data_repository", what="repository").pk if name else None
            )
        if fields.get("parents", ()) is None:
            fields["parents"] = []
        return fields

    def records(self, rows: Any) -> list[Any]:
        """Tasks on the wire; one query whatever their number."""
        return [_record(row) for row in rows]

    def shown(self, rows: QuerySet[Any]) -> QuerySet[Any, Any]:
        """What `records` reads."""
        shown: QuerySet[Any, Any] = rows.annotate(
            repository_name=Subquery(Repository.objects.filter(pk=OuterRef("repository_id")).values("name")[:1]),
            parent_keys=ArraySubquery(
                Task.objects.filter(children=OuterRef("pk"), withdrawn_at__isnull=True).order_by("id").values("pk")
            ),
        ).values(*_COLUMNS)
        return shown

    def one(self, key: UUID) -> dict[str, Any]:
        """One record. Raises NotFound."""
        row = self.shown(self.get_queryset().filter(pk=key)).first()
        if row is None:
            raise NotFound(f"there is no task {key}")
        return _record(row)


def _record(row: Any) -> dict[str, Any]:
    record: dict[str, Any] = dict(row)
    for name in _NULL_IF_EMPTY:
        record[name] = record[name] or None
    record["status"] = TaskStatus(record["status"]).label
    record["datetime"] = record.pop("updated_at")
    record["data_repository"] = record.pop("repository_name")
    record["parents"] = record.pop("parent_keys")
    return record


class TaskListView(_Tasks, ListEndpoint):
    """`/tasks`: level ascending, priority descending, newest session first."""

    query_fields = TASKS_OF_REPOSITORIES
    filters = FILTERS

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The filters, and the columns of the record."""
        return self.shown(super().filter_queryset(queryset))

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Tasks."""
        return super().records(rows)

    def post(self, request: Request) -> Response:
        """A new task; a second one of this name and these arguments in the session is a 400."""
        made = create_task(actor=self.actor, values=self.sent(partial=False))
        return Response(self.one(made.pk), status=201)


class TaskDetailView(_Tasks, ChangeableEndpoint):
    """`/tasks/{id}`."""

    lookup_field = "id"
    noun = "task"

    def record(self, row: Any) -> dict[str, Any]:
        """A task."""
        return self.one(row.pk)

    def change(self, row: Any, sent: dict[str, Any]) -> Task:
        """Apply what was sent."""
        return change_task(actor=self.actor, task=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw the task."""
        withdraw_task(actor=self.actor, task=self.found())
        return Response(status=204)
