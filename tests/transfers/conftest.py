"""The engine on real directories and the real database."""

from pathlib import Path

import pytest

from tests.transfers.world import World, make_world


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> World:
    """A lab with two servers. Commits for real: bytes never move inside a transaction."""
    return make_world(tmp_path)
