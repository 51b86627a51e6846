"""A dump as three labs on one Alyx 3 would write it, of any size, the same for the same seed.

It has what real ones have: the same nickname in two labs, two records of one copy, two default revisions, files hashed by
nobody, one path registered twice with other bytes, aggregates, files gone from where they were.
"""

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

Object = dict[str, Any]
LABS = {"cortexlab": "Europe/London", "angelakilab": "America/New_York", "hausserlab": "Europe/Lisbon"}
FILES = (
    ("raw_behavior_data", "_iblrig_taskData.raw.jsonable"),
    ("raw_video_data", "_iblrig_leftCamera.raw.mp4"),
    ("raw_ephys_data/probe00", "_spikeglx_ephysData_g0_t0.imec0.ap.cbin"),
    ("alf", "_ibl_trials.table.pqt"),
    ("alf", "_ibl_wheel.position.npy"),
    ("alf/probe00/pykilosort", "spikes.times.npy"),
    ("alf/probe00/pykilosort", "spikes.clusters.npy"),
    ("alf/probe00/pykilosort", "clusters.metrics.pqt"),
)
FORMATS = ("jsonable", "mp4", "cbin", "pqt", "npy")
REGIONS = {997: None, 8: 997, 567: 8, 900000001: 567}
"""Three that everybody knows, and one of somebody's own."""
DEFECT_EVERY = 40
"""One session in so many has one of each defect."""


@dataclass
class Size:
    """How much of it."""

    sessions: int
    subjects: int = 12
    files: int = 25
    channels: int = 12
    tasks: int = 5
    defects: dict[str, int] = field(default_factory=dict)
    """Filled while writing: how often each defect was written."""


def write_dump(path: Path, size: Size, seed: int = 1) -> dict[str, int]:
    """Write it, packed; returns how many objects of each model it has."""
    counts: dict[str, int] = {}
    with gzip.open(path, "wt", compresslevel=1) as file:
        for number, one in enumerate(objects(size, random.Random(seed))):
            file.write(("[" if number == 0 else ",") + json.dumps(one) + "\n")
            counts[one["model"]] = counts.get(one["model"], 0) + 1
        file.write("]")
    return counts


def objects(size: Size, draw: random.Random) -> Iterator[Object]:
    """The objects, one after the other."""
    maker = _Maker(size, draw)
    yield from maker.world()
    for number in range(size.sessions):
        yield from maker.session(number)


