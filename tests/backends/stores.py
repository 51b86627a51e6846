"""Storages to play with, behind the interface (`backend`) and round it."""

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any
from uuid import uuid4

from transfers.backends.base import Backend, JobSpec
from transfers.backends.paths import CANARY, STAGING, TRASH
from transfers.backends.posix import PosixBackend
from transfers.backends.s3 import Place, S3Backend

OTHER_MARK = b"99999999-other\n"


class Store(ABC):
    """One repository's storage."""

    backend: Backend

    @abstractmethod
    def put(self, path: str, data: bytes) -> None:
        """Store bytes there by other means."""

    @abstractmethod
    def get(self, path: str) -> bytes | None:
        """The stored bytes; None: nothing."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Delete by other means."""

    @abstractmethod
    def below(self, folder: str) -> dict[str, bytes]:
        """Every file below a folder, by its path from there."""

    @abstractmethod
    def staged_path(self, job: JobSpec, key: str) -> str:
        """Where a file of the job is staged."""

    @abstractmethod
    def lose(self) -> None:
        """The storage is not reachable any more."""

    @abstractmethod
    def empty(self) -> None:
        """An empty place without a mark answers instead."""

    def replace_by_other(self) -> None:
        """Another storage, marked for somebody else, answers instead."""
        self.empty()
        self.put(CANARY, OTHER_MARK)

    def trashed(self) -> dict[str, bytes]:
        """Everything in the trash, by the path below the day."""
        return {path.split("/", 1)[1]: data for path, data in self.below(TRASH).items()}


class PosixStore(Store):
    """A folder."""

    def __init__(self, root: Path, mark: str) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.backend = PosixBackend(root, None)
        self.backend.establish_canary(mark)

    def put(self, path: str, data: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(data)

    def get(self, path: str) -> bytes | None:
        file = self.root / path
        return file.read_bytes() if file.exists() else None

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def below(self, folder: str) -> dict[str, bytes]:
        files = [file for file in (self.root / folder).rglob("*") if file.is_file()]
        return {str(file.relative_to(self.root / folder)): file.read_bytes() for file in files}

    def staged_path(self, job: JobSpec, key: str) -> str:
        return f"{STAGING}/{job.handle}.{job.fence}/{key}"

    def lose(self) -> None:
        self.root.rename(self.root.with_suffix(".lost"))

    def empty(self) -> None:
        shutil.rmtree(self.root)
        self.root.mkdir()


class S3Store(Store):
    """A folder of a bucket of its own name."""

    def __init__(self, bucket: Place, mark: str) -> None:
        self.place = Place(bucket.bucket, f"{uuid4().hex}/", bucket.endpoint, bucket.region, bucket.credential)
        self.backend = S3Backend(self.place, None)
        self.backend.establish_canary(mark)

    @property
    def client(self) -> Any:
        """A client of the server."""
        return self.place.client()

    def put(self, path: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.place.bucket, Key=self.place.key(path), Body=data)

    def get(self, path: str) -> bytes | None:
        try:
            answer = self.client.get_object(Bucket=self.place.bucket, Key=self.place.key(path))
        except self.client.exceptions.NoSuchKey:
            return None
        return bytes(answer["Body"].read())

    def remove(self, path: str) -> None:
        self.client.delete_object(Bucket=self.place.bucket, Key=self.place.key(path))

    def below(self, folder: str) -> dict[str, bytes]:
        prefix = self.place.key(f"{folder}/") if folder else self.place.prefix
        return {
            key.removeprefix(prefix): self.get(key.removeprefix(self.place.prefix)) or b"" for key in self.keys(prefix)
        }

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin so."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.place.bucket, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def staged_path(self, job: JobSpec, key: str) -> str:
        return f"{STAGING}/{job.handle}/{key}"

    def lose(self) -> None:
        """Nobody listens at this address."""
        self.backend.place = Place(  # type: ignore[attr-defined]
            self.place.bucket, self.place.prefix, "http://127.0.0.1:9", self.place.region, self.place.credential
        )

    def empty(self) -> None:
        for key in self.keys(self.place.prefix):
            self.client.delete_object(Bucket=self.place.bucket, Key=key)
