"""Who reads what. Each table has one rule; lists, records, pages, files and exports ask here.

A rule says which rows of its table a caller reads, as a condition from wherever the table is joined. Every app declares the
rules of its tables in its `reading.py`; a table without a rule is a programming error, found by the tests.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Reach:
    """How far a caller's eyes reach. `alyx.labs.models.User.reach` works it out."""

    everything: bool = False
    """All labs' records; what is personal is still each person's own."""
    is_superuser: bool = False
    is_public: bool = False
    """Only what is tagged public."""
    labs: frozenset[UUID] = frozenset()
    projects: frozenset[UUID] = frozenset()
    user: UUID | None = None


NOTHING = Reach()
Rule = Callable[[Reach, str], Q]
"""(reach, path to the table with `__` at its end) → condition. Not asked when the caller reads everything."""

_RULES: dict[type[Model], Rule] = {}
_PUBLIC: dict[type[Model], Rule] = {}
_PERSONAL: set[type[Model]] = set()


def declare(rules: Mapping[Any, Rule], *, public: Mapping[Any, Rule] | None = None) -> None:
    """What lab members read of some tables, and what public accounts read of them (nothing, unless declared)."""
    _RULES.update(rules)
    _PUBLIC.update(public or {})


def declare_personal(*models: type[Model], column: str = "user") -> None:
    """Tables of which each person reads their own rows, and superusers all."""
    _RULES.update(dict.fromkeys(models, own(column)))
    _PERSONAL.update(models)


def has_rule(model: type[Model]) -> bool:
    """Whether the table has a rule."""
    return model in _RULES


def reach_of(actor: Any) -> Reach:
    """How far this caller reads; nobody who is not logged in reads anything."""
    reach: Reach = getattr(actor, "reach", NOTHING)
    return reach


def readable(actor: Any, rows: "QuerySet[M, Any]") -> "QuerySet[M, Any]":
    """Those of the rows that the actor reads.

    Raises:
        LookupError: the table has no rule.
    """
    reach = reach_of(actor)
    return rows if _reads_all(reach, rows.model) else rows.filter(condition(rows.model, reach))


def _reads_all(reach: Reach, model: type[Model]) -> bool:
    return reach.is_superuser or (reach.everything and model not in _PERSONAL)


def may_read(actor: Any, row: Model) -> bool:
    """Whether the actor reads this row."""
    return readable(actor, type(row)._base_manager.filter(pk=row.pk)).exists()


def may_read_key(actor: Any, rows: "QuerySet[M, Any]", key: UUID) -> bool:
    """Whether the actor reads the row of this key, if it is among the rows; nothing is asked where everything is open."""
    return reads_all(actor, rows.model) or readable(actor, rows.filter(pk=key)).exists()


def reads_all(actor: Any, model: type[Model]) -> bool:
    """Whether the table is wholly open to the actor."""
    return _reads_all(reach_of(actor), model)


def condition(model: type[Model], reach: Reach, at: str = "") -> Q:
    """Which rows of the table, joined by `at`, are within reach. Raises LookupError."""
    if _reads_all(reach, model):
        return Q()
    if reach.is_public:
        return _PUBLIC.get(model, nobody)(reach, at)
    if model not in _RULES:
        raise LookupError(f"{model._meta.label} has no reading rule: declare one in its app's reading.py")
    return _RULES[model](reach, at)


# ---- what rules are made of


def everybody(reach: Reach, at: str) -> Q:
    """Every user: vocabularies, and names that clients look up."""
    return Q()


def nobody(reach: Reach, at: str) -> Q:
    """No row."""
    return Q(**{f"{at}pk__in": []})


def own(column: str = "user") -> Rule:
    """What is somebody's own; what is nobody's is no own of who is nobody."""
    return lambda reach, at: Q(**{f"{at}{column}": reach.user}) if reach.user else nobody(reach, at)


def of_lab(column: str = "lab", *, of_none: bool = False, links: Any = None, owner: str = "") -> Rule:
    """Rows of the caller's labs (with `of_none` also those of no lab), and of the caller's projects.

    `links` is the table that links the rows to projects, `owner` its column for the row.
    """

    def rule(reach: Reach, at: str) -> Q:
        found = Q(**{f"{at}{column}__in": reach.labs})
        if of_none:
            found |= Q(**{f"{at}{column}__isnull": True})
        if links is not None and reach.projects:
            shared = links._base_manager.filter(project__in=reach.projects).values(owner)
            found |= Q(**{f"{at}pk__in": shared})
        return found

    return rule


def through(path: str, model: type[Model], *, of_none: bool = False) -> Rule:
    """As the row of `model` that `path` leads to; with `of_none` also where it leads nowhere."""

    def rule(reach: Reach, at: str) -> Q:
        found = condition(model, reach, f"{at}{path}__")
        return found | Q(**{f"{at}{path}__isnull": True}) if of_none else found

    return rule


def either(*rules: Rule) -> Rule:
    """Whom one of the rules lets."""

    def rule(reach: Reach, at: str) -> Q:
        found = rules[0](reach, at)
        for other in rules[1:]:
            found |= other(reach, at)
        return found

    return rule


def within(model: type[Model], reach: Reach) -> "QuerySet[Any, Any]":
    """The keys of the rows of the table that are within reach, for a subquery."""
    return model._base_manager.filter(condition(model, reach)).values("pk")
