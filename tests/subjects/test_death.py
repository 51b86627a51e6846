"""Culls and the death date that follows them; adverse effects; licences."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.core.audit import acting
from alyx.core.errors import Conflict, Doubtful, Forbidden, Invalid, NotFound
from alyx.core.flags import typing
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, Role, User
from subjects.models import AdverseEffect, Cull, Housing, Licence, Severity, Stay, Subject, WaterRestriction
from subjects.services.death import (
    change_adverse_effect,
    change_cull,
    cull_many,
    death_date_changed,
    record_adverse_effect,
    record_cull,
    undo_cull,
    withdraw_adverse_effect,
)
from subjects.services.housing import house
from subjects.services.licence import change_licence, create_licence
from tests.factories import a_cull, a_lab, a_member, a_restriction, a_session, a_subject, a_weighing, a_word
from tests.sessions.test_races import at_once

EIGHT = datetime(2026, 3, 9, 8)
DAY = date(2026, 3, 20)


@pytest.fixture
def lab(db: None) -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def kate(lab: Lab) -> User:
    return a_member(lab, Role.EXPERIMENTER, "kate")


@pytest.fixture
def mouse(lab: Lab, kate: User) -> Subject:
    """Kate's, restricted, in a cage with another."""
    subject = a_subject(lab, "M1", responsible_user=kate, to_be_culled=True)
    a_restriction(subject)
    house(actor=kate, subjects=[subject, a_subject(lab, "M2")], cage_name="C1", at=EIGHT)
    return subject


def ends(subject: Subject) -> tuple[Any, Any, Any]:
    """Death date, end of the stay, end of the restriction."""
    subject.refresh_from_db()
    return (
        subject.died_on,
        Stay.objects.get(subject=subject).ended_wall,
        WaterRestriction.objects.get(subject=subject).ended_wall,
    )


# Culls.


def test_a_cull_says_when_why_and_how_and_ends_what_lasts_as_long_as_a_life(kate: User, mouse: Subject) -> None:
    from subjects.models import CullMethod, CullReason

    a_word(CullReason, "underweight")
    a_word(CullMethod, "CO2")
    values = {"date": DAY, "reason": "underweight", "method": "CO2", "description": "below 70 %"}
    cull = record_cull(actor=kate, subject=mouse, values=values)
    assert (cull.culled_on, str(cull.reason), str(cull.method), cull.user) == (DAY, "underweight", "CO2", kate)
    last = datetime(2026, 3, 20, 23, 59, 59)
    assert ends(mouse) == (DAY, last, last)
    assert (mouse.to_be_culled, mouse.cage_name) == (False, "")
    assert Housing.objects.get().ended_wall is None, "its mate lives on in the cage"


def test_a_cull_without_a_date_is_of_today_and_of_now(kate: User, mouse: Subject) -> None:
    cull = record_cull(actor=kate, subject=mouse, values={})
    now = clock.utc_to_wall(clock.now(), "Europe/London")
    died, stay_ended, restriction_ended = ends(mouse)
    assert cull.culled_on == died == now.date()
    assert now - timedelta(minutes=1) < stay_ended == restriction_ended <= now


def test_the_last_one_in_the_cage_closes_it(kate: User, lab: Lab) -> None:
    some = [a_subject(lab) for _ in range(3)]
    house(actor=kate, subjects=some, cage_name="C9", at=EIGHT)
    cull_many(actor=kate, subjects=some, values={"date": DAY})
    assert Housing.objects.get().ended_wall == datetime(2026, 3, 20, 23, 59, 59)


def test_an_animal_is_culled_once(kate: User, mouse: Subject) -> None:
    record_cull(actor=kate, subject=mouse, values={"date": DAY})
    with pytest.raises(Conflict, match="M1 on 2026-03-20"):
        record_cull(actor=kate, subject=mouse, values={"date": DAY})


def test_of_many_all_are_culled_or_none(kate: User, mouse: Subject, lab: Lab) -> None:
    dead = a_cull(a_subject(lab, "M9")).subject
    with pytest.raises(Conflict):
        cull_many(actor=kate, subjects=[mouse, dead], values={"date": DAY})
    assert ends(mouse) == (None, None, None)
    others = a_subject(lab, "M8", responsible_user=a_member(lab))
    with pytest.raises(Forbidden, match="M8"):
        cull_many(actor=kate, subjects=[mouse, others], values={"date": DAY})
    with pytest.raises(NotFound):
        cull_many(actor=kate, subjects=[a_subject(lab, withdrawn_at=clock.now())], values={})
    assert Cull.objects.count() == 1


