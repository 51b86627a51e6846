"""A small world for the engine: a lab with two directories standing for two servers, and files registered there."""

import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from alyx.labs.models import Lab
from datasets.models import (
    ContentVersion,
    DataFormat,
    Dataset,
    DatasetType,
    FileRecord,
    HashState,
    Repository,
    RepositoryRole,
)
from datasets.rules import alf
from datasets.rules.copies import CopyState
from sessions.models import Session
from subjects.models import Subject
from transfers.models import Attempt, TransferItem, TransferJob
from transfers.services import night
from transfers.services.places import establish_canary
from transfers.services.planning import EVERYTHING, Scope

_numbers = itertools.count(1)


@dataclass
class World:
    """Made by `make_world`."""

    lab: Lab
    session: Session
    here: Repository
    central: Repository
    dataset_type: DatasetType
    data_format: DataFormat
    datasets: list[Dataset] = field(default_factory=list)

    def add_file(
        self,
        content: bytes,
        *,
        name: str = "",
        at: Repository | None = None,
        state: CopyState = CopyState.CLAIMED,
        hashed: bool = True,
        on_disk: bytes | None = None,
        central: bool = True,
    ) -> Dataset:
        """A dataset registered at the lab's repository, its bytes on the disk there (`on_disk`: other ones; b"" with
        `state` EXPECTED: none), and a place for it at the central one."""
        place = at or self.here
        dataset = Dataset.objects.create(
            session=self.session,
            collection="alf",
            name=name or f"obj{next(_numbers)}.times.npy",
            dataset_type=self.dataset_type,
            data_format=self.data_format,
            size_bytes=len(content) if hashed else None,
            md5=digest_of(content) if hashed else "",
            hash_state=HashState.ATTESTED if hashed else HashState.PENDING,
        )
        remember(dataset)
        copy = self.add_record(dataset, place, state)
        write(place, copy.stored_path, content if on_disk is None else on_disk)
        if central and place != self.central:
            self.add_record(dataset, self.central, CopyState.EXPECTED)
        self.datasets.append(dataset)
        return dataset

    def add_record(self, dataset: Dataset, place: Repository, state: CopyState) -> FileRecord:
        """A record at a place."""
        path = f"{self.session}/{dataset.path}"
        stored = alf.with_uuid(path, dataset.pk) if place.uuid_in_names else path
        return FileRecord.objects.create(
            dataset=dataset,
            repository=place,
            relative_path=path,
            stored_path=stored,
            path_key=alf.path_key(stored, case_sensitive=place.case_sensitive),
            content_version=dataset.content_version,
            state=state,
        )

    def add_repository(self, folder: Path, name: str, **columns: Any) -> Repository:
        """Another marked repository of the lab."""
        return make_repository(self.lab, folder, name, **columns)

    def revise(self, dataset: Dataset, content: bytes) -> None:
        """Register other bytes at the lab: what registration does to versions and copies."""
        dataset.refresh_from_db()
        dataset.content_version += 1
        dataset.size_bytes, dataset.md5, dataset.sha256 = len(content), digest_of(content), ""
        dataset.save()
        remember(dataset)
        mine = self.copy(dataset, self.here)
        write(self.here, mine.stored_path, content)
        FileRecord.objects.filter(pk=mine.pk).update(state=CopyState.CLAIMED, content_version=dataset.content_version)
        others = FileRecord.objects.filter(dataset=dataset).exclude(pk=mine.pk)
        others.filter(state__in=["claimed", "verified", "suspect", "corrupt"]).update(state=CopyState.SUPERSEDED)
        others.filter(state="incoming").update(state=CopyState.EXPECTED, content_version=dataset.content_version)

    def copy(self, dataset: Dataset, place: Repository | None = None) -> FileRecord:
        """A dataset's record at a place (default: central)."""
        found: FileRecord = FileRecord.objects.get(dataset=dataset, repository=place or self.central)
        return found

    def bytes_at(self, dataset: Dataset, place: Repository | None = None) -> bytes | None:
        """What lies there; None: nothing."""
        copy = self.copy(dataset, place)
        path = Path(copy.repository.root) / copy.stored_path
        return path.read_bytes() if path.exists() else None

    def path_of(self, dataset: Dataset, place: Repository | None = None) -> Path:
        """Where it lies."""
        copy = self.copy(dataset, place)
        return Path(copy.repository.root) / copy.stored_path

    def item(self, dataset: Dataset) -> TransferItem:
        """The latest item to the central repository."""
        items = TransferItem.objects.filter(dataset=dataset, destination=self.central)
        return items.latest("created_at")

    def staged(self, place: Repository | None = None) -> list[Path]:
        """Files left in the staging places."""
        root = Path((place or self.central).root) / ".alyx-staging"
        return [path for path in root.rglob("*") if path.is_file()]


