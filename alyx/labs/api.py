"""REST for people, labs, locations and projects."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.reading import readable
from alyx.core.rest.filters import (
    Filter,
    as_uuid,
    asked,
    equals,
    iequals,
    is_day,
    is_key,
    is_number,
    is_true,
)
from alyx.core.rest.names import in_path
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from alyx.labs import serializers, services
from alyx.labs.models import Lab, Location, Project, User
from alyx.labs.query_fields import LABS, USERS
from alyx.labs.rigs import heard_at

_LIGHT = {"0": "normal", "1": "inverted", "normal": "normal", "inverted": "inverted"}


def _condition(column: str) -> Filter:
    """A cage type, enrichment or food by name or UUID, through the relation's name: conditions belong to the animals' app."""

    def apply(rows: Any, value: str) -> QuerySet[Any]:
        asked_for: dict[str, Any]
        try:
            asked_for = {f"conditions__{column}": as_uuid(value)}
        except ValueError:
            asked_for = {f"conditions__{column}__name__iexact": value}
        return rows.filter(**asked_for)  # type: ignore[no-any-return]

    return asked(apply, "the lab's default, by name or UUID")


def _light_cycle(rows: Any, value: str) -> QuerySet[Any]:
    if value.lower() not in _LIGHT:
        raise ValueError(f"{value[:80]!r} is neither 0 (normal) nor 1 (inverted)")
    return rows.filter(conditions__light_cycle=_LIGHT[value.lower()])  # type: ignore[no-any-return]


def _names(rows: Any, column: str = "name") -> list[str]:
    """Names of prefetched rows, in order."""
    return sorted(getattr(row, column) for row in rows.all())


class _Labs(Endpoint):
    is_public = True
    serializer_class = serializers.Lab
    queryset = Lab.objects.prefetch_related("repositories").order_by("name")

    def record(self, lab: Any) -> dict[str, Any]:
        """A lab on the wire."""
        return {
            "name": lab.name,
            "institution": lab.institution,
            "address": lab.address,
            "timezone": lab.timezone,
            "repositories": _names(lab.repositories),
            "reference_weight_pct": lab.reference_weight_pct,
            "zscore_weight_pct": lab.zscore_weight_pct,
            "json": lab.json,
        }


class LabList(_Labs, ListEndpoint):
    """`/labs`."""

    query_fields = LABS
    filters = {
        "id": is_key("id"),
        "name": equals("name"),
        "institution": equals("institution"),
        "address": equals("address"),
        "timezone": equals("timezone"),
        "reference_weight_pct": asked(lambda rows, value: rows.filter(reference_weight_pct=float(value)), "a fraction"),
        "zscore_weight_pct": asked(lambda rows, value: rows.filter(zscore_weight_pct=float(value)), "a fraction"),
        "repositories": equals("repositories__name", many=True),
        **{name: _condition(name) for name in ("cage_type", "enrichment", "food")},
        "light_cycle": asked(_light_cycle, "0 (normal) or 1 (inverted)"),
        "cage_cleaning_frequency_days": is_number("conditions__cleaned_every_days", 0),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Labs."""
        return [self.record(row) for row in rows]

    def post(self, request: Request) -> Response:
        """A new lab."""
        return Response(self.record(services.create_lab(actor=self.actor, values=self.sent(partial=False))), status=201)


class LabDetail(_Labs, ChangeableEndpoint):
    """`/labs/{name}`."""

    lookup_field = "name"

    def found(self) -> Lab:
        """The lab in the path."""
        found: Lab = in_path(self.get_queryset(), self.kwargs["name"], what="lab")
        return found

    def change(self, row: Any, sent: dict[str, Any]) -> Lab:
        """Apply what was sent."""
        return services.change_lab(actor=self.actor, lab=row, changes=sent)

    def delete(self, request: Request, name: str) -> Response:
        """Remove an empty lab."""
        services.delete_lab(actor=self.actor, lab=self.found())
        return Response(status=204)


class _Locations(Endpoint):
    serializer_class = serializers.LabLocation
    queryset = Location.objects.select_related("lab").order_by("name")

    def record(self, location: Any) -> dict[str, Any]:
        """A rig on the wire."""
        return {"name": location.name, "lab": location.lab.name if location.lab else None, "json": location.json}