def test_culling_many_costs_as_much_as_culling_few(kate: User, lab: Lab) -> None:
    def cost(count: int) -> int:
        some = [a_subject(lab) for _ in range(count)]
        house(actor=kate, subjects=some, cage_name=f"C{count}", at=EIGHT)
        with CaptureQueriesContext(connection) as captured:
            cull_many(actor=kate, subjects=some, values={"date": DAY})
        return len(captured)

    assert cost(2) == cost(20)


@pytest.mark.parametrize("values", [{"reason": "boredom"}, {"method": "boredom"}, {"user": "nobody"}])
def test_unknown_words_are_refused_and_nothing_is_saved(values: dict[str, str], kate: User, mouse: Subject) -> None:
    with pytest.raises(Invalid) as refused:
        record_cull(actor=kate, subject=mouse, values={"date": DAY, **values})
    assert set(refused.value.fields) == set(values)
    assert ends(mouse) == (None, None, None)


@pytest.mark.parametrize(
    ("on", "rule"),
    [
        (date(2025, 11, 2), "death-before-birth"),
        (date(2026, 3, 18), "recorded-after-death"),
        (date(2026, 3, 16), "recorded-after-death"),
        (date(2100, 1, 1), "date-in-the-future"),
        (date(2026, 3, 21), "other-death-date"),
    ],
)
def test_a_doubtful_date_is_asked_in_forms_and_flagged_elsewhere(on: date, rule: str, kate: User, lab: Lab) -> None:
    subject = a_subject(lab, "M3")
    if rule == "other-death-date":
        Subject.objects.filter(pk=subject.pk).update(died_on=DAY)
    a_weighing(subject, at=datetime(2026, 3, 17, 10))
    a_session(subject, start=datetime(2026, 3, 19, 10))
    with pytest.raises(Doubtful) as asked, typing():
        record_cull(actor=kate, subject=subject, values={"date": on})
    assert set(asked.value.fields) == {"date"}
    assert not Cull.objects.exists()
    record_cull(actor=kate, subject=subject, values={"date": on})
    subject.refresh_from_db()
    assert subject.died_on == on
    assert rule in ReviewFlag.objects.filter(object_id=subject.pk).values_list("rule", flat=True)


def test_what_the_person_says_is_right_is_kept(kate: User, mouse: Subject) -> None:
    with typing(confirmed=True):
        record_cull(actor=kate, subject=mouse, values={"date": date(2025, 1, 1)})
    died, stay_ended, restriction_ended = ends(mouse)
    assert died == date(2025, 1, 1)
    assert stay_ended == EIGHT, "a stay never ends before it began"
    assert restriction_ended >= EIGHT
    assert not ReviewFlag.objects.exists()


# The date and the death date are one.


def test_changing_the_date_moves_the_death_date_and_what_ended_with_the_life(kate: User, mouse: Subject) -> None:
    cull = record_cull(actor=kate, subject=mouse, values={"date": DAY})
    change_cull(actor=kate, cull=cull, changes={"date": date(2026, 3, 18), "description": "seen on Monday"})
    last = datetime(2026, 3, 18, 23, 59, 59)
    assert ends(mouse) == (date(2026, 3, 18), last, last)
    cull.refresh_from_db()
    assert cull.description == "seen on Monday"
    with pytest.raises(Invalid, match="undo"):
        change_cull(actor=kate, cull=cull, changes={"date": None})
    with pytest.raises(Doubtful), typing():
        change_cull(actor=kate, cull=cull, changes={"date": date(2025, 1, 1)})
    with pytest.raises(Forbidden):
        change_cull(actor=a_member(mouse.lab), cull=cull, changes={"description": "mine"})


def test_changing_the_death_date_moves_the_cull(kate: User, mouse: Subject) -> None:
    cull = record_cull(actor=kate, subject=mouse, values={"date": DAY})
    mouse.refresh_from_db()
    mouse.died_on = date(2026, 3, 18)
    mouse.save()
    death_date_changed(mouse, actor=kate)
    cull.refresh_from_db()
    assert cull.culled_on == date(2026, 3, 18)
    assert ends(mouse)[1] == datetime(2026, 3, 18, 23, 59, 59)
    mouse.died_on = None
    with pytest.raises(Invalid, match="undo the cull"):
        death_date_changed(mouse, actor=kate)


