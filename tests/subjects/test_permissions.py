"""Who may do what to which animal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alyx.core.errors import Forbidden
from alyx.labs.models import Role
from subjects.models import Subject
from subjects.permissions import Act, authorise_animal, authorise_breeding, may_animal, may_breed, permitted
from subjects.rules.permissions import Stand, allowed, stands
from tests.factories import a_lab, a_member, a_subject, a_superuser, a_user

WAYS = st.fixed_dictionaries(
    {
        "role": st.sampled_from([None, "reader", "rig", "experimenter", "data_manager", "head"]),
        "is_responsible": st.booleans(),
        "is_delegate": st.booleans(),
        "is_stock_manager": st.booleans(),
        "has_responsible": st.booleans(),
        "animal_is_stock": st.booleans(),
    }
)


@given(WAYS, st.sampled_from(Act))
def test_without_a_writing_role_in_the_lab_nobody_writes(ways: dict[str, Any], act: Act) -> None:
    if ways["role"] in {None, "reader"}:
        assert not allowed(act, stands(**ways))


@given(WAYS)
def test_whoever_may_write_at_all_may_weigh_and_water(ways: dict[str, Any]) -> None:
    found = stands(**ways)
    assert allowed(Act.RECORD, found) == bool(found)


@given(WAYS, st.sampled_from(Act))
def test_a_head_may_everything_and_a_rig_only_records(ways: dict[str, Any], act: Act) -> None:
    assert allowed(act, stands(**{**ways, "role": "head"}))
    assert allowed(act, stands(**{**ways, "role": "rig"})) == (act == Act.RECORD)


@given(WAYS, st.sampled_from(["is_responsible", "is_delegate", "is_stock_manager"]), st.sampled_from(Act))
def test_being_closer_to_an_animal_never_takes_away(ways: dict[str, Any], closer: str, act: Act) -> None:
    assert allowed(act, stands(**{**ways, closer: True})) >= allowed(act, stands(**{**ways, closer: False}))


def test_a_stock_manager_has_no_say_over_an_experimenters_animal() -> None:
    way: dict[str, Any] = {
        "role": "experimenter",
        "is_responsible": False,
        "is_delegate": False,
        "is_stock_manager": True,
    }
    assert Stand.STOCK_MANAGER not in stands(**way, has_responsible=True, animal_is_stock=False)
    assert Stand.STOCK_MANAGER in stands(**way, has_responsible=True, animal_is_stock=True)


@pytest.fixture
def animal(db: None) -> Subject:
    """An animal of somebody."""
    lab = a_lab()
    return a_subject(lab, responsible_user=a_member(lab))


def test_others_weigh_it_but_do_not_manage_it(animal: Subject) -> None:
    colleague = a_member(animal.lab)
    authorise_animal(colleague, animal, Act.RECORD)
    authorise_animal(colleague, animal, Act.TREAT)
    with pytest.raises(Forbidden, match="may not manage subject"):
        authorise_animal(colleague, animal, Act.MANAGE)


def test_owner_delegate_and_head_manage_it(animal: Subject) -> None:
    owner, delegate, head = animal.responsible_user, a_member(animal.lab), a_member(animal.lab, Role.HEAD)
    assert owner is not None
    owner.allowed_users.add(delegate)
    for person in (owner, delegate, head, a_superuser()):
        authorise_animal(person, animal, Act.MANAGE)


def test_an_owner_of_another_lab_does_not_write(animal: Subject) -> None:
    animal.lab = a_lab()
    animal.save()
    assert not may_animal(animal.responsible_user, animal, Act.RECORD)


def test_somebody_of_no_lab_and_somebody_inactive_do_nothing(animal: Subject) -> None:
    gone = a_member(animal.lab, Role.HEAD, is_active=False)
    for person in (a_user(), gone, None):
        assert permitted(person, [animal], Act.RECORD) == set()


def test_any_number_of_animals_costs_three_queries(animal: Subject, django_assert_num_queries: Any) -> None:
    people = [a_member(animal.lab) for _ in range(5)]
    for person in people:
        a_subject(animal.lab, responsible_user=person)
    animals = list(Subject.objects.select_related("responsible_user"))
    with django_assert_num_queries(3):
        mine = permitted(people[0], animals, Act.MANAGE)
    assert {one.responsible_user for one in animals if one.pk in mine} == {people[0]}


def test_breeding_is_for_the_labs_people_and_not_for_rigs(animal: Subject) -> None:
    assert may_breed(a_member(animal.lab), animal.lab)
    assert may_breed(a_member(a_lab()), None)
    assert not may_breed(a_member(animal.lab, Role.RIG), animal.lab)
    with pytest.raises(Forbidden, match="colony of lab"):
        authorise_breeding(a_member(a_lab(), Role.HEAD), animal.lab)
