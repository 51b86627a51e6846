"""How the list of animals is narrowed. The choices of all filters come in one query per page."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import CharField, Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Cast
from django.http import HttpRequest

from alyx.core.reading import readable
from alyx.labs.models import Lab, User
from subjects.models import Line, Sex, Subject, WaterRestriction

MOST = 200
"""Choices listed of a kind; beyond, the search box finds the rest."""


def choices(request: HttpRequest) -> dict[str, list[tuple[str, str]]]:
    """Labs, lines and people that an animal can be of, asked for once per page."""
    known: dict[str, list[tuple[str, str]]] | None = getattr(request, "animal_choices", None)
    if known is None:
        shown = readable(request.user, Subject.objects.shown())
        theirs, its = shown.filter(responsible_user=OuterRef("pk")), shown.filter(line=OuterRef("pk"))
        parts = [
            _named("lab", Lab.objects.order_by(), "name"),
            _named("line", Line.objects.filter(Exists(its)).order_by(), "name"),
            _named("person", User.objects.filter(Exists(theirs)).order_by(), "username"),
        ]
        known = {"lab": [], "line": [], "person": []}
        for kind, key, name in sorted(parts[0].union(*parts[1:], all=True), key=lambda row: row[2].lower()):
            if len(known[kind]) < MOST:
                known[kind].append((key, name))
        setattr(request, "animal_choices", known)  # noqa: B010  (mypy: a request has no such attribute)
    return known


def _named(kind: str, rows: Any, column: str) -> Any:
    return rows.values_list(
        Value(kind, output_field=CharField()), Cast("pk", CharField()), Cast(F(column), CharField())
    )


class _ChosenFilter(admin.SimpleListFilter):
    """One of the rows the animals point to."""

    kind: ClassVar[str] = ""
    column: ClassVar[str] = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those that have animals."""
        return choices(request)[self.kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Its animals; of something that is not in the list, none."""
        value = self.value()
        if not value:
            return queryset
        known = {key for key, _ in choices(request)[self.kind]}
        return queryset.filter(**{self.column: value}) if value in known else queryset.none()


class LabFilter(_ChosenFilter):
    """Of one lab."""

    title, parameter_name, kind, column = "lab", "lab", "lab", "lab_id"


class LineFilter(_ChosenFilter):
    """Of one line."""

    title, parameter_name, kind, column = "line", "line", "line", "line_id"


class PersonFilter(_ChosenFilter):
    """Of one responsible user."""

    title, parameter_name, kind, column = "responsible user", "responsible", "person", "responsible_user_id"


class AliveFilter(admin.SimpleListFilter):
    """The living, unless something is searched for: then all, so that a dead one is found by its name."""

    title, parameter_name = "alive", "alive"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The answers."""
        self.standard = "all" if request.GET.get("q") else "yes"
        return [("yes", "alive"), ("no", "dead"), ("all", "alive and dead")]

    def choices(self, changelist: Any) -> Any:
        """Without "all" of Django's: one of the three is always chosen."""
        for value, words in self.lookup_choices:
            yield {
                "selected": str(value) == self._chosen(),
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": words,
            }

    def _chosen(self) -> str:
        return self.value() or self.standard

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        chosen = self._chosen()
        return queryset if chosen == "all" else queryset.filter(died_on__isnull=chosen == "yes")


class WhoseFilter(admin.SimpleListFilter):
    """Mine, those I act for, breeding stock."""

    title, parameter_name = "whose", "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The answers."""
        return [("mine", "mine"), ("delegated", "delegated to me"), ("stock", "stock"), ("nobody", "nobody's")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        user: Any = request.user
        match self.value():
            case "mine":
                return queryset.filter(responsible_user=user)
            case "delegated":
                return queryset.filter(responsible_user__in=User.objects.filter(allowed_users=user))
            case "stock":
                return queryset.filter(responsible_user__is_stock_manager=True)
            case "nobody":
                return queryset.filter(responsible_user__isnull=True)
        return queryset


class NeedsFilter(admin.SimpleListFilter):
    """What is to be done with it."""

    title, parameter_name = "only", "only"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The answers."""
        return [
            ("restricted", "water restricted"),
            ("cull", "to be culled"),
            ("genotype", "to be genotyped"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        match self.value():
            case "restricted":
                return queryset.filter(pk__in=WaterRestriction.objects.in_force().values("subject"))
            case "cull":
                return queryset.filter(to_be_culled=True)
            case "genotype":
                return queryset.filter(to_be_genotyped=True)
        return queryset


class SexFilter(admin.SimpleListFilter):
    """Of one sex."""

    title, parameter_name = "sex", "sex"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The answers."""
        return [(value, str(words)) for value, words in Sex.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        return queryset.filter(sex=self.value()) if self.value() in Sex.values else queryset


class CageFilter(admin.SimpleListFilter):
    """In a cage whose name is typed: there are too many to list."""

    title, parameter_name, template = "cage", "cage", "admin/typed_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Anything."""
        return [("", "")]

    def choices(self, changelist: Any) -> Any:
        """What is typed now, and what the other filters say."""
        others = {name: value for name, value in changelist.filter_params.items() if name != self.parameter_name}
        yield {
            "typed": self.value() or "",
            "name": self.parameter_name,
            "others": others,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those that live there."""
        value = (self.value() or "").strip()
        return queryset.filter(cage_name__iexact=value) if value else queryset
