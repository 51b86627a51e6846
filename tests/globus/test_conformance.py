"""The Globus backend obeys the rules of all backends, except those that need somebody to read bytes in a collection."""

import shutil
import time
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest

from tests.backends.conformance import BadInput, Looking, Moving, Ownership, Removing
from tests.backends.rig import DESTINATION_MARK, SOURCE_MARK, Rig
from tests.backends.stores import OTHER_MARK, Store
from tests.globus.driver import StandIn
from transfers.backends.base import Backend, Beat, JobSpec, Remote, RemoteState, unattended
from transfers.backends.globus import GlobusBackend, Place
from transfers.backends.globus.collection import MARKS
from transfers.backends.globus.staging import staged_name
from transfers.backends.paths import STAGING

pytestmark = pytest.mark.once

PATIENCE_S = 20.0


class Patient(GlobusBackend):
    """Waits for what the service does by itself, so that callers see it done."""

    service: ClassVar[StandIn]

    def send(self, source: Backend, job: JobSpec, beat: Beat = unattended) -> Remote:
        """Send, and wait for the end of the task."""
        sent = super().send(source, job, beat)
        remote = sent
        ends = time.monotonic() + PATIENCE_S
        while remote.state is RemoteState.ACTIVE and time.monotonic() < ends:
            time.sleep(0.02)
            remote = self.poll([sent.id])[sent.id]
        return Remote(remote.id, remote.state, {**sent.outcomes, **remote.outcomes})

    def sweep_staging(self, before: datetime, live_handles: Collection[str]) -> list[str]:
        """Sweep, and wait for the deletion."""
        swept = super().sweep_staging(before, live_handles)
        ends = time.monotonic() + PATIENCE_S
        while any(task["status"] == "ACTIVE" for task in self.service.tasks()) and time.monotonic() < ends:
            time.sleep(0.02)
        return swept


class GlobusStore(Store):
    """A folder behind a collection."""

    def __init__(self, service: StandIn, root: Path, mark: str) -> None:
        self.service, self.root = service, root
        self.key = service.collection(root)
        self.backend = Patient(Place(self.key), None)
        self.backend.establish_canary(mark)

    def put(self, path: str, data: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def get(self, path: str) -> bytes | None:
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def below(self, folder: str) -> dict[str, bytes]:
        files = [file for file in (self.root / folder).rglob("*") if file.is_file()]
        return {str(file.relative_to(self.root / folder)): file.read_bytes() for file in files}

    def staged_path(self, job: JobSpec, key: str) -> str:
        content = next(spec.content for spec in job.files if spec.key == key)
        return f"{STAGING}/{job.handle}/{staged_name(key, content)}"

    def lose(self) -> None:
        self.service.control("collection", self.key, connected=False)

    def empty(self) -> None:
        shutil.rmtree(self.root)
        self.root.mkdir()

    def replace_by_other(self) -> None:
        self.empty()
        (self.root / MARKS / OTHER_MARK.decode().strip()).mkdir(parents=True)


class TestGlobusConformance(Looking, Moving, BadInput, Ownership, Removing):
    """All rules but those named here."""

    # The service gives no contents: nothing is hashed by us, neither a source nor what lies at rest.
    test_the_digest_is_that_of_the_stored_bytes = None  # type: ignore[assignment]
    test_the_digest_of_a_missing_file_is_a_failure = None  # type: ignore[assignment]
    test_the_same_bytes_already_in_place_are_left_there = None  # type: ignore[assignment]
    test_damage_on_the_way_is_told_from_a_changed_source_and_made_good_by_a_new_attempt = None  # type: ignore[assignment]
    test_bytes_changed_between_proof_and_promotion_do_not_get_the_name = None  # type: ignore[assignment]
    test_a_file_without_a_digest_whose_source_changed_since_is_not_proved = None  # type: ignore[assignment]
    # A source that is not as registered ends the task as a digest mismatch (test_backend.py); why, nobody can read.
    test_a_truncated_source = None  # type: ignore[assignment]
    test_a_changed_source = None  # type: ignore[assignment]
    # Its Moved has evidence of the transport (test_backend.py).
    test_a_file_arrives_proved_under_its_final_name = None  # type: ignore[assignment]

    @pytest.fixture
    def rig(self, process: StandIn, credentials: Path, tmp_path: Path) -> Rig:
        """Two collections; a file costs some requests."""
        assert credentials.exists()
        Patient.service = process
        Place("", "/").forget()
        marks = {"source": SOURCE_MARK, "destination": DESTINATION_MARK}
        return Rig({name: GlobusStore(process, tmp_path / name, mark) for name, mark in marks.items()}, many=9)