def test_an_animal_found_dead_leaves_its_cage_and_its_restriction(kate: User, mouse: Subject) -> None:
    mouse.refresh_from_db()
    mouse.died_on = DAY
    mouse.save()
    death_date_changed(mouse)
    last = datetime(2026, 3, 20, 23, 59, 59)
    assert ends(mouse) == (DAY, last, last)
    assert (mouse.to_be_culled, mouse.cage_name) == (False, "")


# The wrong animal.


def test_a_cull_of_the_wrong_animal_is_undone(kate: User, mouse: Subject) -> None:
    with acting(actor=kate, path="tests"):
        cull = record_cull(actor=kate, subject=mouse, values={"date": DAY})
        key = cull.pk
        alive = undo_cull(actor=kate, cull=cull)
    assert (alive.died_on, alive.to_be_culled, alive.cage_name) == (None, True, "C1")
    assert ends(mouse) == (None, None, None)
    assert (mouse.to_be_culled, mouse.cage_name) == (True, "C1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgh_label FROM subjects_cullevent WHERE pgh_obj_id = %s ORDER BY pgh_id", [key])
        assert [label for (label,) in cursor.fetchall()] == ["insert", "delete"]
    record_cull(actor=kate, subject=mouse, values={"date": DAY})
    with pytest.raises(NotFound):
        undo_cull(actor=kate, cull=Cull(pk=key, subject=mouse))


def test_undoing_opens_the_cage_again_that_it_closed(kate: User, lab: Lab) -> None:
    subject = a_subject(lab)
    housing = house(actor=kate, subjects=[subject], cage_name="C1", at=EIGHT)
    cull = record_cull(actor=kate, subject=subject, values={"date": DAY})
    undo_cull(actor=kate, cull=cull)
    housing.refresh_from_db()
    assert housing.ended_at is None
    assert Stay.objects.get().ended_at is None


def test_undoing_leaves_a_cage_alone_that_stands_otherwise_by_now(kate: User, lab: Lab) -> None:
    subject, mate = a_subject(lab), a_subject(lab)
    house(actor=kate, subjects=[subject], cage_name="C1", at=EIGHT)
    cull = record_cull(actor=kate, subject=subject, values={"date": DAY})
    house(actor=kate, subjects=[mate], cage_name="C1")
    alive = undo_cull(actor=kate, cull=cull)
    assert (alive.died_on, alive.cage_name) == (None, "")
    assert Housing.objects.filter(ended_at__isnull=True).count() == 1
    assert not Stay.objects.filter(subject=subject, ended_at__isnull=True).exists()


def test_who_may_not_cull_may_not_undo(kate: User, mouse: Subject) -> None:
    cull = record_cull(actor=kate, subject=mouse, values={"date": DAY})
    with pytest.raises(Forbidden):
        undo_cull(actor=a_member(mouse.lab), cull=cull)
    assert Cull.objects.exists()


# Adverse effects.


def test_an_adverse_effect_is_recorded_changed_and_withdrawn(kate: User, mouse: Subject) -> None:
    values = {"date_time": EIGHT, "description": "limps", "severity": Severity.MODERATE, "action_taken": "carprofen"}
    effect = record_adverse_effect(actor=kate, subject=mouse, values=values)
    assert (effect.at_wall, effect.zone, effect.user) == (EIGHT, "Europe/London", kate)
    assert effect.at == clock.wall_to_utc(EIGHT, "Europe/London")
    change_adverse_effect(actor=kate, effect=effect, changes={"resolved_on": DAY})
    effect.refresh_from_db()
    assert (effect.resolved_on, effect.description) == (DAY, "limps")
    withdraw_adverse_effect(actor=kate, effect=effect)
    assert not AdverseEffect.objects.shown().exists()
    with pytest.raises(NotFound):
        change_adverse_effect(actor=kate, effect=effect, changes={})


def test_without_a_time_it_is_now(kate: User, mouse: Subject) -> None:
    effect = record_adverse_effect(actor=kate, subject=mouse, values={"description": "limps"})
    assert abs(clock.now() - effect.at) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("values", "field"),
    [({"description": "  "}, "description"), ({}, "description"), ({"description": "x", "severity": 9}, "severity")],
)
def test_an_adverse_effect_that_says_nothing_is_refused(
    values: dict[str, Any], field: str, kate: User, mouse: Subject
) -> None:
    with pytest.raises(Invalid) as refused:
        record_adverse_effect(actor=kate, subject=mouse, values=values)
    assert set(refused.value.fields) == {field}


