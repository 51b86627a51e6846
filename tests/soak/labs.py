"""Labs that record every day, with files and disks that fail, and people who mend them some days later."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from datasets.models import ContentVersion, Dataset, FileRecord, HashState, Repository
from datasets.rules import alf
from datasets.rules.copies import CopyState
from tests.s3.buckets import Bucket, make_bucket
from tests.transfers.world import World, digest_of, make_world, write
from transfers.backends.s3 import Place
from transfers.models import TransferItem
from transfers.services.reconsidering import retry_item

ZONES = ["Europe/London", "America/New_York", "Asia/Tokyo", "America/Los_Angeles"]
FILE_FAULTS = ("vanished", "changed", "cut short", "late", "revised")
FAULTY = 0.05
"""Part of the files with a fault; as likely is a lab's disk that is not there for a day."""
WRONG = (CopyState.SUSPECT, CopyState.MISSING, CopyState.CORRUPT, CopyState.EXPECTED)


@dataclass
class SoakLab:
    """One lab: its world, perhaps a bucket in place of the central directory, and what is to be mended on which day."""

    world: World
    bucket: Bucket | None
    dice: random.Random
    to_mend: dict[int, list[Callable[[], None]]] = field(default_factory=lambda: defaultdict(list))
    planted: Counter[str] = field(default_factory=Counter)
    damaged: set[str] = field(default_factory=set)
    """Datasets with such a file."""
    contents: dict[str, bytes] = field(default_factory=dict)
    stored_in: Path = Path()
    """Where the bytes of the central directory are now."""

    def __post_init__(self) -> None:
        self.stored_in = Path(self.world.central.root)

    def record(self, day: int, files: int) -> None:
        """A day's files, some of them with a fault."""
        contents = [self.dice.randbytes(self.dice.randrange(1, 3_000)) for _ in range(files)]
        faults = [self.dice.choice(FILE_FAULTS) if self.dice.random() < FAULTY else "" for _ in contents]
        states = [CopyState.ANNOUNCED if fault == "late" else CopyState.CLAIMED for fault in faults]
        made = register(self.world, f"obj{day}x", contents, states, central=self.bucket is None)
        for number, dataset in enumerate(made):
            self.contents[str(dataset.pk)] = contents[number]
            if faults[number]:
                self.plant(day, faults[number], dataset, contents[number])
        if self.dice.random() < FAULTY:
            self.unplug(day)

    def plant(self, day: int, fault: str, dataset: Dataset, content: bytes) -> None:
        """Something is wrong with a file, until somebody mends it."""
        self.planted[fault] += 1
        self.damaged.add(str(dataset.pk))
        path = self.world.path_of(dataset, self.world.here)
        if fault in {"vanished", "late"}:
            path.unlink()
        elif fault == "changed":
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        elif fault == "cut short":
            path.write_bytes(content[:-1])
        mend = self.revise if fault == "revised" else self.restore
        self.to_mend[day + self.dice.randrange(1, 4)].append(lambda: mend(dataset))

    def unplug(self, day: int) -> None:
        """The lab's disk, or the central one, is not mounted; its empty folder is."""
        place = self.world.here if self.bucket or self.dice.random() < 0.7 else self.world.central
        root = Path(place.root)
        aside = root.with_name(f"unplugged{day}")
        if place == self.world.central:
            self.stored_in = aside
        root.rename(aside)
        root.mkdir()
        self.planted["unplugged"] += 1

        def plug_in() -> None:
            for found in sorted(root.rglob("*"), reverse=True):  # what was recorded meanwhile goes onto the disk
                if found.is_dir():
                    found.rmdir()
                    continue
                into = aside / found.relative_to(root)
                into.parent.mkdir(parents=True, exist_ok=True)
                found.rename(into)
            root.rmdir()
            aside.rename(root)
            self.stored_in = Path(self.world.central.root)

        self.to_mend[day + 1].insert(0, plug_in)

    def restore(self, dataset: Dataset) -> None:
        """Somebody puts the right bytes back, says so, and starts again what waits for a person."""
        copy = self.world.copy(dataset, self.world.here)
        write(self.world.here, copy.stored_path, self.contents[str(dataset.pk)])
        FileRecord.objects.filter(pk=copy.pk, state__in=WRONG).update(state=CopyState.CLAIMED)
        for item in TransferItem.objects.filter(dataset=dataset, state="needs_human"):
            retry_item(actor=None, item=item)

    def revise(self, dataset: Dataset) -> None:
        """Registered again with other bytes."""
        content = self.dice.randbytes(500)
        self.contents[str(dataset.pk)] = content
        self.world.revise(dataset, content)

    def mend(self, day: int) -> None:
        """What somebody does on this day."""
        for action in self.to_mend.pop(day, []):
            action()

    @property
    def target(self) -> Repository:
        """Where its files go."""
        return self.bucket.repository if self.bucket else self.world.central

    def check_claims(self, *, at_most: int | None = None) -> int:
        """Copies said to be proved that are (of `at_most`, the latest); fails on the first that is not."""
        rows = FileRecord.objects.filter(repository=self.target, state=CopyState.VERIFIED).order_by("-verified_at")
        proved = list(rows[:at_most] if at_most else rows)
        for copy in proved:
            path = self.stored_in / copy.stored_path
            stored = self.bucket.get(copy.stored_path) if self.bucket else path.read_bytes()
            assert stored is not None
            assert digest_of(stored) == copy.md5, f"a false claim: {copy}"
            assert stored == self.contents[str(copy.dataset_id)]
        return len(proved)