class _Maker:
    def __init__(self, size: Size, draw: random.Random) -> None:
        self.size, self.draw = size, draw
        self.labs = {name: self.key() for name in LABS}
        self.users = [self.key() for _ in LABS]
        self.places = {(lab, role): self.key() for lab in LABS for role in ("local", "flatiron")}
        self.types = {name: self.key() for _, name in FILES}
        self.formats = {name: self.key() for name in FORMATS}
        self.revisions = {name: self.key() for name in ("2024-01-10", "2024-05-06")}
        self.tag, self.project, self.model, self.system = (self.key() for _ in range(4))
        self.subjects = [
            (list(LABS)[number % len(LABS)], f"MX_{number // 2:03d}", self.key()) for number in range(size.subjects)
        ]

    def key(self) -> str:
        return str(UUID(int=self.draw.getrandbits(128), version=4))

    def one(self, model: str, key: str | None = None, /, **fields: Any) -> Object:
        return {"model": model, "pk": key or self.key(), "fields": fields}

    def defect(self, name: str) -> None:
        self.size.defects[name] = self.size.defects.get(name, 0) + 1

    def world(self) -> Iterator[Object]:
        yield {"model": "contenttypes.contenttype", "pk": 31, "fields": {"app_label": "actions", "model": "session"}}
        for number, (lab, zone) in enumerate(LABS.items()):
            places = [self.places[lab, role] for role in ("local", "flatiron")]
            yield self.one("misc.lab", self.labs[lab], name=lab, timezone=zone, repositories=places)
            yield self.one(
                "misc.labmember",
                self.users[number],
                username=f"user{number}",
                is_active=True,
                date_joined="2023-01-01T00:00:00",
            )
            yield self.one("misc.labmembership", user=self.users[number], lab=self.labs[lab], role="")
            url = f"https://ibl.flatironinstitute.org/{lab}/Subjects/"
            yield self.one(
                "data.datarepository",
                self.places[lab, "local"],
                name=f"{lab}_SR",
                timezone=zone,
                globus_path="/mnt/s0/Data/Subjects/",
                globus_is_personal=True,
                hostname="",
                data_url=None,
            )
            yield self.one(
                "data.datarepository",
                self.places[lab, "flatiron"],
                name=f"flatiron_{lab}",
                timezone="UTC",
                globus_path=f"/{lab}/Subjects/",
                globus_is_personal=False,
                hostname="ibl",
                data_url=url,
            )
        for name, key in self.types.items():
            yield self.one(
                "data.datasettype",
                key,
                name=name.removeprefix("_ibl_").rpartition(".")[0],
                filename_pattern=f"*{name}*",
            )
        for name, key in self.formats.items():
            yield self.one("data.dataformat", key, name=name, file_extension=f".{name}")
        for name, key in self.revisions.items():
            yield self.one("data.revision", key, name=name, created_datetime=f"{name}T00:00:00")
        yield self.one("data.tag", self.tag, name="2024_Q1_Paper", protected=True, public=True)
        yield self.one("subjects.project", self.project, name="brainwide", users=self.users)
        yield self.one(
            "experiments.probemodel", self.model, name="Neuropixels 3B2", probe_model="3B2", probe_manufacturer="imec"
        )
        yield self.one("experiments.coordinatesystem", self.system, name="Needles-Allen")
        for region, parent in REGIONS.items():
            yield {
                "model": "experiments.brainregion",
                "pk": region,
                "fields": {"acronym": f"r{region}", "name": f"region {region}", "parent": parent, "lft": 1},
            }
        for lab, name, key in self.subjects:
            yield self.one("subjects.subject", key, nickname=name, lab=self.labs[lab], sex="F", birth_date="2023-06-01")
            yield from self.dataset(
                lab,
                {"content_type": ["subjects", "subject"], "object_id": key},
                "",
                "_ibl_subjectTraining.table.pqt",
                f"{name}/_ibl_subjectTraining.table.pqt",
            )

    def dataset(self, lab: str, owner: Object, collection: str, name: str, path: str, **more: Any) -> Iterator[Object]:
        key, suffix = self.key(), name.rpartition(".")[2]
        yield self.one("data.dataset", key, **{
            "session": None, **owner, "collection": collection, "name": name, "hash": f"{self.draw.getrandbits(128):032x}",
            "file_size": self.draw.randrange(100, 10**9), "dataset_type": self.types.get(name) or self.types[FILES[0][1]],
            "data_format": self.formats[suffix],
            "created_by": self.users[0], "created_datetime": "2024-03-01T12:00:00", "version": "2.13.1", "revision": None,
            "default_dataset": True, "tags": [self.tag] if name.startswith("_ibl_trials") else [], **more,
        })  # fmt: skip
        for role in ("local", "flatiron"):
            exists = role == "flatiron" or self.draw.random() < 0.6
            yield self.one(
                "data.filerecord",
                dataset=key,
                data_repository=self.places[lab, role],
                relative_path=path,
                exists=exists,
            )

    def session(self, number: int) -> Iterator[Object]:
        lab, nickname, subject = self.subjects[number % len(self.subjects)]
        key, start = self.key(), datetime(2024, 1, 8, 10, 30) + timedelta(days=number // len(self.subjects))
        folder, odd = f"{nickname}/{start.date()}/001", number % DEFECT_EVERY == DEFECT_EVERY // 2
        yield self.one(
            "actions.session",
            key,
            subject=subject,
            lab=self.labs[lab],
            start_time=start.isoformat(),
            number=1,
            users=[self.users[0]],
            projects=[self.project],
            task_protocol="_iblrig_tasks_ephysChoiceWorld6.6.1",
            qc=10,
        )
        for index in range(self.size.files):
            collection, name = FILES[index % len(FILES)]
            collection = collection if index < len(FILES) else f"{collection}/part{index // len(FILES):02d}"
            hashed = {"hash": None} if index == 1 else {}
            yield from self.dataset(lab, {"session": key}, collection, name, f"{folder}/{collection}/{name}", **hashed)
        if odd:
            yield from self.defects(lab, key, folder)
        yield from self.probe(key)
        yield from self.pipeline(lab, key)
        yield self.one(
            "misc.note",
            user=self.users[1],
            content_type=31,
            object_id=key,
            text=f"note {number}",
            date_time=start.isoformat(),
        )

    def defects(self, lab: str, session: str, folder: str) -> Iterator[Object]:
        for name, revision in self.revisions.items():
            self.defect("default-taken")  # with the one without revision: three defaults, two too many
            path = f"{folder}/alf/#{name}#/_ibl_trials.table.pqt"
            yield from self.dataset(lab, {"session": session}, "alf", "_ibl_trials.table.pqt", path, revision=revision)
        self.defect("path-taken")
        other = list(
            self.dataset(lab, {"session": session}, "alf", "_ibl_wheel.position.npy", "", default_dataset=False)
        )
        yield other[0]
        self.defect("copy-twice")
        twice = list(
            self.dataset(
                lab, {"session": session}, "alf", "_ibl_wheel.timestamps.npy", f"{folder}/alf/_ibl_wheel.timestamps.npy"
            )
        )
        yield from twice
        yield self.one(
            "data.filerecord",
            **{**twice[1]["fields"], "relative_path": f"{folder}/_ibl_wheel.timestamps.npy", "exists": False},
        )
        self.defect("lost dataset")
        yield self.one(
            "data.filerecord",
            dataset=self.key(),
            data_repository=self.places[lab, "local"],
            relative_path="x.npy",
            exists=True,
        )

    def probe(self, session: str) -> Iterator[Object]:
        insertion = self.key()
        yield self.one(
            "experiments.probeinsertion",
            insertion,
            session=session,
            name="probe00",
            model=self.model,
            serial="18005",
            datasets=[],
            auto_datetime="2024-03-01T12:00:00",
        )
        for provenance in (10, 70):
            trajectory = self.key()
            yield self.one(
                "experiments.trajectoryestimate",
                trajectory,
                probe_insertion=insertion,
                provenance=provenance,
                coordinate_system=self.system,
                x=-2243.0,
                y=-2000.0,
                z=-300.0,
                depth=4000.0,
                theta=15.0,
                phi=180.0,
                roll=0.0,
                datetime="2024-03-01T12:00:00",
            )
            for site in range(self.size.channels if provenance == 70 else 0):
                yield self.one(
                    "experiments.channel",
                    trajectory_estimate=trajectory,
                    axial=20.0 * (site // 2),
                    lateral=16.0 * (site % 2),
                    x=1.0,
                    y=2.0,
                    z=-3.0,
                    brain_region=self.draw.choice([*REGIONS]),
                )

    def pipeline(self, lab: str, session: str) -> Iterator[Object]:
        parent: str | None = None
        for level in range(self.size.tasks):
            key = self.key()
            yield self.one(
                "jobs.task",
                key,
                session=session,
                name=f"Step{level}",
                level=level,
                priority=50,
                status=60,
                arguments=None,
                graph="ephys",
                executable=f"ibllib.pipes.Step{level}",
                data_repository=self.places[lab, "local"],
                parents=[parent] if parent else [],
                datetime="2024-03-01T12:00:00",
                log="done",
                version="2.40.0",
            )
            parent = key
