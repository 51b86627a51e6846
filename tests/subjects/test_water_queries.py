"""The welfare numbers of stored animals: what counts on which day, and that the cost does not grow."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.core.status import Status
from subjects import models as m
from subjects.models import Subject
from subjects.queries.water import first_day, subject_numbers, water_days, welfare_on, welfare_today
from subjects.rules.day import Day
from tests.factories.animals import a_policy, a_restriction, a_surgery, a_water, a_weighing, a_word
from tests.factories.people import a_lab
from tests.factories.records import a_session, a_subject

pytestmark = pytest.mark.django_db
START, DAY = datetime(2026, 3, 12, 9), date(2026, 4, 23)
MORNING = datetime(2026, 4, 23, 9)


def the_male(**columns: Any) -> Subject:
    """The animal of the golden values."""
    lab = columns.pop("lab", None) or a_lab(reference_weight_pct=0.85)
    subject = a_subject(lab, sex="M", born_on=date(2026, 1, 1), **columns)
    a_surgery(subject, datetime(2026, 3, 1, 10), implant_weight_g=1.5)
    a_weighing(subject, 26.5, START - timedelta(hours=1))
    a_restriction(subject, START)
    a_weighing(subject, 22.5, MORNING)
    return subject


def on(subject: Subject, day: date = DAY) -> Day:
    """Its numbers on a day."""
    return welfare_on([subject], day)[subject.pk]


def test_the_golden_animal_in_the_database() -> None:
    subject = the_male()
    a_water(subject, 0.6, MORNING, session_id=a_session(subject, start=MORNING).pk)
    a_water(subject, 0.2, MORNING + timedelta(hours=5))
    a_water(subject, 5.0, MORNING - timedelta(days=1))
    day = on(subject)
    assert (day.reference_g, day.expected_g, day.min_g, day.percentage) == pytest.approx((26.5, 26.5, 22.75, 84.0))
    assert (day.reward_ml, day.supplement_ml, day.expected_ml, day.remaining_ml) == pytest.approx(
        (0.6, 0.2, 1.05, 0.25)
    )
    assert day.status is Status.FAILED
    assert (
        "policy" in day.explained()["min_g"].inputs[0].source
        or "percentages" in day.explained()["min_g"].inputs[0].source
    )


def test_what_does_not_count_is_in_no_number() -> None:
    subject = the_male()
    before = on(subject)
    a_weighing(subject, 0.0, MORNING + timedelta(hours=1), counts=False)
    a_weighing(subject, 30.0, MORNING + timedelta(hours=2), withdrawn_at=clock.now())
    a_weighing(subject, 31.0, MORNING + timedelta(days=1))
    a_water(subject, 99.0, MORNING, counts=False)
    a_water(subject, 1.0, MORNING, withdrawn_at=clock.now())
    a_surgery(subject, MORNING + timedelta(days=1), implant_weight_g=0.0)
    a_surgery(subject, MORNING - timedelta(days=1), implant_weight_g=None)
    assert on(subject) == before


def test_a_past_day_is_judged_by_the_policy_of_that_day() -> None:
    subject = the_male()
    a_policy(subject.lab, None, reference_weight_pct=0.8)
    a_policy(subject.lab, date(2026, 4, 20), reference_weight_pct=0.0, zscore_weight_pct=0.8)
    old, new = on(subject, date(2026, 4, 19)), on(subject)
    assert old.min_g == pytest.approx(0.8 * 25 + 1.5)
    assert new.expected_g == pytest.approx(30.859, abs=5e-4)


def test_an_implant_counts_from_its_day() -> None:
    subject = the_male()
    a_surgery(subject, datetime(2026, 4, 10, 12), implant_weight_g=2.5)
    assert on(subject, date(2026, 4, 9)).implant_g == 1.5
    later = on(subject)
    assert (later.implant_g, later.expected_g) == pytest.approx((2.5, 27.5))


@pytest.mark.parametrize(("day", "restricted"), [(11, False), (12, True), (19, True), (20, True), (21, False)])
def test_a_restriction_is_in_force_from_its_first_to_its_last_day(day: int, restricted: bool) -> None:
    subject = a_subject()
    a_restriction(subject, START, datetime(2026, 3, 20, 18))
    assert on(subject, date(2026, 3, day)).is_restricted is restricted


def test_today_a_restriction_holds_until_it_ends_and_no_longer_than_life() -> None:
    subject = a_subject()
    a_restriction(subject, START, datetime(2026, 3, 20, 18))
    for hour, restricted in ((17, True), (19, False)):
        now = clock.wall_to_utc(datetime(2026, 3, 20, hour), subject.lab.timezone)
        assert welfare_today([subject], now)[subject.pk].is_restricted is restricted
    dead = a_subject(died_on=date(2026, 4, 1))
    a_restriction(dead, START)
    assert on(dead, date(2026, 4, 1)).is_restricted
    assert not on(dead).is_restricted


def test_today_is_the_date_in_the_zone_of_the_lab() -> None:
    now = clock.wall_to_utc(datetime(2026, 4, 23, 23, 30), "Europe/London")
    london, tokyo = a_subject(), a_subject(a_lab(timezone="Asia/Tokyo"))
    days = welfare_today([london, tokyo], now)
    assert (days[london.pk].day, days[tokyo.pk].day) == (date(2026, 4, 23), date(2026, 4, 24))


def test_a_strain_with_a_curve_of_its_own() -> None:
    strain = a_word(m.Strain)
    for week, mean in ((10, 50.0), (16, 60.0)):
        m.GrowthPoint.objects.create(strain=strain, sex="M", age_weeks=week, mean_g=mean, sd_g=5.0)
    own, female = on(the_male(strain=strain)), on(a_subject(sex="F", strain=strain))
    assert own.zscored_g == pytest.approx(60.0 + 5.0 * (25.0 - 50.0) / 5.0)
    assert female.case.curve is not own.case.curve


def test_a_history_is_the_same_as_its_days() -> None:
    subject = the_male()
    days = water_days(subject, date(2026, 3, 10), DAY)
    assert len(days) == 45
    assert days == [on(subject, one.day) for one in days]
    assert [one.is_restricted for one in days[:3]] == [False, False, True]
    assert first_day(subject) == START.date()
    assert first_day(a_subject()) is None
    assert water_days(subject, DAY, DAY - timedelta(days=1)) == []


def test_the_numbers_of_the_record() -> None:
    subject, free = the_male(), a_subject()
    numbers = subject_numbers([subject, free], clock.wall_to_utc(MORNING, "Europe/London"))
    one = numbers[subject.pk]
    assert (one.reference_weight, one.last_water_restriction) == (26.5, START)
    assert (one.expected_water, one.remaining_water) == pytest.approx((1.05, 1.05))
    other = numbers[free.pk]
    assert (other.reference_weight, other.last_water_restriction, other.expected_water) == (0.0, None, 0.0)


def cost(call: Any) -> int:
    """Queries of a call."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


def test_the_cost_does_not_grow() -> None:
    strain = a_word(m.Strain)
    few = [the_male(strain=strain)]
    many = few + [the_male(lab=few[0].lab) for _ in range(3)] + [the_male()]
    fetched = list(Subject.objects.filter(pk__in=[one.pk for one in many]))
    assert cost(lambda: welfare_today(few)) == cost(lambda: welfare_today(fetched)) == 4
    assert cost(lambda: subject_numbers(fetched)) == 5
    assert cost(lambda: water_days(few[0], date(2026, 1, 1), DAY)) == 4
    assert cost(lambda: welfare_today([])) == 0
