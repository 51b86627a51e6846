"""Doors into other labs, and lists that must not lose an animal."""

from datetime import date, datetime, timedelta

import pytest

from alyx.core import clock
from alyx.core.errors import Doubtful, Forbidden
from alyx.core.flags import typing
from alyx.labs.models import Role
from subjects.admin.shown import water_of
from subjects.models import Subject
from subjects.queries.water import welfare_today
from subjects.services.breeding import change_litter, wean_litter
from subjects.services.restriction import restrict_water
from tests.factories import a_lab, a_line, a_litter, a_member, a_pair, a_restriction, a_subject, a_surgery, a_weighing
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


def test_the_litter_page_dates_no_pup_that_lives_in_another_lab() -> None:
    lab = a_lab()
    breeder = a_member(lab)
    litter = a_litter(a_pair(a_line(lab)))
    stays, gone = a_subject(lab), a_subject(a_lab())
    Subject.objects.filter(pk__in=[stays.pk, gone.pk]).update(litter=litter, born_on=litter.born_on)
    change_litter(actor=breeder, litter=litter, changes={"birth_date": date(2026, 2, 2)})
    weaned = wean_litter(actor=breeder, litter=litter, wean_date=date(2026, 2, 23))
    stays.refresh_from_db()
    gone.refresh_from_db()
    assert (stays.born_on, stays.weaned_on) == (date(2026, 2, 2), date(2026, 2, 23))
    assert (gone.born_on, gone.weaned_on) == (date(2026, 2, 1), None)
    assert weaned == [stays]


def test_nobody_records_a_surgery_or_a_restriction_into_a_lab_where_they_may_not_write() -> None:
    lab, other = a_lab(), a_lab()
    person = a_member(lab)
    surgery = a_surgery(a_subject(lab))
    body = {"lab": str(other.pk), "implant_weight": None}
    assert Rest(person).patch(f"surgeries/{surgery.pk}", body).status_code == 403
    with pytest.raises(Forbidden):
        restrict_water(actor=person, values={"subject": a_subject(lab), "lab": other, "reference_weight": 24.0})
    surgery.refresh_from_db()
    assert surgery.lab == lab


def test_an_animal_whose_restriction_has_a_planned_end_is_on_every_list_until_then() -> None:
    lab = a_lab()
    rest = Rest(a_member(lab, Role.RIG))
    now = clock.utc_to_wall(clock.now(), lab.timezone)
    runs, over, comes = (a_subject(lab, name) for name in ("runs", "over", "comes"))
    a_restriction(runs, now - timedelta(days=3), now + timedelta(days=2))
    a_restriction(over, now - timedelta(days=3), now - timedelta(hours=1))
    a_restriction(comes, now + timedelta(days=2))
    assert [row["nickname"] for row in rest.found("water-restricted-subjects")] == ["runs"]
    assert [row["nickname"] for row in rest.found("subjects", water_restricted=True)] == ["runs"]


def test_one_weight_of_a_rig_whose_clock_said_1970_does_not_shut_the_water_requirement() -> None:
    lab = a_lab()
    rest, subject = Rest(a_member(lab, Role.RIG)), a_subject(lab, "M1")
    today = clock.utc_to_wall(clock.now(), lab.timezone)
    a_weighing(subject, 24.0, datetime(1970, 1, 1))
    a_weighing(subject, 25.0, today - timedelta(days=1))
    answer = rest.get("water-requirement/M1")
    assert answer.status_code == 200, answer.content
    assert [row["weight"] for row in answer.json()["records"]] == [25.0, 25.0]


def test_an_animal_that_died_today_is_not_restricted_unasked() -> None:
    lab = a_lab()
    person = a_member(lab)
    subject = a_subject(lab, died_on=clock.utc_to_wall(clock.now(), lab.timezone).date())
    with pytest.raises(Doubtful) as asked, typing():
        restrict_water(actor=person, values={"subject": subject, "reference_weight": 24.0})
    assert "end_time" in asked.value.fields


def test_a_restricted_animal_nobody_weighed_does_not_look_like_one_that_drinks_freely() -> None:
    thirsty, free = a_subject(), a_subject()
    a_restriction(thirsty, clock.utc_to_wall(clock.now(), thirsty.lab.timezone) - timedelta(days=1))
    days = welfare_today([thirsty, free])
    assert "not available" in water_of(days[thirsty.pk])
    assert "no weighing" in water_of(days[thirsty.pk])
    assert water_of(days[free.pk]) == ""
