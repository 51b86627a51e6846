"""Cages: who lives where and how; nobody is in two."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from alyx.core import clock
from alyx.core.errors import Conflict, Doubtful, Forbidden, Invalid, NotFound
from alyx.core.flags import typing
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, Role, User
from subjects.models import Housing, HousingOption, LabConditions, Stay, Subject
from subjects.queries.housing import cage_history, housing_history, living_in, subjects_named
from subjects.rules.housing import Lived, in_two_cages, mates
from subjects.services.housing import change_conditions, house, leave_cage, set_lab_conditions
from tests.factories import a_lab, a_member, a_stay, a_subject, a_superuser
from tests.sessions.test_races import at_once

EIGHT = datetime(2026, 3, 9, 8)
HOUR = timedelta(hours=1)


@pytest.fixture
def lab(db: None) -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def kate(lab: Lab) -> User:
    return a_member(lab, Role.EXPERIMENTER)


def animals(lab: Lab, count: int = 2) -> list[Subject]:
    return [a_subject(lab) for _ in range(count)]


def cages(subject: Subject) -> list[str]:
    """Where it is now."""
    return list(subject.stays.filter(ended_at__isnull=True).values_list("housing__cage_name", flat=True))


def option(kind: str, name: str) -> HousingOption:
    return HousingOption.objects.create(kind=kind, name=name)


# The rules.


def lived(subject: str, cage: str, start: int | None, end: int | None) -> Lived:
    def hour(number: int | None) -> datetime | None:
        return None if number is None else EIGHT + number * HOUR

    return Lived(subject, cage, hour(start), hour(end))


def test_mates_are_those_whose_stays_in_a_cage_overlap() -> None:
    stays = [
        lived("a", "C1", 0, 4),
        lived("b", "C1", 2, None),
        lived("c", "C1", 4, None),  # came when a left
        lived("d", "C2", 0, 4),
        lived("a", "C2", 5, None),
        lived("e", "C2", None, 6),
    ]
    assert mates(stays, "a") == [lived("b", "C1", 2, 4), lived("e", "C2", 5, 6)]
    assert mates(stays, "d") == [lived("e", "C2", 0, 4)]


def test_spans_with_a_mate_that_touch_are_one() -> None:
    stays = [lived("a", "C1", 0, 2), lived("a", "C1", 2, 5), lived("b", "C1", None, None)]
    assert mates(stays, "a") == [lived("b", "C1", 0, 5)]


SPANS = st.tuples(st.sampled_from("abc"), st.sampled_from("XY"), st.integers(0, 9), st.none() | st.integers(0, 9))


@settings(max_examples=60, deadline=None)
@given(st.lists(SPANS, max_size=8))
def test_being_a_mate_is_mutual(said: list[tuple[str, str, int, int | None]]) -> None:
    stays = [lived(one, cage, start, end) for one, cage, start, end in said if end is None or start < end]
    for one in "abc":
        for mate in mates(stays, one):
            back = [other for other in mates(stays, str(mate.subject)) if other.subject == one]
            assert any((other.cage, other.span) == (mate.cage, mate.span) for other in back)


def test_an_animal_in_two_cages_is_found() -> None:
    stays = [lived("a", "C1", 0, 3), lived("a", "C2", 2, None), lived("a", "C3", None, 0), lived("b", "C2", 0, 9)]
    assert in_two_cages(stays) == [(stays[0], stays[1])]


# Moving.


def test_animals_are_housed_with_the_defaults_of_their_lab(kate: User, lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    option("food", "pellets")
    option("cage_type", "IVC")
    set_lab_conditions(actor=head, lab=lab, values={"food": "pellets", "cage_cleaning_frequency_days": 7})
    two = animals(lab)
    housing = house(
        actor=kate, subjects=two, cage_name=" C1 ", at=EIGHT, conditions={"cage_type": "IVC", "light_cycle": "inverted"}
    )
    assert (housing.cage_name, str(housing.food), str(housing.cage_type)) == ("C1", "pellets", "IVC")
    assert (housing.cleaned_every_days, housing.light_cycle, housing.zone) == (7, "inverted", "Europe/London")
    assert housing.started_at == clock.wall_to_utc(EIGHT, "Europe/London")
    assert {stay.started_wall for stay in housing.stays.all()} == {EIGHT}
    assert {subject.cage_name for subject in Subject.objects.all()} == {"C1"}


def test_a_move_ends_the_stay_and_closes_the_cage_when_the_last_one_leaves(kate: User, lab: Lab) -> None:
    one, other = animals(lab)
    first = house(actor=kate, subjects=[one, other], cage_name="C1", at=EIGHT)
    house(actor=kate, subjects=[one], cage_name="C2", at=EIGHT + HOUR)
    first.refresh_from_db()
    assert (cages(one), cages(other), first.ended_wall) == (["C2"], ["C1"], None)
    house(actor=kate, subjects=[other], cage_name="C2", at=EIGHT + 2 * HOUR)
    first.refresh_from_db()
    assert (cages(other), first.ended_wall) == (["C2"], EIGHT + 2 * HOUR)
    assert Housing.objects.filter(ended_at__isnull=True).count() == 1
    again = house(actor=kate, subjects=[one], cage_name="C1", at=EIGHT + 3 * HOUR)
    assert again.pk != first.pk


def test_who_is_there_already_stays(kate: User, lab: Lab) -> None:
    one, other = animals(lab)
    house(actor=kate, subjects=[one], cage_name="C1", at=EIGHT)
    house(actor=kate, subjects=[one, other], cage_name="C1", at=EIGHT + HOUR)
    assert one.stays.count() == 1
    assert one.stays.get().started_wall == EIGHT


def test_leaving_empties_the_cage(kate: User, lab: Lab) -> None:
    (one,) = animals(lab, 1)
    housing = house(actor=kate, subjects=[one], cage_name="C1", at=EIGHT)
    leave_cage(actor=kate, subjects=[one], at=EIGHT + HOUR)
    housing.refresh_from_db()
    one.refresh_from_db()
    assert (cages(one), one.cage_name, housing.ended_wall) == ([], "", EIGHT + HOUR)


def test_a_time_with_an_offset_is_shown_in_the_zone_of_the_lab(kate: User, lab: Lab) -> None:
    (one,) = animals(lab, 1)
    at = clock.wall_to_utc(datetime(2026, 7, 1, 8), "UTC")
    assert house(actor=kate, subjects=[one], cage_name="C1", at=at).started_wall == datetime(2026, 7, 1, 9)


def test_moving_many_costs_as_much_as_moving_few(kate: User, lab: Lab) -> None:
    def cost(count: int, cage: str) -> int:
        some = animals(lab, count)
        house(actor=kate, subjects=some, cage_name=f"{cage} old", at=EIGHT)
        with CaptureQueriesContext(connection) as captured:
            house(actor=kate, subjects=some, cage_name=cage, at=EIGHT + HOUR)
        return len(captured)

    assert cost(2, "C1") == cost(30, "C2")


# What is refused, asked, flagged.


def test_animals_of_several_labs_are_not_housed_together(kate: User, lab: Lab) -> None:
    stranger = a_subject(a_lab("elsewhere"))
    own = a_subject(lab)
    with pytest.raises(Invalid, match="elsewhere"):
        house(actor=kate, subjects=[own, stranger], cage_name="C1")
    with pytest.raises(Invalid, match="into a cage of cortexlab"):
        house(actor=kate, subjects=[stranger], cage_name="C1", lab=lab)
    assert not Stay.objects.exists()


@pytest.mark.parametrize("role", [Role.READER, None])
def test_who_has_no_say_moves_nothing(role: Role | None, lab: Lab) -> None:
    actor = a_member(lab, role) if role else a_member(a_lab(), Role.HEAD)
    one = a_subject(lab)
    stay = a_stay(one)
    for act in (
        lambda: house(actor=actor, subjects=[one], cage_name="C1"),
        lambda: leave_cage(actor=actor, subjects=[one]),
        lambda: change_conditions(actor=actor, housing=stay.housing, conditions={"light_cycle": "inverted"}),
        lambda: set_lab_conditions(actor=actor, lab=lab, values={}),
    ):
        with pytest.raises(Forbidden):
            act()
    stay.refresh_from_db()
    assert stay.ended_at is None


def test_a_move_before_the_last_one_is_refused(kate: User, lab: Lab) -> None:
    (one,) = animals(lab, 1)
    house(actor=kate, subjects=[one], cage_name="C1", at=EIGHT)
    with pytest.raises(Invalid, match="in two cages"):
        house(actor=kate, subjects=[one], cage_name="C2", at=EIGHT - HOUR)
    leave_cage(actor=kate, subjects=[one], at=EIGHT + 2 * HOUR)
    with pytest.raises(Invalid, match="in two cages"):
        house(actor=kate, subjects=[one], cage_name="C2", at=EIGHT + HOUR)
    house(actor=kate, subjects=animals(lab), cage_name="C1", at=EIGHT + 3 * HOUR)
    with pytest.raises(Invalid, match="stands as it is since"):
        house(actor=kate, subjects=animals(lab), cage_name="C1", at=EIGHT + HOUR)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\x00b"])
def test_a_cage_has_a_name(name: str, kate: User, lab: Lab) -> None:
    with pytest.raises(Invalid, match="1 to 64"):
        house(actor=kate, subjects=animals(lab), cage_name=name)


@pytest.mark.parametrize(
    "conditions",
    [{"food": "caviar"}, {"light_cycle": "disco"}, {"colour": "red"}, {"cage_type": "pellets"}],
)
def test_unknown_conditions_are_refused(conditions: dict[str, str], kate: User, lab: Lab) -> None:
    option("food", "pellets")
    with pytest.raises(Invalid):
        house(actor=kate, subjects=animals(lab), cage_name="C1", conditions=conditions)
    assert not Housing.objects.exists()


def test_nobody_and_withdrawn_animals_are_not_housed(kate: User, lab: Lab) -> None:
    with pytest.raises(Invalid, match="which animals"):
        house(actor=kate, subjects=[], cage_name="C1")
    with pytest.raises(NotFound):
        house(actor=kate, subjects=[a_subject(lab, withdrawn_at=clock.now())], cage_name="C1")


def test_in_a_form_an_animal_that_lives_elsewhere_is_asked_back(kate: User, lab: Lab) -> None:
    (one,) = animals(lab, 1)
    house(actor=kate, subjects=[one], cage_name="C1", at=EIGHT)
    with pytest.raises(Doubtful, match="from cage C1") as asked, typing():
        house(actor=kate, subjects=[one], cage_name="C2")
    assert "subjects" in asked.value.fields
    assert cages(one) == ["C1"]
    with typing(confirmed=True):
        house(actor=kate, subjects=[one], cage_name="C2")
    assert cages(one) == ["C2"]
    assert not ReviewFlag.objects.exists()


@pytest.mark.parametrize(
    ("columns", "at", "rule"),
    [
        ({"died_on": EIGHT.date() + timedelta(days=9)}, EIGHT, "dead-animal-housed"),
        ({"born_on": EIGHT.date() + timedelta(days=1)}, EIGHT, "housed-before-birth"),
        ({}, datetime(2100, 1, 1), "date-in-the-future"),
    ],
)
def test_what_cannot_be_is_asked_in_forms_and_flagged_elsewhere(
    columns: dict[str, Any], at: datetime, rule: str, kate: User, lab: Lab
) -> None:
    one = a_subject(lab, **columns)
    with pytest.raises(Doubtful), typing():
        house(actor=kate, subjects=[one], cage_name="C1", at=at)
    assert not Stay.objects.exists()
    house(actor=kate, subjects=[one], cage_name="C1", at=at)
    assert ReviewFlag.objects.get(object_id=one.pk).rule == rule


# Conditions.


def test_any_change_of_conditions_closes_the_row_and_opens_another_with_the_same_animals(kate: User, lab: Lab) -> None:
    option("enrichment", "tunnel")
    two = animals(lab)
    old = house(actor=kate, subjects=two, cage_name="C1", at=EIGHT)
    changes: list[dict[str, Any]] = [
        {"light_cycle": "inverted"},
        {"enrichment": "tunnel"},
        {"cage_cleaning_frequency_days": 14},
    ]
    for number, change in enumerate(changes, 1):
        new = change_conditions(actor=kate, housing=old, conditions=change, at=EIGHT + number * HOUR)
        old.refresh_from_db()
        assert (new.pk == old.pk, old.ended_wall, new.started_wall) == (False, new.started_wall, EIGHT + number * HOUR)
        assert {stay.subject for stay in new.stays.filter(ended_at__isnull=True)} == set(two)
        old = new
    assert (old.light_cycle, str(old.enrichment), old.cleaned_every_days) == ("inverted", "tunnel", 14)
    assert all(cages(one) == ["C1"] for one in two)
    same = change_conditions(actor=kate, housing=old, conditions={"light_cycle": "inverted"})
    assert same.pk == old.pk


def test_moving_in_under_other_conditions_changes_those_of_the_cage(kate: User, lab: Lab) -> None:
    one, other = animals(lab)
    old = house(actor=kate, subjects=[one], cage_name="C1", at=EIGHT)
    new = house(actor=kate, subjects=[other], cage_name="C1", at=EIGHT + HOUR, conditions={"light_cycle": "normal"})
    assert new.pk != old.pk
    assert {stay.subject for stay in new.stays.all()} == {one, other}


def test_a_change_before_the_last_one_and_of_a_closed_cage_are_refused(kate: User, lab: Lab) -> None:
    (one,) = animals(lab, 1)
    housing = house(actor=kate, subjects=[one], cage_name="C1", at=EIGHT)
    with pytest.raises(Invalid, match="last change"):
        change_conditions(actor=kate, housing=housing, conditions={"light_cycle": "normal"}, at=EIGHT - HOUR)
    leave_cage(actor=kate, subjects=[one], at=EIGHT + HOUR)
    with pytest.raises(Conflict):
        change_conditions(actor=kate, housing=housing, conditions={"light_cycle": "normal"})


def test_a_lab_has_one_set_of_conditions(lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    set_lab_conditions(actor=head, lab=lab, values={"light_cycle": "inverted"})
    set_lab_conditions(actor=head, lab=lab, values={"cage_cleaning_frequency_days": 7})
    known = LabConditions.objects.get()
    assert (known.light_cycle, known.cleaned_every_days) == ("inverted", 7)


# Reading.


def test_the_history_of_an_animal_says_where_how_and_with_whom(kate: User, lab: Lab) -> None:
    one, other, third = animals(lab, 3)
    house(actor=kate, subjects=[one, other], cage_name="C1", at=EIGHT)
    house(actor=kate, subjects=[third], cage_name="C1", at=EIGHT + HOUR, conditions={"light_cycle": "inverted"})
    house(actor=kate, subjects=[one], cage_name="C2", at=EIGHT + 2 * HOUR)
    reader = a_superuser()
    with CaptureQueriesContext(connection) as captured:
        history = housing_history(one, reader=reader)
    assert len(captured) == 2
    assert [(row.housing.cage_name, row.started_wall, row.ended_wall) for row in history] == [
        ("C2", EIGHT + 2 * HOUR, None),
        ("C1", EIGHT + HOUR, EIGHT + 2 * HOUR),
        ("C1", EIGHT, EIGHT + HOUR),
    ]
    assert [{mate.subject for mate in row.mates} for row in history] == [set(), {other, third}, {other}]
    assert history[1].conditions == "inverted light"
    rows = cage_history(history[1].housing, reader=reader)
    assert [{subject.nickname for subject in living_in(row)} for row in rows] == [
        {other.nickname, third.nickname},
        {one.nickname, other.nickname},
    ]


def test_scanned_nicknames_find_the_animals_of_the_lab(lab: Lab) -> None:
    one, other = a_subject(lab, "KS_001"), a_subject(lab, "KS_002")
    a_subject(a_lab(), "KS_003")
    assert subjects_named(lab, "ks_002\nKS_001, ks_001 ;", field="x") == [other, one]
    assert subjects_named(lab, " ", field="x") == []
    with pytest.raises(Invalid, match="no animal named ks_003; nearest: KS_00"):
        subjects_named(lab, "ks_001 ks_003", field="x")


# Races, on connections of their own.


@pytest.fixture
def racing(transactional_db: None) -> tuple[Lab, User]:
    lab = a_lab("cortexlab")
    return lab, a_member(lab)


def test_two_who_move_the_same_animals_leave_each_in_one_cage(racing: tuple[Lab, User]) -> None:
    lab, kate = racing
    some = animals(lab, 3)
    for number in range(5):
        targets = [f"A{number}", f"B{number}"]
        orders = [some, some[::-1]]
        at_once(
            [
                lambda cage=cage, order=order: house(actor=kate, subjects=order, cage_name=cage)  # type: ignore[misc]
                for cage, order in zip(targets, orders, strict=True)
            ]
        )
        assert [len(cages(one)) for one in some] == [1, 1, 1]
        assert len({cages(one)[0] for one in some}) == 1
    assert Housing.objects.filter(ended_at__isnull=True).count() == 1


def test_two_who_open_the_same_cage_open_one(racing: tuple[Lab, User]) -> None:
    lab, kate = racing
    for number in range(5):
        at_once(
            [
                lambda one=one, number=number: house(actor=kate, subjects=[one], cage_name=f"C{number}")  # type: ignore[misc]
                for one in animals(lab, 3)
            ]
        )
    assert Housing.objects.filter(ended_at__isnull=True).count() == 5
    assert Stay.objects.filter(ended_at__isnull=True).count() == 15


def test_a_change_of_conditions_while_an_animal_moves_out_loses_neither(racing: tuple[Lab, User]) -> None:
    lab, kate = racing
    one, other = animals(lab)
    for number in range(5):
        name = f"C{number}"
        housing = house(actor=kate, subjects=[one, other], cage_name=name)
        at_once(
            [
                lambda n=number: house(actor=kate, subjects=[one], cage_name=f"D{n}"),  # type: ignore[misc]
                lambda h=housing: change_conditions(  # type: ignore[misc]
                    actor=kate, housing=h, conditions={"light_cycle": "inverted"}
                ),
            ]
        )
        assert (cages(one), cages(other)) == ([f"D{number}"], [name])
        open_row = Housing.objects.get(cage_name=name, ended_at__isnull=True)
        assert open_row.light_cycle == "inverted"
