"""A lab with its server, a central store and a mirror, one session, and a rig that registers files there."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from alyx.labs.models import Lab, Role, User
from datasets.models import DataFormat, Dataset, DatasetType, FileRecord, Repository, RepositoryRole, Tag
from sessions.models import Session
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_repository, a_session, a_subject
from tests.factories.rest import Rest

FILES = ["alf/probe00/spikes.times.npy", "alf/probe00/spikes.amps.npy"]


def md5(text: str) -> str:
    """A digest that stands for some bytes."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def vocabulary() -> None:
    """The types and formats of these tests."""
    for name in ("spikes.times", "spikes.amps", "spikes.clusters", "clusters.depths"):
        DatasetType.objects.get_or_create(name=name)
    DatasetType.objects.get_or_create(name="obj.attr", defaults={"filename_pattern": "obj*.attr.*"})
    for extension in (".npy", ".pqt"):
        DataFormat.objects.get_or_create(file_extension=extension, defaults={"name": extension[1:]})
    DatasetType.objects.get_or_create(
        name="subjectTrials.table", defaults={"filename_pattern": "*subjecttrials.table*"}
    )


@dataclass
class World:
    """Who and what there is. `server` is the lab's own repository, `central` and `mirror` are servers."""

    lab: Lab
    session: Session
    rig: User
    server: Repository
    central: Repository
    mirror: Repository
    rest: Rest = field(init=False)

    def __post_init__(self) -> None:
        self.rest = Rest(self.rig)

    @property
    def path(self) -> str:
        """The session's folder, as clients send it."""
        return str(self.session)

    def body(self, *names: str, content: str = "first", **fields: Any) -> dict[str, Any]:
        """What RegistrationClient sends for files of these names; `content` stands for the bytes."""
        files = list(names) or FILES
        return {
            "created_by": self.rig.username,
            "path": self.path,
            "filenames": files,
            "hashes": [md5(content + name) for name in files],
            "filesizes": [100 + len(content) for _ in files],
            "name": self.server.name,
            "exists": True,
            "server_only": False,
            "default": True,
            "versions": [None] * len(files),
            "check_protected": False,
            "labs": self.lab.name,
            **fields,
        }

    def register(self, *names: str, status: int = 201, **fields: Any) -> Any:
        """Register over REST; the body of the answer."""
        answer = self.rest.post("register-file", self.body(*names, **fields))
        assert answer.status_code == status, answer.content
        return answer.json()

    def register_one(self, file: str = FILES[0], /, **fields: Any) -> Dataset:
        """Register one file; its dataset."""
        [record] = self.register(file, **fields)
        dataset: Dataset = Dataset.objects.get(pk=record["id"])
        return dataset

    def states(self, dataset: Any) -> dict[str, str]:
        """Repository → state of the copy."""
        rows = FileRecord.objects.filter(dataset=dataset).select_related("repository")
        return {self._word(row.repository): row.state for row in rows}

    def copy(self, dataset: Any, repository: Repository) -> FileRecord:
        """The copy there."""
        copy: FileRecord = FileRecord.objects.get(dataset=dataset, repository=repository)
        return copy

    def _word(self, repository: Repository) -> str:
        words = {self.server.pk: "server", self.central.pk: "central", self.mirror.pk: "mirror"}
        return words.get(repository.pk, repository.name)

    def protect(self, dataset: Dataset) -> None:
        """Put a protected tag on it."""
        dataset.tags.add(Tag.objects.get_or_create(name="frozen", defaults={"protected": True})[0])


def a_world(lab: str = "cortexlab", mouse: str = "KS014") -> World:
    """One."""
    vocabulary()
    home = a_lab(lab)
    role = RepositoryRole
    central = {"role": role.CENTRAL, "uuid_in_names": True, "data_url": f"http://testserver/data/{lab}/Subjects/"}
    return World(
        lab=home,
        session=a_session(a_subject(home, mouse)),
        rig=a_member(home, Role.RIG, f"rig_{lab}"),
        server=a_repository(home, name=f"{lab}_server", role=role.LAB),
        central=a_repository(home, name=f"flatiron_{lab}", globus_path=f"/{lab}/Subjects/", **central),
        mirror=a_repository(home, name=f"aws_{lab}", role=role.MIRROR, uuid_in_names=True),
    )
