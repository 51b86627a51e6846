"""Buckets for some of the labs."""

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.s3.servers import Servers, servers


@pytest.fixture(scope="package")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers of their own; their file of profiles is the process's only while tests of this folder run."""
    with servers(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(autouse=True)
def emptied(transactional_db: None) -> Iterator[None]:
    """Tens of thousands of files are forgotten at once: emptied row by row, each would be looked for in every table."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE datasets_dataset CASCADE")
