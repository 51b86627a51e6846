"""What `django=` may ask: a declared list of fields per endpoint, and how each becomes a condition.

Declare the fields of an endpoint by their wire names; what is not declared cannot be reached::

    DATASETS = QueryFields({
        "name": text("name"),
        "qc": number("qc", convert=qc_value),
        "created_datetime": instant("created_at"),
        "json": json_path("json"),
        "session": relation("session", lambda: SESSIONS),          # session__subject__nickname__iexact,…; session,<uuid>
        "tags": relation("tags", TAGS, many=True),
        "file_records": relation("file_records", lambda: FILES, many=True),
        "exists": computed(lambda prefix, value: Q(**{f"{prefix}state__in": …}) …),   # a boolean our tables do not hold
    })
    queryset = apply_query(queryset, request.query_params["django"], DATASETS)

`id` and `pk` need no declaration. Everything unknown raises Invalid (400) naming the nearest allowed word. Conditions on
one call's `many` relations hold for the same related row. Rows are never doubled. Each view takes its declaration as
`query_fields` (see `alyx.core.rest.views`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from operator import and_
from typing import Any

from django.db.models import DateField, Expression, JSONField, Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast, TruncDate

from alyx.core.clock import server_zone
from alyx.core.errors import Invalid
from alyx.core.json_column import check_text
from alyx.core.rest.query_grammar import QuerySyntaxError, Scalar, Term, parse_query
from alyx.core.rest.query_values import (
    Refused,
    as_date_part,
    as_day,
    as_guessed,
    as_instant,
    as_number,
    as_text,
    as_uuid,
    as_wall,
    qc_value,
    truth,
)

__all__ = [
    "Column",
    "Computed",
    "JsonColumn",
    "Keyed",
    "QueryFields",
    "Refused",
    "Relation",
    "apply_json_query",
    "apply_query",
    "boolean",
    "computed",
    "day",
    "instant",
    "json_path",
    "not_withdrawn",
    "number",
    "qc_value",
    "relation",
    "text",
    "truth",
    "uuid_",
    "wall",
]

Convert = Callable[[Scalar], Any]
MAX_DEPTH = 6
MAX_LIST = 5000

EQUALITY = frozenset({"exact", "in", "isnull"})
ORDER = EQUALITY | {"gt", "gte", "lt", "lte", "range"}
TEXT = EQUALITY | {"iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"}
JSON = TEXT | ORDER | {"has_key"}
DATE_PARTS = frozenset({"year", "month", "day"})
ALL_LOOKUPS = JSON | ORDER


@dataclass(frozen=True)
class Column:
    """A column at the ORM path `path`; `dates` says what its `__date` is, for columns that have one."""

    path: str
    convert: Convert
    lookups: frozenset[str]
    dates: Callable[[str], Expression] | None = None


@dataclass(frozen=True)
class JsonColumn:
    """A JSON column: further words of the path are keys."""

    path: str


@dataclass(frozen=True)
class Computed:
    """A truth value that is a condition over several columns: `build(orm prefix, wanted)`."""

    build: Callable[[str, bool], Q]


@dataclass(frozen=True)
class Relation:
    """A step to another table, with what may be asked there."""

    path: str
    to: "Callable[[], QueryFields] | QueryFields"
    many: bool
    convert: Convert
    only: Callable[[str], Q] | None = None

    @property
    def fields(self) -> "QueryFields":
        """The declaration of the other table."""
        return self.to if isinstance(self.to, QueryFields) else self.to()


@dataclass(frozen=True)
class Keyed:
    """A column that holds the `key` of rows that no relation leads to: `rows()` are those.

    With a `key` of theirs that is not their own several may belong to one row; each condition may then be met by another of them.
    """

    path: str
    rows: Callable[[], QuerySet[Any]]
    to: "QueryFields"
    key: str = "pk"


Declared = Column | JsonColumn | Computed | Relation | Keyed


@dataclass
class QueryFields:
    """Wire names of a table and what they mean."""

    fields: Mapping[str, Declared]

    def __post_init__(self) -> None:
        """`id` and `pk` are always there."""
        self.fields = {"id": uuid_("id"), "pk": uuid_("id"), **self.fields}

    def plus(self, fields: Mapping[str, Declared]) -> "QueryFields":
        """These and more."""
        return QueryFields({**self.fields, **fields})


def text(path: str) -> Column:
    """A text column."""
    return Column(path, as_text, TEXT)


def uuid_(path: str) -> Column:
    """A UUID column."""
    return Column(path, as_uuid, EQUALITY)


def number(path: str, convert: Convert | None = None) -> Column:
    """A number column; `convert` for scales that have names (`qc_value`)."""
    return Column(path, convert or as_number, ORDER)


def boolean(path: str) -> Column:
    """A true/false column."""
    return Column(path, truth, EQUALITY)


def day(path: str) -> Column:
    """A date column."""
    return Column(path, as_day, ORDER, lambda path: Cast(path, DateField()))


def wall(path: str, date_path: str = "") -> Column:
    """A wall clock; `date_path` is the date column that stands for its `__date`, where there is one."""

    def dates(own_path: str) -> Expression:
        prefix = own_path.removesuffix(path)
        return Cast(prefix + date_path if date_path else own_path, DateField())

    return Column(path, as_wall, ORDER, dates)


def instant(path: str) -> Column:
    """A UTC instant; naive values are in the server's zone."""
    return Column(path, as_instant, ORDER, lambda path: TruncDate(path, tzinfo=server_zone()))


