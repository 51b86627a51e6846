"""A stand-in with two collections, and the backends on them."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from globus_sdk import TransferClient

from alyx.core import clock
from tests.backends.rig import NAME, NIGHT, content_of
from tests.globus.driver import CLIENT, NATIVE, REFRESH, SECRET, StandIn
from tests.globus.night import GlobusNight, make_night
from transfers.backends.base import Failure, FileSpec, JobSpec, Promoted, Proved, RemoteState
from transfers.backends.globus import GlobusBackend, Place
from transfers.backends.globus.place import FILE
from transfers.backends.globus.tasks import Standing

PATIENCE_S = 20.0


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The stand-in, once for all tests."""
    stand_in = StandIn(tmp_path_factory.mktemp("globus"))
    stand_in.start()
    yield stand_in
    stand_in.kill()


@pytest.fixture
def credentials(process: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of credentials, and the SDK sent to the stand-in."""
    file = tmp_path / "globus.ini"
    file.write_text(
        f"[default]\nclient_id = {CLIENT}\nclient_secret = {SECRET}\n"
        f"[person]\nclient_id = {NATIVE}\nrefresh_token = {REFRESH}\n"
        f"[wrong]\nclient_id = {CLIENT}\nclient_secret = nonsense\n"
    )
    file.chmod(0o600)
    monkeypatch.setenv(FILE, str(file))
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", process.url)
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", process.url)
    return file


@dataclass
class Ends:
    """Two collections, their folders here, and the backends on them."""

    service: StandIn
    folders: dict[str, Path]
    ids: dict[str, str]
    source: GlobusBackend
    destination: GlobusBackend

    @property
    def client(self) -> TransferClient:
        """The SDK's own client."""
        return self.destination.place.client()

    def spec(self, data: bytes, name: str = NAME, key: str = "1", **changes: Any) -> FileSpec:
        """A file that lies at the source, as registered."""
        file = self.folders["source"] / "lab" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return replace(FileSpec(key, name, name, content_of(data)), **changes)

    def job(self, *specs: FileSpec, fence: int = 1) -> JobSpec:
        """A job of these files."""
        return JobSpec(self.destination.prepare(), fence, specs, NIGHT)

    def get(self, path: str = NAME) -> bytes | None:
        """What the destination stores there."""
        file = self.folders["destination"] / "central" / path
        return file.read_bytes() if file.is_file() else None

    def send(self, job: JobSpec) -> Standing:
        """Send, and expect a task."""
        sent = self.destination.send(self.source, job)
        assert isinstance(sent, Standing), sent
        return sent

    def look(self, task: str) -> Standing:
        """How a task stands."""
        seen = self.destination.poll([task])[task]
        assert isinstance(seen, Standing)
        return seen

    def wait(self, task: str) -> Standing:
        """How a task ends."""
        ends = time.monotonic() + PATIENCE_S
        while (seen := self.look(task)).state is RemoteState.ACTIVE:
            assert time.monotonic() < ends, seen
            time.sleep(0.03)
        return seen

    def until(self, task: str, wanted: Any) -> Standing:
        """How a task stands once that is `wanted`."""
        ends = time.monotonic() + PATIENCE_S
        while not wanted(seen := self.look(task)):
            assert time.monotonic() < ends, seen
            time.sleep(0.03)
        return seen

    def carry(self, job: JobSpec) -> dict[str, Promoted | Failure]:
        """The whole way, as an engine goes it that waits for the task."""
        self.wait(self.send(job).id)
        proofs = self.destination.prove(self.source, job)
        proved = {key: proof for key, proof in proofs.items() if isinstance(proof, Proved)}
        failed = {key: proof for key, proof in proofs.items() if isinstance(proof, Failure)}
        return {**failed, **self.destination.promote(job, proved)}


@pytest.fixture
def ends(process: StandIn, credentials: Path, tmp_path: Path) -> Iterator[Ends]:
    """Two server collections, marked, with nothing planted."""
    assert os.environ[FILE] == str(credentials)
    folders = {name: tmp_path / name for name in ("source", "destination")}
    ids = {name: process.collection(folder) for name, folder in folders.items()}
    (folders["source"] / "lab").mkdir()
    (folders["destination"] / "central").mkdir()
    places = Place.of(f"globus://{ids['source']}/lab", "default"), Place(ids["destination"], "/central/")
    source, destination = (GlobusBackend(place, None) for place in places)
    source.place.forget()
    source.establish_canary("11111111-source")
    destination.establish_canary("22222222-destination")
    yield Ends(process, folders, ids, source, destination)
    process.heal()
    process.control("clock", "shift", seconds=0)
    process.control("clock", "rate", per_second=None)
    for task in process.tasks():
        process.control("task", task["id"], cancelled=1)


@pytest.fixture
def globus_night(process: StandIn, credentials: Path, tmp_path: Path, transactional_db: None) -> Iterator[GlobusNight]:
    """A lab with a server and a central store in collections. Commits for real."""
    assert credentials.exists()
    clock.set_offset(timedelta(0))
    yield make_night(process, tmp_path)
    process.heal()
    for task in process.tasks():
        process.control("task", task["id"], cancelled=1)
    clock.set_offset(timedelta(0))