def register(
    world: World, prefix: str, contents: list[bytes], states: list[CopyState], *, central: bool = True
) -> list[Dataset]:
    """Files on the lab's disk and in the registry, as `World.add_file` does for one: many in a few statements.

    `states`: of each one's record at the lab. They are not among the world's own datasets.
    """
    made = [
        Dataset(
            session=world.session,
            collection="alf",
            name=f"{prefix}{number}.times.npy",
            dataset_type=world.dataset_type,
            data_format=world.data_format,
            size_bytes=len(content),
            md5=digest_of(content),
            hash_state=HashState.ATTESTED,
        )
        for number, content in enumerate(contents)
    ]
    here = [copy_of(world, *one, world.here) for one in zip(made, states, strict=True)]
    there = [copy_of(world, dataset, CopyState.EXPECTED, world.central) for dataset in made if central]
    Dataset.objects.bulk_create(made)
    ContentVersion.objects.bulk_create(
        ContentVersion(dataset=one, content_version=1, size_bytes=one.size_bytes, md5=one.md5) for one in made
    )
    FileRecord.objects.bulk_create(here + there)
    for copy, content in zip(here, contents, strict=True):
        write(world.here, copy.stored_path, content)
    return made


def copy_of(world: World, dataset: Dataset, state: CopyState, place: Repository) -> FileRecord:
    """A record at a place, not saved."""
    path = f"{world.session}/{dataset.path}"
    stored = alf.with_uuid(path, dataset.pk) if place.uuid_in_names else path
    return FileRecord(
        dataset=dataset,
        repository=place,
        relative_path=path,
        stored_path=stored,
        path_key=alf.path_key(stored, case_sensitive=place.case_sensitive),
        content_version=1,
        state=state,
    )


def make_labs(folder: Path, count: int, buckets: list[Place], seed: int) -> list[SoakLab]:
    """So many labs; the last ones fill buckets instead of directories."""
    labs = []
    for number in range(count):
        world = make_world(folder / str(number), f"_{number}")
        Repository.objects.filter(pk=world.here.pk).update(timezone=ZONES[number % len(ZONES)])
        bucket = None
        if count - number <= len(buckets):
            Repository.objects.filter(pk=world.central.pk).update(state="retiring")
            bucket = make_bucket(world.lab, buckets[count - number - 1], f"bucket_{number}")
        labs.append(SoakLab(world, bucket, random.Random(f"{seed} {number}")))
    return labs
