"""Query parameters of list endpoints: declared by name, validated, documented; unknown ones are ignored.

Declare them on a view (`alyx.core.rest.views.ListEndpoint`)::

    filters = {
        "name": equals("name"),
        "lab": iequals("lab__name"),
        "projects": contains("projects__name", many=True),
        "date_range": day_range("path_date"),
        "exists": asked(lambda rows, value: …, "on a server repository", kind=BOOLEAN),
    }
    query_fields = DATASETS        # for django=, see query_language

An empty value is as good as none. A value that cannot be understood is a 400 naming the parameter.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from alyx.core.errors import Forbidden, Invalid
from alyx.core.json_column import check_text
from alyx.core.qc import QC
from alyx.core.reading import reach_of
from alyx.core.rest.query_grammar import QuerySyntaxError, parse_query
from alyx.core.rest.query_language import Refused, apply_json_query, apply_query, truth

Rows = QuerySet[Any]
Schema = dict[str, Any]
STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
UUID: Schema = {"type": "string", "format": "uuid"}
DATE: Schema = {"type": "string", "format": "date"}


@dataclass(frozen=True)
class Filter:
    """What a parameter does to the rows. `apply` raises ValueError, with a sentence, for a value it cannot read."""

    apply: Callable[[Rows, str], Rows]
    description: str = ""
    kind: Schema = field(default_factory=lambda: STRING)


Filters = Mapping[str, Filter]


class DeclaredFilters(BaseFilterBackend):
    """Applies a view's `filters` and `query_fields`."""

    def filter_queryset(self, request: Request, queryset: Rows, view: APIView) -> Rows:
        """The rows asked for. Raises Invalid naming the parameter."""
        filters: Filters = getattr(view, "filters", {})
        fields = getattr(view, "query_fields", None)
        for name in request.query_params:
            value = str(request.query_params[name])
            if not value.strip():
                continue
            if reach_of(request.user).is_public and (name in filters or name == "django"):
                _refuse_what_is_not_public(name, value)
            if name == "django" and fields is not None:
                queryset = apply_query(queryset, value, fields)
            elif declared := filters.get(name):
                queryset = _apply(declared, name, queryset, value)
        return queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[Schema]:
        """For the OpenAPI document."""
        filters: dict[str, Filter] = dict(getattr(view, "filters", {}))
        if getattr(view, "query_fields", None) is not None:
            filters["django"] = Filter(lambda rows, _: rows, "field__lookup,value pairs; ~ excludes; lists in brackets")
        return [
            {"name": name, "in": "query", "required": False, "description": one.description, "schema": dict(one.kind)}
            for name, one in sorted(filters.items())
        ]


_SHOWN = [
    "pk",
    "id",
    "name",
    "subject",
    "nickname",
    "lab",
    "date",
    "date_range",
    "start_time",
    "number",
    "experiment_number",
]
_SHOWN += [
    "task_protocol",
    "project",
    "projects",
    "type",
    "session",
    "dataset",
    "dataset_type",
    "data_format",
    "collection",
]
_LOOKUPS = ["exact", "iexact", "contains", "icontains", "startswith", "in", "gte", "lte", "gt", "lt", "isnull"]
PUBLIC_WORDS = frozenset([*_SHOWN, "revision", *_LOOKUPS])
"""What a public account may search by: what it is shown of each record. More would let it guess what it is not shown."""


def _refuse_what_is_not_public(name: str, value: str) -> None:
    """Raises Forbidden."""
    try:
        paths = [term.path for term in parse_query(value)] if name == "django" else [name]
    except QuerySyntaxError as error:
        raise Invalid.of(name, str(error)) from None
    for word in {word for path in paths for word in path.split("__")} - PUBLIC_WORDS:
        raise Forbidden(
            f"a public account cannot search by {word[:80]!r} here; the cache tables (local mode) hold all of it that is public"
        )


def _apply(declared: Filter, name: str, queryset: Rows, value: str) -> Rows:
    try:
        check_text(value)
        return declared.apply(queryset, value.strip())
    except (ValueError, Refused) as error:
        raise Invalid.of(name, str(error)) from None


def asked(apply: Callable[[Rows, str], Rows], description: str = "", kind: Schema = STRING) -> Filter:
    """A filter of its own."""
    return Filter(apply, description, kind)


