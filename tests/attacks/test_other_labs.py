"""One lab's people and another lab's things."""

import pytest

from alyx.labs.models import Membership, Role
from tests.datasets.world import World
from tests.factories.people import a_lab, a_member
from tests.factories.rest import Rest


@pytest.mark.parametrize("place", ["server", "central"])
def test_a_head_does_not_take_another_labs_repository(world: World, place: str) -> None:
    other = a_lab()
    head = a_member(other, Role.HEAD)
    wanted = getattr(world, place)
    answer = Rest(head).patch(f"labs/{other.name}", {"repositories": [wanted.name]})
    assert answer.status_code == 403, answer.content
    assert wanted.name in answer.json()["detail"]
    assert not other.repositories.exists()


def test_who_manages_both_labs_shares_a_repository(world: World) -> None:
    other = a_lab()
    head = a_member(other, Role.HEAD)
    Membership.objects.create(user=head, lab=world.lab, role=Role.DATA_MANAGER)
    answer = Rest(head).patch(f"labs/{other.name}", {"repositories": [world.central.name]})
    assert answer.status_code == 200, answer.content
    assert answer.json()["repositories"] == [world.central.name]


def test_a_head_takes_away_from_the_own_lab_what_it_has(world: World) -> None:
    head = a_member(world.lab, Role.HEAD)
    answer = Rest(head).patch(f"labs/{world.lab.name}", {"repositories": [world.central.name]})
    assert answer.json()["repositories"] == [world.central.name]
