"""The night on two directories: what arrives, what does not, and what is said about it."""

from tests.transfers.world import World, assert_converged, run
from transfers import queries


def test_everything_claimed_at_the_lab_is_proved_centrally_after_one_night(world: World) -> None:
    for number in range(5):
        world.add_file(b"x" * 1000 * number)
    run()
    assert_converged(world)
    assert queries.proved() == (5, 5)
    assert world.staged() == []


def test_a_second_night_does_nothing(world: World) -> None:
    world.add_file(b"abc")
    run()
    again = run()
    assert (again.planned, again.jobs) == (0, 0)
    assert_converged(world)
