"""A lab whose server holds files that nobody registered."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alyx.core import clock
from tests.agent.place import Found, make_found


@pytest.fixture
def found(transactional_db: None, tmp_path: Path) -> Iterator[Found]:
    """A lab with two servers and a policy; its vocabulary knows spikes, clusters, ephys and video."""
    clock.set_offset(timedelta(0))
    yield make_found(tmp_path)
    clock.set_offset(timedelta(0))
