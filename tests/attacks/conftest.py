"""The worlds of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache

from tests.datasets.world import World, a_world
from tests.transfers.world import World as Night
from tests.transfers.world import make_world


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """A lab, its rig and its servers; nobody has tried to log in yet."""
    cache.clear()
    yield a_world()
    cache.clear()


@pytest.fixture
def night(transactional_db: None, tmp_path: Path) -> Night:
    """Two directories standing for two servers; commits for real."""
    return make_world(tmp_path)
