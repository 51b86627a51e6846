"""A lab's repository as rigs leave it: folders of sessions with the names ALF gives, nothing registered."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from alyx.core import clock
from alyx.labs.models import Role, User
from datasets.models import DataFormat, Dataset, DatasetType
from tests.factories.people import a_member
from tests.transfers.world import World, make_world, write
from transfers.models import FoundFile, IntakePolicy, Scan
from transfers.services import scanning
from transfers.services.intake import set_intake
from transfers.services.scanning import Pass

TYPES = {
    "spikes.times": "",
    "clusters.metrics": "*clusters.metrics*",
    "ephysData.raw.ap": "*.ap.*bin",
    "ephysData.raw.lf": "*.lf.*bin",
    "ephysData.raw.nidq": "*.nidq.*bin",
    "ephysData.raw.ch": "*.*.ch",
    "ephysData.raw.meta": "*.meta",
    "_iblrig_Camera.raw": "*camera.raw.*",
}
FORMATS = {
    ".npy": "npy",
    ".pqt": "parquet",
    ".cbin": "cbin",
    ".bin": "flat",
    ".ch": "ch",
    ".meta": "meta",
    ".mp4": "mp4",
}


@dataclass
class Found:
    """Made by `make_found`."""

    world: World
    head: User
    rig: User
    policy: IntakePolicy
    made: list[Path] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """The session's folder."""
        return f"{self.world.session.subject.nickname}/2026-03-09/001"

    @property
    def root(self) -> Path:
        """Of the lab's repository."""
        return Path(self.world.here.root)

    def put(self, path: str, content: bytes = b"some bytes") -> Path:
        """A file in the session's folder (or, where the path begins with a slash, below the root)."""
        below = path.lstrip("/") if path.startswith("/") else f"{self.folder}/{path}"
        write(self.world.here, below, content)
        self.made.append(self.root / below)
        return self.root / below

    def allow(self, **values: Any) -> IntakePolicy:
        """Change the lab's policy."""
        self.policy = set_intake(actor=self.head, lab=self.world.lab, values=values)
        return self.policy

    def look(self, **given: Any) -> tuple[Scan, Pass]:
        """A scan by hand."""
        return scanning.by_hand(self.world.here, **given)

    def look_twice(self) -> tuple[Scan, Pass]:
        """Two scans by hand, as far apart as the lab wants."""
        self.look()
        clock.advance(timedelta(minutes=self.policy.quiet_minutes))
        return self.look()

    def names(self) -> set[str]:
        """Registered files of the session, by path below it."""
        rows = Dataset.objects.shown().filter(session__subject=self.world.session.subject).select_related("revision")
        return {dataset.path for dataset in rows}

    def reasons(self) -> dict[str, str]:
        """Why the rest is not, by path below the session's folder."""
        rows = FoundFile.objects.filter(repository=self.world.here).values_list("path", "why")
        return {path.removeprefix(f"{self.folder}/"): why for path, why in rows}


def make_found(folder: Path, name: str = "") -> Found:
    """With a rig's account in whose name files are registered."""
    world = make_world(folder, name)
    for type_name, pattern in TYPES.items():
        DatasetType.objects.get_or_create(name=type_name, defaults={"filename_pattern": pattern})
    for extension, format_name in FORMATS.items():
        DataFormat.objects.get_or_create(file_extension=extension, defaults={"name": format_name})
    head = a_member(world.lab, Role.HEAD, f"head{name}")
    rig = a_member(world.lab, Role.RIG, f"rig{name}")
    policy = set_intake(actor=head, lab=world.lab, values={"account": rig})
    return Found(world, head, rig, policy)
