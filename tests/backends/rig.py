"""Two repositories to play with, and a way round the interface to see and spoil what they store."""

import hashlib
import random
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from tests.backends.stores import Store
from transfers.backends.base import Backend, Content, Failure, FileSpec, JobSpec, Promoted, Proved, Unknown
from transfers.rules.errors import ErrorCode

NIGHT = date(2026, 11, 20)
NAME = "lab/Subjects/a/2026-11-20/001/alf/spikes.times.npy"
SOURCE_MARK, DESTINATION_MARK = "11111111-source", "22222222-destination"


def bytes_of(size: int, seed: int = 0) -> bytes:
    """Reproducible bytes."""
    return random.Random(seed).randbytes(size)


def content_of(data: bytes) -> Content:
    """What a registry that knows everything says of these bytes."""
    return Content(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest())


@dataclass
class Rig:
    """A source and a destination to play with."""

    stores: dict[str, Store]
    many: int = 60
    """How many files make a large job: each costs a handful of requests where there are requests."""

    @property
    def source(self) -> Backend:
        """Where files come from."""
        return self.stores["source"].backend

    @property
    def destination(self) -> Backend:
        """Where they go."""
        return self.stores["destination"].backend

    def put(self, path: str, data: bytes, *, at: str = "source") -> None:
        """Store bytes there by other means."""
        self.stores[at].put(path, data)

    def get(self, path: str, *, at: str = "destination") -> bytes | None:
        """The stored bytes; None: nothing."""
        return self.stores[at].get(path)

    def remove(self, path: str, *, at: str = "source") -> None:
        """Delete by other means."""
        self.stores[at].remove(path)

    def trashed(self) -> dict[str, bytes]:
        """Everything in the destination's trash, by the file's original path followed by what the trash appends."""
        return self.stores["destination"].trashed()

    def spoil_staged(self, job: JobSpec, key: str) -> None:
        """Change one byte of what is staged."""
        path = self.stores["destination"].staged_path(job, key)
        data = self.get(path)
        assert data is not None
        self.put(path, bytes([data[0] ^ 1]) + data[1:], at="destination")

    def lose_root(self, *, at: str) -> None:
        """The storage is not reachable any more."""
        self.stores[at].lose()

    def mount_other(self, *, at: str) -> None:
        """Another storage, marked for somebody else, answers instead."""
        self.stores[at].replace_by_other()

    def mount_nothing(self, *, at: str) -> None:
        """An empty place without a mark answers instead."""
        self.stores[at].empty()

    def job(self, *specs: FileSpec, fence: int = 1) -> JobSpec:
        """A job of these files."""
        return JobSpec(self.destination.prepare(), fence, specs, NIGHT)

    def spec(self, data: bytes, name: str = NAME, key: str = "1", **changes: Any) -> FileSpec:
        """A file that lies at the source, as registered."""
        self.put(name, data)
        return replace(FileSpec(key, name, name, content_of(data)), **changes)

    def carry(self, job: JobSpec) -> dict[str, Promoted | Failure]:
        """The whole way, as the engine goes it: send, prove what was moved, promote what was proved."""
        sent = self.destination.send(self.source, job).outcomes
        failed = {key: outcome for key, outcome in sent.items() if isinstance(outcome, Failure)}
        moved = replace(job, files=tuple(spec for spec in job.files if spec.key not in failed))
        proofs = self.destination.prove(self.source, moved)
        proved = {key: proof for key, proof in proofs.items() if isinstance(proof, Proved)}
        unproved = {key: proof for key, proof in proofs.items() if isinstance(proof, Failure)}
        return {**failed, **unproved, **self.destination.promote(moved, proved)}


def code(outcome: object) -> ErrorCode:
    """The code of what has to be a failure."""
    assert isinstance(outcome, Failure | Unknown), outcome
    return outcome.code
