"""REST for water restrictions, and what each day asks. What is not available is 0 here, as clients expect; our own pages say why."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core import clock
from alyx.core.errors import Invalid
from alyx.core.rest.fields import MomentField
from alyx.core.rest.filters import (
    as_day,
    contains,
    equals,
    every,
    iequals,
    split,
)
from alyx.core.rest.views import DetailEndpoint, ListEndpoint
from subjects.api.moments import OF_SUBJECT, amount, time_is, within_days
from subjects.api.query_fields import RESTRICTIONS
from subjects.models import Subject, WaterRestriction
from subjects.queries.water import (
    days_of,
    first_day,
    subject_numbers,
    today_of,
)
from subjects.rules.day import Day
from subjects.services.lookup import resolve_subject

MOST_DAYS = 3660
"""Ten years in one answer; an animal lives three."""


class WaterRestrictionList(serializers.Serializer[Any]):
    """A water restriction."""

    subject = serializers.CharField(read_only=True)
    start_time = MomentField(read_only=True)
    end_time = MomentField(read_only=True)
    water_type = serializers.CharField(read_only=True)
    reference_weight = serializers.FloatField(read_only=True)


class WaterRestrictedSubjectList(serializers.Serializer[Any]):
    """An animal that is water restricted."""

    nickname = serializers.CharField(read_only=True)
    url = serializers.URLField(read_only=True)
    expected_water = serializers.FloatField(read_only=True)
    remaining_water = serializers.FloatField(read_only=True)
    reference_weight = serializers.FloatField(read_only=True)
    last_water_restriction = MomentField(read_only=True)
    reference_weight_pct = serializers.FloatField(read_only=True)
    zscore_weight_pct = serializers.FloatField(read_only=True)


class WaterRequirement(serializers.Serializer[Any]):
    """An animal's weight and water, day by day."""

    subject = serializers.CharField(read_only=True)
    implant_weight = serializers.FloatField(read_only=True)
    reference_weight_pct = serializers.FloatField(read_only=True)
    zscore_weight_pct = serializers.FloatField(read_only=True)
    records = serializers.ListField(child=serializers.DictField(), read_only=True)


class WaterRestrictionListView(ListEndpoint):
    """`/water-restriction`."""

    serializer_class = WaterRestrictionList
    query_fields = RESTRICTIONS
    queryset = (
        WaterRestriction.objects.shown()
        .filter(subject__withdrawn_at__isnull=True)
        .select_related("subject", "water_type")
        .order_by("-started_wall", "id")
    )
    filters = {
        **OF_SUBJECT,
        "date_range": within_days("started_wall"),
        "start_time": time_is("started_wall"),
        "end_time": time_is("ended_wall"),
        "lab": iequals("lab__name"),
        "location": contains("location__name"),
        "users": every("users__username"),
        "procedures": contains("procedures__name", many=True),
        "name": contains("name"),
        "narrative": contains("narrative"),
        "reference_weight": amount("reference_weight_g", "grams"),
        "water_type": equals("water_type__name"),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Restrictions."""
        return [
            {
                "subject": row.subject.nickname,
                "start_time": row.started_wall,
                "end_time": row.ended_wall,
                "water_type": row.water_type.name if row.water_type else None,
                "reference_weight": row.reference_weight_g or 0.0,
            }
            for row in rows
        ]


class WaterRestrictedView(ListEndpoint):
    """`/water-restricted-subjects`: the living that are restricted now."""

    serializer_class = WaterRestrictedSubjectList
    queryset = (
        Subject.objects.shown()
        .alive()
        .filter(Exists(WaterRestriction.objects.in_force().filter(subject=OuterRef("pk"))))
        .order_by("nickname", "id")
    )

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Restricted animals."""
        numbers = subject_numbers(rows)
        return [
            {
                "nickname": row.nickname,
                "url": self.link("subjects", row.nickname),
                "expected_water": numbers[row.pk].expected_water,
                "remaining_water": numbers[row.pk].remaining_water,
                "reference_weight": numbers[row.pk].reference_weight,
                "last_water_restriction": numbers[row.pk].last_water_restriction,
                "reference_weight_pct": numbers[row.pk].day.case.policy.reference_pct,
                "zscore_weight_pct": numbers[row.pk].day.case.policy.zscore_pct,
            }
            for row in rows
        ]


class WaterRequirementView(DetailEndpoint):
    """`/water-requirement/{nickname}`: one record per day."""

    serializer_class = WaterRequirement
    lookup_field = "nickname"
    queryset = Subject.objects.shown().select_related("lab")

    def found(self) -> Subject:
        """The animal in the path, as the caller means it."""
        labs = [lab for name in ("lab", "labs") for lab in split(self.request.query_params.get(name, ""))]
        return resolve_subject(actor=self.actor, nickname=self.kwargs["nickname"], labs=labs, rows=self.get_queryset())

    @extend_schema(
        parameters=[
            OpenApiParameter("start_date", {"type": "string", "format": "date"}, description="else the first record"),
            OpenApiParameter("end_date", {"type": "string", "format": "date"}, description="else today"),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The days asked for."""
        return super().get(request, *args, **kwargs)

    def record(self, row: Any) -> dict[str, Any]:
        """The animal, and each day."""
        now = clock.now()
        today = today_of(row, now)
        first, last = self._day("start_date"), self._day("end_date") or min(today, row.died_on or today)
        if first is None:  # records of a rig whose clock said 1970 must not hide today
            first = first_day(row, date.fromordinal(max(last.toordinal() - MOST_DAYS + 1, 1))) or last
        if (last - first).days >= MOST_DAYS:
            raise Invalid.of("start_date", f"at most {MOST_DAYS} days at once; {first} to {last} is more")
        days = [first + timedelta(days=at) for at in range((last - first).days + 1)]
        *records, current = days_of([(row, day) for day in [*days, today]], now)
        return {
            "subject": row.nickname,
            "implant_weight": current.implant_g or 0.0,
            "reference_weight_pct": current.case.policy.reference_pct,
            "zscore_weight_pct": current.case.policy.zscore_pct,
            "records": [_requirement(one) for one in records],
        }

    def _day(self, name: str) -> date | None:
        """The date of a parameter. Raises Invalid naming it."""
        value = self.request.query_params.get(name, "").strip()
        try:
            return as_day(value) if value else None
        except ValueError as error:
            raise Invalid.of(name, str(error)) from None


def _requirement(day: Day) -> dict[str, Any]:
    return {
        "date": day.day,
        "weight": day.weight_g or 0.0,
        "weighing_at": day.weighed_at_wall,
        "reference_weight": day.reference_g or 0.0,
        "expected_weight": day.expected_g or 0.0,
        "min_weight": day.min_g or 0.0,
        "percentage_weight": day.percentage or 0.0,
        "given_water_reward": day.reward_ml,
        "given_water_supplement": day.supplement_ml,
        "given_water_total": day.given_ml,
        "expected_water": day.expected_ml or 0.0,
        "excess_water": day.excess_ml or 0.0,
        "is_water_restricted": day.is_restricted,
        "implant_weight": day.implant_g or 0.0,
    }