def json_path(path: str) -> JsonColumn:
    """A JSON column (`alyx.core.json_column`)."""
    return JsonColumn(path)


def computed(build: Callable[[str, bool], Q]) -> Computed:
    """See Computed."""
    return Computed(build)


def relation(
    path: str,
    to: "Callable[[], QueryFields] | QueryFields",
    *,
    many: bool = False,
    convert: Convert | None = None,
    only: Callable[[str], Q] | None = None,
) -> Relation:
    """A relation by its ORM name; alone (or with exact, in, isnull) it compares the other row's key.

    `only(orm prefix)` is a condition that the other row must meet to be seen at all, such as not being withdrawn.
    """
    return Relation(path, to, many, convert or as_uuid, only)


def not_withdrawn(prefix: str) -> Q:
    """For `only`: withdrawn rows are gone from every answer."""
    return Q(**{f"{prefix}withdrawn_at__isnull": True})


def apply_query(
    queryset: QuerySet[Any], query: str, fields: QueryFields, *, parameter: str = "django"
) -> QuerySet[Any]:
    """Narrow the rows to those the query asks for. Raises Invalid naming `parameter`."""
    try:
        terms = parse_query(query) if query.strip() else []
        return _narrow(queryset, [_condition(at, term, fields) for at, term in enumerate(terms)])
    except (Refused, QuerySyntaxError) as error:
        raise Invalid.of(parameter, str(error)) from None


def apply_json_query(queryset: QuerySet[Any], query: str, path: str, *, parameter: str) -> QuerySet[Any]:
    """The same for a filter that is about one JSON column: `key__gte,0.5,other,True`."""
    column = QueryFields({"json": JsonColumn(path)})
    try:
        terms = (
            [Term(f"json__{term.path}", term.value, term.excludes) for term in parse_query(query)]
            if query.strip()
            else []
        )
        return _narrow(queryset, [_condition(at, term, column) for at, term in enumerate(terms)])
    except (Refused, QuerySyntaxError) as error:
        raise Invalid.of(parameter, str(error)) from None


@dataclass
class _Condition:
    q: Q
    excludes: bool
    many: bool = False
    aliases: dict[str, Any] = field(default_factory=dict)


def _narrow(queryset: QuerySet[Any], conditions: list[_Condition]) -> QuerySet[Any]:
    wanted = [one for one in conditions if not one.excludes]
    if any(one.many for one in wanted):
        queryset = queryset.filter(pk__in=_rows(queryset, wanted))
    elif wanted:
        for one in wanted:
            queryset = queryset.alias(**one.aliases)
        queryset = queryset.filter(*[one.q for one in wanted])
    for one in conditions:
        if one.excludes:
            queryset = queryset.exclude(pk__in=_rows(queryset, [one]))
    return queryset


def _rows(queryset: QuerySet[Any], conditions: Iterable[_Condition]) -> QuerySet[Any]:
    rows: QuerySet[Any] = queryset.model._base_manager.order_by()
    wanted = list(conditions)
    for one in wanted:
        rows = rows.alias(**one.aliases)
    return rows.filter(*[one.q for one in wanted]).values("pk")


def _condition(at: int, term: Term, fields: QueryFields) -> _Condition:
    """The condition of a term, on rows that may be seen."""
    seen: list[Q] = []
    condition = _walk(at, term, fields, seen)
    condition.q = reduce(and_, seen, condition.q)
    return condition


def _walk(at: int, term: Term, fields: QueryFields, seen: list[Q]) -> _Condition:
    """Walk the path through the declaration, then read the lookup and the value."""
    words = term.path.split("__")
    prefix, many, here = "", False, fields
    for depth, word in enumerate(words):
        declared = here.fields.get(word)
        if declared is None:
            raise Refused(_unknown(word, here.fields, "field"))
        rest = words[depth + 1 :]
        if isinstance(declared, Relation):
            many |= declared.many
            if declared.only is not None:
                seen.append(declared.only(f"{prefix}{declared.path}__"))
            if not rest or (len(rest) == 1 and rest[0] in EQUALITY and rest[0] not in declared.fields.fields):
                column = Column(declared.path, declared.convert, EQUALITY)
                return _compare(at, term, prefix, column, rest, many)
            prefix += f"{declared.path}__"
            here = declared.fields
            if depth + 1 >= MAX_DEPTH:
                raise Refused(f"{term.path!r} goes through more than {MAX_DEPTH} tables")
            continue
        if isinstance(declared, Keyed):
            return _keyed(at, term, prefix, declared, rest, many)
        if isinstance(declared, Computed):
            return _Condition(_computed(term, prefix, declared, rest), term.excludes, many)
        if isinstance(declared, JsonColumn):
            return _json(at, term, prefix + declared.path, rest, many)
        return _compare(at, term, prefix, declared, rest, many)
    raise Refused(f"{term.path!r} is not complete")