def digest_of(content: bytes) -> str:
    """MD5 in hex, as clients send it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write(place: Repository, path: str, content: bytes) -> None:
    """Put bytes at a place."""
    file = Path(place.root) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def remember(dataset: Dataset) -> None:
    """What registration writes beside a new version."""
    ContentVersion.objects.create(
        dataset=dataset,
        content_version=dataset.content_version,
        size_bytes=dataset.size_bytes,
        md5=dataset.md5,
        sha256=dataset.sha256,
    )


def make_repository(lab: Lab, folder: Path, name: str, **columns: Any) -> Repository:
    """A marked repository below `folder`."""
    root = folder / name / "Subjects"
    root.mkdir(parents=True)
    repository = Repository.objects.create(name=name, root=str(root), **columns)
    repository.labs.add(lab)
    establish_canary(actor=None, repository=repository)
    return repository


def make_world(folder: Path, name: str = "") -> World:
    """A lab, a session, a lab repository and a central one; `name` tells several worlds apart."""
    lab = Lab.objects.create(name=f"cortexlab{name}", timezone="Europe/London")
    subject = Subject.objects.create(nickname=f"KS014{name}", lab=lab)
    session = Session.objects.create(
        subject=subject,
        lab=lab,
        path_date=date(2026, 3, 9),
        zone="Europe/London",
        started_wall=datetime(2026, 3, 9, 14, 0),
        started_at=datetime(2026, 3, 9, 14, 0, tzinfo=UTC),
    )
    return World(
        lab=lab,
        session=session,
        here=make_repository(lab, folder, f"lab_server{name}", timezone="Europe/London"),
        central=make_repository(
            lab,
            folder,
            f"central_server{name}",
            role=RepositoryRole.CENTRAL,
            uuid_in_names=True,
            timezone="America/New_York",
        ),
        dataset_type=DatasetType.objects.get_or_create(name="obj.times")[0],
        data_format=DataFormat.objects.get_or_create(name="npy", defaults={"file_extension": ".npy"})[0],
    )


def run(scope: Scope = EVERYTHING) -> night.Progress:
    """A night by hand in this process."""
    return night.run_now(actor=None, scope=scope, progress=night.Progress(), patience_seconds=0)


def assert_converged(world: World, *, kept: int = 0) -> None:
    """Everything is proved centrally, once, with the right bytes; nothing is left behind but `kept` staged files that
    failed their proof."""
    for dataset in world.datasets:
        dataset.refresh_from_db()
        copy = world.copy(dataset)
        assert (copy.state, copy.content_version) == ("verified", dataset.content_version), copy.reason
        content = world.bytes_at(dataset)
        assert content is not None
        assert digest_of(content) == dataset.md5 == copy.md5
        assert hashlib.sha256(content).hexdigest() == dataset.sha256 == copy.sha256
        assert len(content) == dataset.size_bytes
    items = TransferItem.objects.filter(dataset__in=world.datasets)
    assert not TransferJob.objects.filter(destination=world.central).exclude(state="settled").exists()
    assert not items.exclude(state__in=["done", "stale"]).exists()
    done = items.filter(state="done")
    assert done.values("dataset", "content_version").distinct().count() == done.count(), "no version is sent twice"
    assert Attempt.objects.filter(item__in=items, outcome="done").count() <= done.count()
    assert len(world.staged()) == kept
