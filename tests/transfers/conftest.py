"""The engine on real directories and the real database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alyx.core import clock
from tests.transfers.world import World, make_world


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> Iterator[World]:
    """A lab with two servers. Commits for real: bytes never move inside a transaction."""
    clock.set_offset(timedelta(0))
    yield make_world(tmp_path)
    clock.set_offset(timedelta(0))
