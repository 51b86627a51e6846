"""Servers behind proxies."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest

from tests.s3.servers import Servers, servers
from tests.wire.driver import Wire, wire
from transfers.backends.s3 import Place


@dataclass(frozen=True)
class Spoiled:
    """A bucket as the engine reaches it, and as the test does."""

    link: Wire
    place: Place
    direct: Place


@pytest.fixture(scope="package")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Swift and moto, with a bucket each; their file of profiles is the process's only while tests of this folder run."""
    with servers(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="package")
def links(s3: Servers) -> Iterator[dict[str, Spoiled]]:
    """Both, behind a proxy each."""
    with ExitStack() as running:
        found = {}
        for name, place in (("swift", s3.swift), ("moto", s3.versioned)):
            at = urlsplit(place.endpoint)
            link = running.enter_context(wire(str(at.hostname), int(at.port or 0)))
            found[name] = Spoiled(link, replace(place, endpoint=link.url), place)
        yield found


@pytest.fixture
def spoiled(request: pytest.FixtureRequest, links: dict[str, Spoiled]) -> Iterator[Spoiled]:
    """The one that the test names (else Swift), with nothing planted before and after."""
    found = links[getattr(request, "param", "swift")]
    found.link.heal()
    yield found
    found.link.heal()
