"""The servers, once for all tests here."""

from collections.abc import Iterator

import pytest

from tests.s3.servers import Servers, servers


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Both servers, with a bucket each."""
    with servers(tmp_path_factory.mktemp("s3")) as running:
        yield running