class LocationList(_Locations, ListEndpoint):
    """`/locations`."""

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Locations."""
        return [self.record(row) for row in rows]


class LocationDetail(_Locations, ChangeableEndpoint):
    """`/locations/{name}`."""

    lookup_field = "name"

    def found(self) -> Location:
        """The location in the path."""
        found: Location = in_path(self.get_queryset(), self.kwargs["name"], what="location")
        return found

    def change(self, row: Any, sent: dict[str, Any]) -> Location:
        """Apply what was sent."""
        location = services.change_location(actor=self.actor, location=row, changes=sent)
        heard_at(location)  # a rig does it at each start
        return location


class _Projects(Endpoint):
    is_public = True
    serializer_class = serializers.Project
    queryset = Project.objects.prefetch_related("users").order_by("name")

    def record(self, project: Any) -> dict[str, Any]:
        """A project on the wire."""
        return {"name": project.name, "description": project.description, "users": _names(project.users, "username")}


class ProjectList(_Projects, ListEndpoint):
    """`/projects`."""

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Projects."""
        return [self.record(row) for row in rows]

    def post(self, request: Request) -> Response:
        """A new project."""
        project = services.create_project(actor=self.actor, values=self.sent(partial=False))
        return Response(self.record(project), status=201)


class ProjectDetail(_Projects, ChangeableEndpoint):
    """`/projects/{name}`."""

    lookup_field = "name"

    def found(self) -> Project:
        """The project in the path."""
        found: Project = in_path(self.get_queryset(), self.kwargs["name"], what="project")
        return found

    def change(self, row: Any, sent: dict[str, Any]) -> Project:
        """Apply what was sent."""
        return services.change_project(actor=self.actor, project=row, changes=sent)

    def delete(self, request: Request, name: str) -> Response:
        """Remove a project that nothing belongs to."""
        services.delete_project(actor=self.actor, project=self.found())
        return Response(status=204)


class _Users(Endpoint):
    serializer_class = serializers.User
    queryset = User.objects.prefetch_related("labs", "allowed_users").order_by("username")

    def rows(self) -> QuerySet[Any]:
        """With the animals that they are responsible for, of those that the caller reads."""
        animals: Any = User._meta.get_field("subjects_responsible").related_model
        mine = readable(self.actor, animals.objects.filter(withdrawn_at__isnull=True))
        return super().rows().prefetch_related(Prefetch("subjects_responsible", mine))

    def record(self, user: Any) -> dict[str, Any]:
        """A person on the wire; the address of others stays empty."""
        return {
            "id": user.pk,
            "username": user.username,
            "email": user.email if services.may_see_email(self.actor, user) else "",
            "subjects_responsible": sorted(one.nickname for one in user.subjects_responsible.all()),
            "lab": _names(user.labs),
            "allowed_users": _names(user.allowed_users, "username"),
            "is_stock_manager": user.is_stock_manager,
        }


class UserList(_Users, ListEndpoint):
    """`/users`: those who can log in, unless `is_active` asks otherwise."""

    query_fields = USERS
    filters = {
        "id": is_key("id"),
        "username": equals("username"),
        "first_name": equals("first_name"),
        "last_name": equals("last_name"),
        "is_active": is_true("is_active"),
        "is_staff": is_true("is_staff"),
        "is_superuser": is_true("is_superuser"),
        "is_stock_manager": is_true("is_stock_manager"),
        "is_public_user": is_true("is_public_user"),
        "groups": iequals("groups__name", many=True),
        "allowed_users": asked(
            lambda rows, value: rows.filter(
                pk__in=User.objects.filter(allowed_users__username__in=value.split(",")).values("pk")
            ),
            "whose allowed users include one of these names",
        ),
        "email": asked(
            lambda rows, value: rows, "one's own; anybody's for a superuser"
        ),  # applied where the caller is known
        "date_joined": is_day("date_joined__date"),
        "last_login": is_day("last_login__date"),
    }

    def rows(self) -> QuerySet[Any]:
        """Active people by default."""
        rows = super().rows()
        return rows if "is_active" in self.request.query_params else rows.filter(is_active=True)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """`email` finds oneself only, or anybody for a superuser."""
        rows = super().filter_queryset(queryset)
        if email := self.request.query_params.get("email"):
            own = Q() if self.actor.is_superuser else Q(pk=self.actor.pk)
            rows = rows.filter(own, email__iexact=email.replace("\x00", ""))
        return rows

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """People."""
        return [self.record(row) for row in rows]

    def post(self, request: Request) -> Response:
        """A new person."""
        return Response(
            self.record(services.create_user(actor=self.actor, values=self.sent(partial=False))), status=201
        )


class UserDetail(_Users, ChangeableEndpoint):
    """`/users/{username}`."""

    lookup_field = "username"

    def found(self) -> User:
        """The person in the path."""
        found: User = in_path(self.get_queryset(), self.kwargs["username"], what="user", column="username")
        return found

    def change(self, row: Any, sent: dict[str, Any]) -> User:
        """Apply what was sent."""
        return services.change_user(actor=self.actor, user=row, changes=sent)

    def delete(self, request: Request, username: str) -> Response:
        """Deactivate a person."""
        services.deactivate_user(actor=self.actor, user=self.found())
        return Response(status=204)