def _narrow(rows: Rows, condition: dict[str, Any], many: bool) -> Rows:
    """Filter without doubling rows."""
    if many:
        return rows.filter(pk__in=rows.model._base_manager.order_by().filter(**condition).values("pk"))
    return rows.filter(**condition)


def equals(path: str, *, many: bool = False) -> Filter:
    """Exactly this text."""
    return Filter(lambda rows, value: _narrow(rows, {path: value}, many), "exact")


def iequals(path: str, *, many: bool = False) -> Filter:
    """This text, ignoring case."""
    return Filter(lambda rows, value: _narrow(rows, {f"{path}__iexact": value}, many), "ignoring case")


def contains(path: str, *, many: bool = False) -> Filter:
    """Text that contains this, ignoring case."""
    return Filter(lambda rows, value: _narrow(rows, {f"{path}__icontains": value}, many), "contains, ignoring case")


def every(path: str) -> Filter:
    """Each of the comma-separated names is among the related rows."""

    def apply(rows: Rows, value: str) -> Rows:
        for name in split(value):
            rows = _narrow(rows, {path: name}, many=True)
        return rows

    return Filter(apply, "every name listed, comma separated")


def is_true(path: str, *, many: bool = False) -> Filter:
    """True or False."""
    return Filter(lambda rows, value: _narrow(rows, {path: truth(value)}, many), kind=BOOLEAN)


def is_number(path: str, least: int = -(2**31), most: int = 2**31 - 1) -> Filter:
    """This whole number; leading zeros are fine."""

    def apply(rows: Rows, value: str) -> Rows:
        number = whole_number(value)
        return rows.filter(**{path: number}) if least <= number <= most else rows.none()

    return Filter(apply, kind=NUMBER)


def is_key(path: str, *, many: bool = False) -> Filter:
    """The row with this UUID; a URL that ends in it is fine."""
    return Filter(lambda rows, value: _narrow(rows, {path: as_uuid(value)}, many), kind=UUID)


def is_day(path: str) -> Filter:
    """This date."""
    return Filter(lambda rows, value: rows.filter(**{path: as_day(value)}), kind=DATE)


def day_range(path: str) -> Filter:
    """`from,to`, both inclusive; dates beyond the calendar of the database are its ends."""

    def apply(rows: Rows, value: str) -> Rows:
        parts = split(value)
        if len(parts) != 2:
            raise ValueError(f"{value[:80]!r} is not from,to such as 2024-03-01,2024-03-31")
        return rows.filter(**{f"{path}__gte": as_day(parts[0]), f"{path}__lte": as_day(parts[1])})

    return Filter(apply, "from,to as dates, both inclusive")


def json_is(path: str, parameter: str) -> Filter:
    """`key__gte,0.5,other,True` on a JSON column."""
    return Filter(
        lambda rows, value: apply_json_query(rows, value, path, parameter=parameter), "key__lookup,value pairs"
    )


def qc_is(path: str) -> Filter:
    """A QC name or number."""
    return Filter(lambda rows, value: rows.filter(**{path: int(QC.parse(value))}), ", ".join(QC.names))


def matches_nothing(reason: str) -> Filter:
    """A filter on records this server does not hold yet: whoever asks for it gets none."""
    return Filter(lambda rows, value: rows.none(), reason)


def split(value: str) -> list[str]:
    """Comma-separated words."""
    return [word.strip() for word in value.split(",") if word.strip()]


def whole_number(value: str) -> int:
    """Raises ValueError with a sentence."""
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{value[:80]!r} is not a whole number") from None


def as_uuid(value: str) -> uuid.UUID:
    """Raises ValueError with a sentence."""
    try:
        return uuid.UUID(value.rstrip("/")[-36:])
    except ValueError:
        raise ValueError(f"{value[:80]!r} is not a UUID") from None


def as_day(value: str) -> date:
    """The date at the front of an ISO text; a year beyond 9999 or before 1 is the calendar's end. Raises ValueError."""
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        pass
    year, _, rest = value.lstrip("+-").partition("-")
    if year.isdigit() and rest and (len(year) > 4 or value.startswith("-") or year == "0000"):
        return date.min if value.startswith("-") or not int(year) else date.max
    raise ValueError(f"{value[:80]!r} is not a date such as 2024-03-01")