def _keyed(at: int, term: Term, prefix: str, declared: Keyed, rest: list[str], many: bool) -> _Condition:
    if not rest or (len(rest) == 1 and rest[0] in EQUALITY and rest[0] not in declared.to.fields):
        if declared.key == "pk":
            return _compare(at, term, prefix, Column(declared.path, as_uuid, EQUALITY), rest, many)
        if rest == ["isnull"]:
            some = Q(**{f"{prefix}{declared.path}__in": declared.rows().order_by().values(declared.key)})
            return _Condition(~some if _value(term, "isnull", as_guessed) else some, term.excludes, many)
        rest = ["pk", *rest]
    there = _condition(at, Term("__".join(rest), term.value, False), declared.to)
    rows = declared.rows().order_by().alias(**there.aliases).filter(there.q)
    return _Condition(Q(**{f"{prefix}{declared.path}__in": rows.values(declared.key)}), term.excludes, many)


def _computed(term: Term, prefix: str, declared: Computed, rest: list[str]) -> Q:
    if rest not in ([], ["exact"]):
        raise Refused(f"{term.path!r} is true or false: it knows no lookup {'__'.join(rest)!r}")
    if isinstance(term.value, list):
        raise Refused(f"{term.path!r} takes True or False")
    return declared.build(prefix, truth(term.value))


def _compare(at: int, term: Term, prefix: str, column: Column, rest: list[str], many: bool) -> _Condition:
    path, convert, lookups, aliases = prefix + column.path, column.convert, column.lookups, {}
    if rest and column.dates and rest[0] in {"date", *DATE_PARTS}:
        aliases[f"asked_{at}"] = column.dates(path)
        path, convert, lookups = f"asked_{at}", as_day, ORDER
        if rest[0] in DATE_PARTS:
            path, convert = f"{path}__{rest[0]}", as_date_part
        rest = rest[1:]
        if convert is as_day and rest and rest[0] in DATE_PARTS:
            path, convert, rest = f"{path}__{rest[0]}", as_date_part, rest[1:]
    lookup = "__".join(rest) or "exact"
    if lookup not in lookups:
        raise Refused(f"{term.path!r}: " + _unknown(lookup, lookups, "lookup"))
    value = _value(term, lookup, convert)
    if value is None and lookup == "exact":
        lookup, value = "isnull", True
    return _Condition(Q(**{f"{path}__{lookup}": value}), term.excludes, many, aliases)


def _json(at: int, term: Term, path: str, rest: list[str], many: bool) -> _Condition:
    lookup = rest.pop() if rest and rest[-1] in JSON else "exact"
    expression: Any = Cast(path, JSONField())
    for key in rest:
        try:
            check_text(key)
        except ValueError as error:
            raise Refused(str(error)) from None
        expression = KeyTransform(key, expression)
    if not rest and lookup == "isnull":
        return _Condition(Q(**{f"{path}__isnull": _value(term, "isnull", as_guessed)}), term.excludes, many)
    name = f"asked_{at}"
    if not rest and lookup == "exact" and term.value in ("None", "null"):
        return _Condition(Q(**{f"{path}__isnull": True}), term.excludes, many)
    convert = as_text if lookup in TEXT - EQUALITY or lookup == "has_key" else as_guessed
    value = _value(term, lookup, convert)
    return _Condition(Q(**{f"{name}__{lookup}": value}), term.excludes, many, {name: expression})


def _value(term: Term, lookup: str, convert: Convert) -> Any:
    """The value as the column's type. Raises Refused."""
    if lookup in {"in", "range"}:
        items = term.value if isinstance(term.value, list) else [term.value]
        if len(items) > MAX_LIST:
            raise Refused(f"{term.path!r} takes at most {MAX_LIST} values")
        if lookup == "range" and len(items) != 2:
            raise Refused(f"{term.path!r} takes two values, [from, to]")
        return [_converted(term, item, convert) for item in items]
    if isinstance(term.value, list):
        raise Refused(f"{term.path!r} takes one value; for several write {term.path}__in")
    if lookup == "isnull":
        return truth(term.value)
    value = _converted(term, term.value, convert)
    if value is None and lookup != "exact":
        raise Refused(f"{term.path!r} cannot be compared with None")
    return value


def _converted(term: Term, value: Scalar, convert: Convert) -> Any:
    if value is None or (isinstance(value, str) and value.strip() == "None"):
        return None
    try:
        if isinstance(value, str):
            check_text(value)
        return convert(value)
    except Refused:
        raise
    except (ValueError, OverflowError) as error:
        raise Refused(f"{term.path!r}: {error}") from None


def _unknown(word: str, allowed: Iterable[str], what: str) -> str:
    names = sorted(allowed)
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"allowed: {', '.join(names[:40])}"
    return f"{word[:80]!r} is not a {what} that can be asked for; {hint}"
