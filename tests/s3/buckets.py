"""Repositories in buckets, for tests of the whole engine."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from alyx.labs.models import Lab
from datasets.models import Dataset, FileRecord, Repository, RepositoryKind, RepositoryRole
from tests.backends.rig import bytes_of
from transfers.backends.paths import CANARY, STAGING, TRASH
from transfers.backends.s3 import Place
from transfers.backends.s3.objects import PART_BYTES
from transfers.services.places import establish_canary

LARGE = bytes_of(PART_BYTES + 4321)
"""Two parts."""


@dataclass(frozen=True)
class Bucket:
    """A marked repository, and a way round the engine to see what lies there."""

    repository: Repository
    place: Place

    @property
    def client(self) -> Any:
        """A client of its server."""
        return self.place.client()

    def get(self, path: str) -> bytes | None:
        """The stored bytes; None: nothing."""
        try:
            answer = self.client.get_object(Bucket=self.place.bucket, Key=self.place.key(path))
        except self.client.exceptions.NoSuchKey:
            return None
        return bytes(answer["Body"].read())

    def put(self, path: str, data: bytes) -> None:
        """Store bytes by other means."""
        self.client.put_object(Bucket=self.place.bucket, Key=self.place.key(path), Body=data)

    def paths(self) -> list[str]:
        """All that lies there, without our mark."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.place.bucket, Prefix=self.place.prefix
        )
        found = [one["Key"].removeprefix(self.place.prefix) for page in pages for one in page.get("Contents", ())]
        return [path for path in found if path != CANARY]

    def data(self) -> list[str]:
        """Files under their final names."""
        return [path for path in self.paths() if not path.startswith((STAGING, TRASH))]

    def staged(self) -> list[str]:
        """Files left in the staging places (not who held those)."""
        names = [path.rsplit("/", 1)[1] for path in self.paths() if path.startswith(STAGING)]
        return [name for name in names if "." not in name and name != "closed"]

    def uploads(self) -> list[str]:
        """Uploads under way."""
        answer = self.client.list_multipart_uploads(Bucket=self.place.bucket, Prefix=self.place.prefix)
        return [one["Key"] for one in answer.get("Uploads", ())]

    def copy(self, dataset: Dataset) -> FileRecord:
        """The dataset's record here."""
        found: FileRecord = FileRecord.objects.get(dataset=dataset, repository=self.repository)
        return found


def make_bucket(lab: Lab, server: Place, name: str, **columns: Any) -> Bucket:
    """A marked repository of the lab in a folder of its own."""
    place = Place(server.bucket, f"{uuid4().hex}/Subjects/", server.endpoint, server.region, server.credential)
    given = {"role": RepositoryRole.MIRROR, "uuid_in_names": True} | columns
    repository = Repository.objects.create(
        name=name,
        kind=RepositoryKind.S3,
        root=f"s3://{place.bucket}/{place.prefix.rstrip('/')}",
        endpoint=place.endpoint,
        region=place.region,
        credential=place.credential,
        **given,
    )
    repository.labs.add(lab)
    establish_canary(actor=None, repository=repository)
    return Bucket(repository, place)