@pytest.mark.parametrize(
    "values",
    [
        {"date_time": datetime(2025, 1, 1)},
        {"date_time": datetime(2100, 1, 1)},
        {"date_time": EIGHT, "resolved_on": date(2026, 3, 1)},
    ],
)
def test_doubtful_times_of_adverse_effects_are_asked_and_flagged(
    values: dict[str, Any], kate: User, mouse: Subject
) -> None:
    values = {"description": "limps", **values}
    with pytest.raises(Doubtful), typing():
        record_adverse_effect(actor=kate, subject=mouse, values=values)
    effect = record_adverse_effect(actor=kate, subject=mouse, values=values)
    assert ReviewFlag.objects.filter(object_id=effect.pk).exists()


def test_a_stranger_records_no_harm(mouse: Subject) -> None:
    with pytest.raises(Forbidden):
        record_adverse_effect(actor=a_member(a_lab()), subject=mouse, values={"description": "x"})


# Licences.


def test_licences_are_a_managers_affair(kate: User, lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    values = {"number": " PPL 7 ", "lab": lab.name, "holder": "kate", "from_on": date(2026, 1, 1)}
    with pytest.raises(Forbidden):
        create_licence(actor=kate, values=values)
    licence = create_licence(actor=head, values=values)
    assert (licence.number, licence.holder, licence.lab) == ("PPL 7", kate, lab)
    for wrong, field in (({"number": ""}, "number"), ({"to_on": date(2025, 1, 1)}, "to_on"), ({}, "number")):
        with pytest.raises(Invalid) as refused:
            create_licence(actor=head, values={**values, **wrong})
        assert set(refused.value.fields) == {field}
    with pytest.raises(Invalid):
        change_licence(actor=head, licence=licence, changes={"to_on": date(2025, 1, 1)})
    with pytest.raises(Forbidden):
        change_licence(actor=head, licence=licence, changes={"lab": a_lab().name})
    assert change_licence(actor=head, licence=licence, changes={"title": "vision"}).title == "vision"
    assert Licence.objects.get().to_on is None


# Races, on connections of their own.


def test_two_who_cull_the_same_animal_cull_it_once(transactional_db: None) -> None:
    lab = a_lab("cortexlab")
    head = a_member(lab, Role.HEAD)
    for number in range(4):
        subject = a_subject(lab)
        house(actor=head, subjects=[subject], cage_name=f"C{number}", at=EIGHT)

        def cull(subject: Subject = subject) -> bool:
            try:
                record_cull(actor=head, subject=subject, values={"date": DAY})
            except Conflict:
                return False
            return True

        assert sorted(at_once([cull, cull])) == [False, True]
    assert Cull.objects.count() == 4
    assert not Housing.objects.filter(ended_at__isnull=True).exists()


def test_a_cull_and_a_move_at_once_leave_a_dead_animal_in_no_cage(transactional_db: None) -> None:
    lab = a_lab("cortexlab")
    head = a_member(lab, Role.HEAD)
    for number in range(4):
        subject = a_subject(lab)

        def move(subject: Subject = subject, number: int = number) -> None:
            with typing():
                try:
                    house(actor=head, subjects=[subject], cage_name=f"D{number}", at=EIGHT)
                except Doubtful:
                    return

        at_once([move, lambda one=subject: record_cull(actor=head, subject=one, values={"date": DAY})])  # type: ignore[misc]
        assert not Stay.objects.filter(subject=subject, ended_at__isnull=True).exists()
        subject.refresh_from_db()
        assert (subject.died_on, subject.cage_name) == (DAY, "")


def test_a_restriction_planned_to_last_longer_ends_with_the_animal(kate: User, lab: Lab) -> None:
    subject = a_subject(lab, "M3", responsible_user=kate)
    planned = clock.utc_to_wall(clock.now(), lab.timezone) + timedelta(days=30)
    restriction = a_restriction(subject, end=planned)
    record_cull(actor=kate, subject=subject, values={})
    restriction.refresh_from_db()
    assert restriction.ended_at is not None
    assert restriction.ended_at <= clock.now()
