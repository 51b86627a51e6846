"""The world of the registry's tests."""

import pytest

from tests.datasets.world import World, a_world


@pytest.fixture
def world(db: None) -> World:
    return a_world()
