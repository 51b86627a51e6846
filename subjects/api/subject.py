"""REST for animals."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core import clock
from alyx.core.errors import NotFound
from alyx.core.reading import may_read_key, readable
from alyx.core.rest.filters import (
    BOOLEAN,
    Filter,
    as_uuid,
    asked,
    contains,
    equals,
    iequals,
    is_day,
    is_key,
    is_number,
    is_true,
    json_is,
    split,
)
from alyx.core.rest.query_language import truth
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from alyx.labs.models import Project
from subjects.api.query_fields import SUBJECTS
from subjects.api.serializers import SubjectDetail, SubjectList
from subjects.models import Subject, WaterRestriction, ZygosityState
from subjects.queries.subject import with_names
from subjects.queries.subject_record import row_with, subject_record
from subjects.queries.water import subject_numbers
from subjects.rules.age import age_weeks
from subjects.services.lookup import resolve_row, resolve_subject
from subjects.services.subject import change_subject, create_subject, withdraw_subject


def _alive(rows: Any, value: str) -> QuerySet[Any]:
    return rows.filter(died_on__isnull=truth(value))  # type: ignore[no-any-return]


def _stock(rows: Any, value: str) -> QuerySet[Any]:
    stock = Subject.objects.stock().values("pk")
    return rows.filter(pk__in=stock) if truth(value) else rows.exclude(pk__in=stock)  # type: ignore[no-any-return]


def _water_restricted(rows: Any, value: str) -> QuerySet[Any]:
    restricted = Q(pk__in=WaterRestriction.objects.in_force().values("subject"), died_on__isnull=True)
    return rows.filter(restricted if truth(value) else ~restricted)  # type: ignore[no-any-return]


def _is_row(path: str, *names: str, many: bool = False) -> Filter:
    """The related row of this key, or of this name ignoring case."""

    def apply(rows: Any, value: str) -> QuerySet[Any]:
        try:
            wanted = Q(**{path: as_uuid(value)})
        except ValueError:
            wanted = reduce(or_, (Q(**{f"{path}__{name}__iexact": value}) for name in names))
        if many:
            wanted = Q(pk__in=Subject.objects.order_by().filter(wanted).values("pk"))
        return rows.filter(wanted)  # type: ignore[no-any-return]

    return asked(apply, "name (ignoring case) or id")


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
    "water_restricted": asked(_water_restricted, "alive and under an open water restriction", BOOLEAN),
    "to_be_culled": is_true("to_be_culled"),
    "to_be_genotyped": is_true("to_be_genotyped"),
    "actual_severity": is_number("actual_severity"),
    "adverse_effects": contains("adverse_effects"),
    "cage": iequals("cage_name"),
    "ear_mark": iequals("ear_mark"),
    "name": iequals("name"),
    "genotype": _is_row("zygosities__allele", "nickname", "name", many=True),
    "genotype_test": _is_row("genotype_tests__sequence", "name", many=True),
    "genotype_date": is_day("genotyped_on"),
    "reduced_date": is_day("reduced_on"),
    "wean_date": is_day("weaned_on"),
    "line": _is_row("line", "name", "nickname"),
    "litter": _is_row("litter", "name"),
    "request": _is_row("request", "name"),
    "source": _is_row("source", "name"),
    "species": _is_row("species", "name", "nickname"),
    "strain": _is_row("strain", "name"),
}


class _Subjects(Endpoint):
    queryset = with_names()

    def rendered(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """The records of some animals, in a constant number of queries."""
        now, base = clock.now(), self.base_url
        recorded = _projects_of_sessions([row.pk for row in rows])
        numbers = subject_numbers(rows, now)
        return [
            {
                "nickname": row.nickname,
                "url": f"{base}/subjects/{row.nickname}",
                "id": row.pk,
                "responsible_user": row.responsible_user_name,
                "birth_date": row.born_on,
                "age_weeks": age_weeks(row.born_on, row.died_on, clock.utc_to_wall(now, row.lab.timezone).date()),
                "death_date": row.died_on,
                "species": row.species_name,
                "sex": row.sex,
                "litter": row.litter_name,
                "strain": row.strain_name,
                "source": row.source_name,
                "line": row.line_name,
                "projects": sorted(row.project_names),
                "session_projects": recorded.get(row.pk, []),
                "lab": row.lab.name,
                "genotype": [f"{one['allele']} {ZygosityState(one['zygosity']).label}" for one in row.carried],
                "description": row.description,
                "alive": row.died_on is None,
                "reference_weight": numbers[row.pk].reference_weight,
                "last_water_restriction": numbers[row.pk].last_water_restriction,
                "expected_water": numbers[row.pk].expected_water,
                "remaining_water": numbers[row.pk].remaining_water,
                "json": row.json,
            }
            for row in rows
        ]

    def detailed(self, key: UUID) -> dict[str, Any]:
        """The full record of one that the caller reads. Raises NotFound."""
        may_read = may_read_key(self.actor, Subject.objects.shown(), key)
        row = row_with(key, self.base_url) if may_read else None
        if row is None:
            raise NotFound(f"there is no subject {key}")
        return subject_record(row, self.base_url)


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
        return Response(self.detailed(subject.pk), status=201)


class SubjectDetailView(_Subjects, ChangeableEndpoint):
    """`/subjects/{nickname}`."""

    lookup_field = "nickname"
    serializer_class = SubjectDetail

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The record of the animal in the path."""
        row = resolve_row(
            actor=self.actor, nickname=self.kwargs["nickname"], labs=self._asked_labs(), base_url=self.base_url
        )
        return Response(subject_record(row, self.base_url))

    def found(self) -> Subject:
        """The animal in the path, as the caller means it."""
        return resolve_subject(
            actor=self.actor,
            nickname=self.kwargs["nickname"],
            labs=self._asked_labs(),
            rows=readable(self.actor, Subject.objects.shown()),
        )

    def _asked_labs(self) -> list[str]:
        return [lab for name in ("lab", "labs") for lab in split(self.request.query_params.get(name, ""))]

    def record(self, row: Any) -> dict[str, Any]:
        """An animal."""
        return self.detailed(row.pk)

    def change(self, row: Any, sent: dict[str, Any]) -> Subject:
        """Apply what was sent."""
        return change_subject(actor=self.actor, subject=row, changes=sent)

    def delete(self, request: Request, nickname: str) -> Response:
        """Withdraw an animal without sessions."""
        withdraw_subject(actor=self.actor, subject=self.found())
        return Response(status=204)
