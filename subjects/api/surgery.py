"""REST for surgeries. Keys of labs, places, people and procedures are UUIDs on this wire."""

import math
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from alyx.core.errors import Invalid, NotFound
from alyx.core.rest.fields import JsonField, KeyField, MomentField, NumberField, TextField
from alyx.core.rest.filters import (
    NUMBER,
    Filter,
    as_day,
    asked,
    contains,
    equals,
    is_key,
    json_is,
    split,
)
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from subjects.api.query_fields import SURGERIES
from subjects.models import Outcome, Subject, Surgery
from subjects.services.lookup import resolve_subject
from subjects.services.surgery import change_surgery


@extend_schema_serializer(component_name="Surgery")
class SurgeryRecord(serializers.Serializer[Any]):
    """A surgery."""

    id = serializers.UUIDField(read_only=True)
    subject = serializers.CharField(max_length=255)
    name = TextField(required=False)
    json = JsonField(required=False)
    narrative = TextField(required=False, max_length=None)
    start_time = MomentField(required=False, allow_null=True)
    end_time = MomentField(required=False, allow_null=True)
    outcome_type = serializers.ChoiceField(choices=Outcome.choices, required=False, allow_blank=True)
    implant_weight = NumberField(allow_null=True)
    lab = KeyField(required=False, allow_null=True)
    location = KeyField(required=False, allow_null=True)
    users = serializers.ListField(child=KeyField(), required=False)
    procedures = serializers.ListField(child=KeyField(), required=False)


def _key(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def _named_or_key(relation: str, lookup: str, column: str = "name") -> Filter:
    """Each of the comma-separated words is a key or a name of a related row."""

    def apply(rows: Any, value: str) -> QuerySet[Any]:
        for word in split(value):
            key = _key(word)
            asked_for = Q(**{relation: key}) if key else Q(**{f"{relation}__{column}__{lookup}": word})
            rows = rows.filter(pk__in=Surgery.objects.order_by().filter(asked_for).values("pk"))
        return rows  # type: ignore[no-any-return]

    return asked(apply, f"{column} or UUID")


def _of_subject(rows: Any, value: str) -> QuerySet[Any]:
    return rows.filter(subject__in=Subject.objects.named(value).values("pk"))  # type: ignore[no-any-return]


def _at(path: str) -> Filter:
    def apply(rows: Any, value: str) -> QuerySet[Any]:
        return rows.filter(**{path: datetime.fromisoformat(value).replace(tzinfo=None)})  # type: ignore[no-any-return]

    return Filter(apply, "exact time")


def _days(rows: Any, value: str) -> QuerySet[Any]:
    parts = split(value)
    if len(parts) != 2:
        raise ValueError(f"{value[:80]!r} is not from,to such as 2024-03-01,2024-03-31")
    first, last = (as_day(part) for part in parts)
    return rows.filter(  # type: ignore[no-any-return]
        started_wall__gte=datetime.combine(first, time.min), started_wall__lte=datetime.combine(last, time.max)
    )


def _weight(rows: Any, value: str) -> QuerySet[Any]:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value[:80]!r} is not a weight")
    return rows.filter(implant_weight_g=number)  # type: ignore[no-any-return]


FILTERS = {
    "id": is_key("id"),
    "subject": asked(_of_subject, "the nickname, ignoring case"),
    "nickname": asked(_of_subject, "the nickname, ignoring case"),
    "lab": _named_or_key("lab", "iexact"),
    "location": _named_or_key("location", "icontains"),
    "users": _named_or_key("users", "exact", "username"),
    "procedure": _named_or_key("procedures", "icontains"),
    "procedures": _named_or_key("procedures", "icontains"),
    "date_range": asked(_days, "from,to as dates, both inclusive"),
    "start_time": _at("started_wall"),
    "end_time": _at("ended_wall"),
    "outcome_type": equals("outcome_type"),
    "implant_weight": asked(_weight, "exact, in grams", NUMBER),
    "name": contains("name"),
    "narrative": contains("narrative"),
    "json": json_is("json", "json"),
}


class _Surgeries(Endpoint):
    serializer_class = SurgeryRecord
    queryset = (
        Surgery.objects.shown()
        .filter(subject__withdrawn_at__isnull=True)
        .select_related("subject__lab")
        .prefetch_related("users", "procedures")
        .order_by("-started_wall", "id")
    )

    def records(self, rows: Sequence[Surgery]) -> list[Any]:
        """Surgeries, in a constant number of queries."""
        return [
            {
                "id": row.pk,
                "subject": row.subject.nickname,
                "name": row.name,
                "json": row.json,
                "narrative": row.narrative,
                "start_time": row.started_wall,
                "end_time": row.ended_wall,
                "outcome_type": row.outcome_type,
                "implant_weight": row.implant_weight_g,
                "lab": row.lab_id,
                "location": row.location_id,
                "users": sorted(user.pk for user in row.users.all()),
                "procedures": sorted(procedure.pk for procedure in row.procedures.all()),
            }
            for row in rows
        ]


class SurgeryListView(_Surgeries, ListEndpoint):
    """`/surgeries`."""

    query_fields = SURGERIES
    filters = FILTERS


class SurgeryDetailView(_Surgeries, ChangeableEndpoint):
    """`/surgeries/{id}`."""

    lookup_field = "id"
    noun = "surgery"

    def record(self, row: Any) -> dict[str, Any]:
        """A surgery."""
        found: dict[str, Any] = self.records([row])[0]
        return found

    def change(self, row: Any, sent: dict[str, Any]) -> Any:
        """Apply what was sent; the same nickname says nothing new. A null lab is none: a surgery is of a lab."""
        nickname = sent.pop("subject", row.subject.nickname)
        if nickname.lower() != row.subject.nickname.lower():
            try:
                sent["subject"] = resolve_subject(actor=self.actor, nickname=nickname)
            except NotFound as error:
                raise Invalid.of("subject", error.detail) from None
        change_surgery(actor=self.actor, surgery=row, values=sent)
        return self.found()
