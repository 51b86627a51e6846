"""REST for animals."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core import clock
from alyx.core.rest.filters import (
    BOOLEAN,
    Filter,
    asked,
    contains,
    equals,
    iequals,
    is_day,
    is_key,
    json_is,
    matches_nothing,
    split,
)
from alyx.core.rest.query_language import truth
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from alyx.labs.models import Project
from subjects.api.query_fields import SUBJECTS
from subjects.api.serializers import SubjectDetail, SubjectList
from subjects.models import Subject
from subjects.rules.age import age_weeks
from subjects.services.lookup import resolve_subject
from subjects.services.subject import change_subject, create_subject, withdraw_subject

_NOT_YET = "this server does not keep it yet; nothing matches"
_NOBODY_IS = "this server does not keep it yet: True matches nothing, False everything"


def _nobody_is() -> Filter:
    return asked(lambda rows, value: rows.none() if truth(value) else rows, _NOBODY_IS, BOOLEAN)


def _alive(rows: Any, value: str) -> QuerySet[Any]:
    return rows.filter(died_on__isnull=truth(value))  # type: ignore[no-any-return]


def _stock(rows: Any, value: str) -> QuerySet[Any]:
    stock = Subject.objects.stock().values("pk")
    return rows.filter(pk__in=stock) if truth(value) else rows.exclude(pk__in=stock)  # type: ignore[no-any-return]


FILTERS = {
    "id": is_key("id"),
    "nickname": iequals("nickname"),
    "alive": asked(_alive, "without a death date", BOOLEAN),
    "stock": asked(_stock, "kept by a stock manager", BOOLEAN),
    "lab": equals("lab__name"),
    "responsible_user": equals("responsible_user__username"),
    "sex": equals("sex"),
    "project": contains("projects__name", many=True),
    "projects": contains("projects__name", many=True),
    "birth_date": is_day("born_on"),
    "death_date": is_day("died_on"),
    "description": contains("description"),
    "protocol_number": equals("protocol_number"),
    "json": json_is("json", "json"),
    **{name: _nobody_is() for name in ("water_restricted", "to_be_culled", "to_be_genotyped")},
    **{
        name: matches_nothing(_NOT_YET)
        for name in (
            "actual_severity",
            "adverse_effects",
            "cage",
            "ear_mark",
            "genotype",
            "genotype_date",
            "genotype_test",
            "line",
            "litter",
            "name",
            "reduced_date",
            "request",
            "source",
            "species",
            "strain",
            "wean_date",
        )
    },
}


class _Subjects(Endpoint):
    queryset = (
        Subject.objects.shown()
        .select_related("lab", "responsible_user")
        .prefetch_related("projects")
        .order_by("nickname", "id")
    )

    def rendered(self, rows: Sequence[Subject]) -> list[dict[str, Any]]:
        """The records of some animals, in a constant number of queries."""
        now = clock.now()
        recorded = _projects_of_sessions([row.pk for row in rows])
        return [
            {
                "nickname": row.nickname,
                "url": self.link("subjects", row.nickname),
                "id": row.pk,
                "responsible_user": row.responsible_user.username if row.responsible_user else None,
                "birth_date": row.born_on,
                "age_weeks": age_weeks(row.born_on, row.died_on, clock.utc_to_wall(now, row.lab.timezone).date()),
                "death_date": row.died_on,
                "species": None,
                "sex": row.sex,
                "litter": None,
                "strain": None,
                "source": None,
                "line": None,
                "projects": sorted(project.name for project in row.projects.all()),
                "session_projects": recorded.get(row.pk, []),
                "lab": row.lab.name,
                "genotype": [],
                "description": row.description,
                "alive": row.died_on is None,
                "reference_weight": 0.0,
                "last_water_restriction": None,
                "expected_water": 0.0,
                "remaining_water": 0.0,
                "json": row.json,
            }
            for row in rows
        ]

    def detailed(self, row: Subject) -> dict[str, Any]:
        """The full record of one."""
        return {**self.rendered([row])[0], "weighings": [], "water_administrations": []}


def _projects_of_sessions(keys: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The names of the projects of each animal's sessions."""
    pairs = (
        Project.objects.filter(sessions__subject__in=keys, sessions__withdrawn_at__isnull=True)
        .order_by("name")
        .values_list("sessions__subject", "name")
        .distinct()
    )
    names: dict[UUID, list[str]] = {}
    for key, name in pairs:
        names.setdefault(key, []).append(name)
    return names


class SubjectListView(_Subjects, ListEndpoint):
    """`/subjects`."""

    query_fields = SUBJECTS
    filters = FILTERS

    def get_serializer_class(self) -> Any:
        """Bodies are detail records."""
        return SubjectDetail if self.request and self.request.method == "POST" else SubjectList

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Animals."""
        return self.rendered(rows)

    def post(self, request: Request) -> Response:
        """A new animal."""
        subject = create_subject(actor=self.actor, values=self.sent(partial=False))
        return Response(self.detailed(self.get_queryset().get(pk=subject.pk)), status=201)


class SubjectDetailView(_Subjects, ChangeableEndpoint):
    """`/subjects/{nickname}`."""

    lookup_field = "nickname"
    serializer_class = SubjectDetail

    def found(self) -> Subject:
        """The animal in the path, as the caller means it."""
        asked_labs = [lab for name in ("lab", "labs") for lab in split(self.request.query_params.get(name, ""))]
        return resolve_subject(
            actor=self.actor, nickname=self.kwargs["nickname"], labs=asked_labs, rows=self.get_queryset()
        )

    def record(self, row: Any) -> dict[str, Any]:
        """An animal."""
        return self.detailed(row)

    def change(self, row: Any, sent: dict[str, Any]) -> Subject:
        """Apply what was sent."""
        subject = change_subject(actor=self.actor, subject=row, changes=sent)
        found: Subject = self.get_queryset().get(pk=subject.pk)
        return found

    def delete(self, request: Request, nickname: str) -> Response:
        """Withdraw an animal without sessions."""
        withdraw_subject(actor=self.actor, subject=self.found())
        return Response(status=204)
