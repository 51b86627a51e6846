"""Buckets for some of the labs."""

from collections.abc import Iterator

import pytest

from tests.s3.servers import Servers, servers


@pytest.fixture(scope="package")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers of their own; their file of profiles is the process's only while tests of this folder run."""
    with servers(tmp_path_factory.mktemp("s3")) as running:
        yield running
