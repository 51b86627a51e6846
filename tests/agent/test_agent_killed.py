"""An agent killed at every declared place: nothing is lost, nothing half made is ever registered, nothing is left over."""

import hashlib
import os
import signal
from collections.abc import Callable

import pytest
from django.db import connection

from alyx.core import failpoints
from datasets.models import Dataset
from tests.agent.place import Found
from tests.agent.test_agent import AP, assert_compressed_and_registered, one_round, record
from transfers.agent import ephys
from transfers.models import FoundFile, Scan

pytestmark = [pytest.mark.kill, pytest.mark.once]

PLACES = sorted(place for place in failpoints.DECLARED if place.startswith(("agent.", "scan.")))


def in_child(action: Callable[[], object], place: str) -> bool:
    """Run it in a process of its own, to be killed at `place`; whether it was."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    child = os.fork()
    if child == 0:
        failpoints.arm(place)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def assert_nothing_half_made(found: Found, data: bytes) -> None:
    """Whatever happened, the original's bytes are somewhere whole, and what is registered lies there and unpacks to them."""
    folder = found.root / found.folder
    originals = [folder / f"{AP}.bin", *(found.root / ".alyx-trash").rglob("*.bin.v0")]
    assert any(file.exists() and file.read_bytes() == data for file in originals)
    for dataset in Dataset.objects.exclude(name__endswith=".meta"):
        assert hashlib.sha256((folder / dataset.path).read_bytes()).hexdigest() == dataset.sha256
        assert ephys.unpacked(folder / f"{AP}.cbin", folder / f"{AP}.ch") == (
            len(data),
            hashlib.sha256(data).hexdigest(),
        )


@pytest.mark.parametrize("place", [*PLACES, "agent.placed:2"])
def test_killed_there_and_started_again_it_ends_the_same(found: Found, place: str) -> None:
    data = record(found, seconds=1.2)
    killed = in_child(lambda: one_round(found), place)
    assert_nothing_half_made(found, data)
    again = in_child(lambda: one_round(found), place)
    assert_nothing_half_made(found, data)
    one_round(found)
    assert_compressed_and_registered(found, data)
    assert Dataset.objects.get(name__endswith=".cbin").generating_software == "mtscomp"
    assert set(Dataset.objects.values_list("content_version", flat=True)) == {1}
    assert killed or again, "a place that is never passed shows nothing"


def test_looks_survive_a_kill(found: Found) -> None:
    found.put("alf/spikes.times.npy")
    assert in_child(lambda: one_round(found), "scan.page_done")
    first = FoundFile.objects.get().since
    one_round(found)
    assert FoundFile.objects.get().since == first
    assert Scan.objects.count() == 1
