"""A lab whose server and central store are Globus collections, for the engine."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from alyx.core import clock
from alyx.labs.models import Lab
from datasets.models import Dataset, FileRecord, HashState, Repository, RepositoryKind, RepositoryRole
from datasets.rules.copies import CopyState
from sessions.models import Session
from tests.globus.driver import StandIn
from tests.transfers.world import World, digest_of, make_world, remember
from transfers.backends.globus import Place
from transfers.models import TransferItem, TransferJob
from transfers.services import night
from transfers.services.places import establish_canary

LEASE_LAPSED = timedelta(minutes=3)
_numbers = itertools.count(1)


@dataclass
class Lone:
    """A collection as a repository, and the folder that it is here."""

    repository: Repository
    folder: Path
    collection: str

    def path(self, copy: FileRecord) -> Path:
        """Where a copy lies."""
        return self.folder / "Subjects" / copy.stored_path


@dataclass
class GlobusNight:
    """`world` holds the registry; its directories are not used but as repositories of another kind."""

    world: World
    service: StandIn
    lab: Lone
    central: Lone
    before: int

    def add(self, content: bytes, on_disk: bytes | None = None, *, hashed: bool = True) -> FileRecord:
        """A file that is registered at the lab's collection; the record at the central one."""
        dataset = Dataset.objects.create(
            session=self.world.session,
            collection="alf",
            name=f"globus{next(_numbers)}.times.npy",
            dataset_type=self.world.dataset_type,
            data_format=self.world.data_format,
            size_bytes=len(content) if hashed else None,
            md5=digest_of(content) if hashed else "",
            hash_state=HashState.ATTESTED if hashed else HashState.PENDING,
        )
        remember(dataset)
        copy = self.world.add_record(dataset, self.lab.repository, CopyState.CLAIMED)
        file = self.lab.path(copy)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if on_disk is None else on_disk)
        return self.world.add_record(dataset, self.central.repository, CopyState.EXPECTED)

    def revise(self, copy: FileRecord, content: bytes) -> None:
        """Register other bytes at the lab: what registration does to versions and copies."""
        dataset = copy.dataset
        dataset.refresh_from_db()
        dataset.content_version += 1
        dataset.size_bytes, dataset.md5, dataset.sha256 = len(content), digest_of(content), ""
        dataset.save()
        remember(dataset)
        self.source(copy).write_bytes(content)
        mine = FileRecord.objects.filter(dataset=dataset, repository=self.lab.repository)
        mine.update(state=CopyState.CLAIMED, content_version=dataset.content_version)
        FileRecord.objects.filter(pk=copy.pk).update(state=CopyState.SUPERSEDED)

    def labels(self) -> list[str]:
        """How the transfers of the service are called: by the handle of their job."""
        tasks = [task for task in self.service.tasks() if task["type"] == "TRANSFER"]
        return [task["form"]["label"] for task in tasks[self.before :]]

    def source(self, copy: FileRecord) -> Path:
        """Where the lab has the file of a copy."""
        return self.lab.path(FileRecord.objects.get(dataset=copy.dataset, repository=self.lab.repository))

    def tasks(self) -> int:
        """How many transfers were ever submitted in this test."""
        return len(self.labels())

    def jobs(self) -> int:
        """How many jobs were sent."""
        return int(TransferJob.objects.exclude(remote_id=None).count())

    def item(self, copy: FileRecord) -> TransferItem:
        """The latest item to the central collection."""
        return TransferItem.objects.filter(copy=copy).latest("created_at")

    def arrived(self, copy: FileRecord, content: bytes) -> bool:
        """Whether a copy is proved, with these bytes."""
        copy.refresh_from_db()
        if copy.state != CopyState.VERIFIED:
            return False
        assert (copy.evidence_level, copy.md5, copy.size_bytes) == (3, digest_of(content), len(content))
        assert self.central.path(copy).read_bytes() == content
        return True

    def until(self, done: Callable[[], bool], *, by: timedelta = timedelta(seconds=20), rounds: int = 80) -> None:
        """Minutes pass, with what beat and a worker do in them, until it is so."""
        for _ in range(rounds):
            work()
            if done():
                return
            clock.advance(by)
            threading.Event().wait(0.05)  # the service works in its own time
        standing = list(
            TransferJob.objects.values("state", "remote_state", "remote_problem", "remote_status", "claims")
        )
        items = list(TransferItem.objects.values_list("state", "last_error"))
        raise AssertionError((standing, items, list(Repository.objects.values_list("name", "state", "state_reason"))))

    def settled(self) -> bool:
        """Whether no job is left."""
        return not TransferJob.objects.exclude(state="settled").exists()


def work() -> None:
    """What beat and one worker do in a minute."""
    night.tick()
    night.night_work()


def collection(service: StandIn, folder: Path, lab: Lab, name: str, **more: object) -> Lone:
    """A marked repository in a new collection. It is night there."""
    key = service.collection(folder)
    (folder / "Subjects").mkdir(parents=True)
    columns = {"role": RepositoryRole.LAB, "uuid_in_names": False, "credential": "default"} | more
    repository = Repository.objects.create(
        name=name, kind=RepositoryKind.GLOBUS, root=f"globus://{key}/Subjects", **columns
    )
    repository.labs.add(lab)
    open_night(repository)
    establish_canary(actor=None, repository=repository)
    return Lone(repository, folder, key)


def open_night(repository: Repository) -> None:
    """Its window is open now, for hours."""
    now = clock.now().astimezone(repository.zone)
    start, end = now - timedelta(minutes=5), now + timedelta(hours=10)
    Repository.objects.filter(pk=repository.pk).update(window_start=start.time(), window_end=end.time())


def make_night(service: StandIn, folder: Path) -> GlobusNight:
    """A lab with two collections, besides its directories."""
    Place("", "/").forget()
    number = next(_numbers)
    world = make_world(folder / "directories", f"_g{number}")
    lab = collection(service, folder / "lab", world.lab, f"lab_globus{number}")
    central = {"role": RepositoryRole.CENTRAL, "uuid_in_names": True}
    return GlobusNight(
        world,
        service,
        lab,
        collection(service, folder / "central", world.lab, f"central_globus{number}", **central),
        sum(bool(task["type"] == "TRANSFER") for task in service.tasks()),
    )


def add_lab(made: GlobusNight, folder: Path, name: str) -> GlobusNight:
    """Another lab that sends to the same central collection."""
    lab = Lab.objects.create(name=name, timezone="Europe/London")
    session = Session.objects.get(pk=made.world.session.pk)
    session.pk, session.lab, session._state.adding = None, lab, True
    session.number += next(_numbers)
    session.save()
    made.central.repository.labs.add(lab)
    world = World(lab, session, made.world.here, made.world.central, made.world.dataset_type, made.world.data_format)
    mine = collection(made.service, folder / name, lab, f"{name}_globus")
    return GlobusNight(world, made.service, mine, made.central, made.before)
