"""A lab with some days of recordings behind it, made through the services: what pages look like in use."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.management import call_command

from alyx.core.audit import acting
from alyx.core.clock import now
from alyx.core.flags import Doubt, raise_flags
from alyx.labs.models import Lab, Location, Membership, Role, User
from alyx.labs.services import create_lab, create_project
from datasets.models import Dataset, FileRecord, Repository
from datasets.rules.copies import CopyState as S
from datasets.services.register_call import RegisterCall
from datasets.services.registration import register_files
from datasets.services.repositories import create_repository
from sessions.models import Session
from sessions.services.session import register_session
from subjects.models import ProcedureType, Subject
from subjects.services.subject import create_subject
from tests.factories.copies import bring_to
from tests.factories.people import a_user
from transfers.models import NightWindow, TransferItem, TransferJob

FILES = (
    ("alf/probe00/spikes.times.npy", 184_512_128),
    ("alf/probe00/spikes.clusters.npy", 92_256_128),
    ("alf/probe00/spikes.amps.npy", 184_512_128),
    ("alf/_ibl_trials.intervals.npy", 12_928),
    ("alf/_ibl_trials.feedbackType.npy", 6_528),
    ("alf/_ibl_wheel.position.npy", 9_437_312),
    ("alf/_ibl_wheel.timestamps.npy", 9_437_312),
    ("alf/#2026-03-20#/_ibl_leftCamera.times.npy", 1_440_128),
)
ANIMALS = (("KS_014", "F"), ("KS_015", "M"), ("KS_019", "F"), ("KS_021", "M"), ("KS_022", "F"))
START = datetime(2026, 3, 16, 10, 12, 40)


@dataclass(frozen=True)
class LabDays:
    """What the tests open."""

    admin: User
    lab: Lab
    subject: Subject
    session: Session
    dataset: Dataset
    """With copies in several states, two versions and a transfer that waits for a person."""
    item: TransferItem


def some_days() -> LabDays:
    """A week in the lab `cortexlab`."""
    call_command("load_vocabularies", verbosity=0)
    admin = a_user("admin", is_superuser=True, first_name="Ada")
    with acting(actor=admin, path="command tests", reason="a lab to look at"):
        lab = create_lab(actor=admin, values={"name": "cortexlab", "institution": "UCL", "timezone": "Europe/London"})
        people = [
            _member(lab, "kenneth", Role.HEAD),
            _member(lab, "kate", Role.EXPERIMENTER),
            _member(lab, "rig_3a", Role.RIG),
        ]
        create_project(actor=admin, values={"name": "brainwide_map", "description": "Neuropixels across the brain"})
        for name in ("_iblrig_cortexlab_ephys_0", "_iblrig_cortexlab_behavior_1"):
            Location.objects.create(name=name, lab=lab)
        places = _places(admin, lab)
        subjects = [_animal(admin, lab, name, sex, people[1]) for name, sex in ANIMALS]
        sessions = [_recording(people[2], subject, day) for day, subject in enumerate(subjects * 3)]
        _prove(places)
        trouble = sessions[-1].datasets.get(name="spikes.times.npy")
        item = _trouble(people[2], trouble, places)
        _doubts(lab, sessions, subjects)
        NightWindow.objects.create(
            repository=places[0], local_date=now().date(), starts_at=now(), ends_at=now() + timedelta(hours=6)
        )
    trouble.refresh_from_db()
    return LabDays(admin, lab, subjects[0], sessions[-1], trouble, item)


def _member(lab: Lab, name: str, role: Role) -> User:
    user = a_user(name)
    Membership.objects.create(user=user, lab=lab, role=role)
    return user


def _places(admin: User, lab: Lab) -> list[Repository]:
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("cortexlab_server", {"root": "/srv/cortexlab/Subjects"}),
        ("flatiron_cortexlab", {"role": "central", "root": "/srv/flatiron/cortexlab/Subjects",
                                "data_url": "https://data.example.org/cortexlab/Subjects/"}),
        ("mirror_cortexlab", {"role": "mirror", "root": "/srv/mirror/cortexlab/Subjects"}),
    ]  # fmt: skip
    return [
        create_repository(actor=admin, name=name, labs=[lab], timezone="Europe/London", **columns)
        for name, columns in wanted
    ]


def _animal(admin: User, lab: Lab, nickname: str, sex: str, keeper: User) -> Subject:
    values = {"lab": lab.name, "nickname": nickname, "sex": sex, "birth_date": datetime(2025, 11, 3).date(),
              "responsible_user": keeper.username, "projects": ["brainwide_map"]}  # fmt: skip
    return create_subject(actor=admin, values=values)


def _recording(rig: User, subject: Subject, day: int) -> Session:
    start = START + timedelta(days=day // 5, minutes=73 * (day % 5))
    session, _ = register_session(
        actor=rig,
        values={
            "subject": subject.nickname, "start_time": start, "end_time": start + timedelta(minutes=64), "number": 1,
            "users": ["kate"], "projects": ["brainwide_map"], "location": "_iblrig_cortexlab_ephys_0",
            "task_protocol": "_iblrig_tasks_ephysChoiceWorld8.24.3", "procedures": [ProcedureType.objects.all()[0].name],
            "n_trials": 412 + 37 * day, "n_correct_trials": 300 + 21 * day, "qc": (0, 10, 10, 30, 40)[day % 5],
        },
    )  # fmt: skip
    register_files(actor=rig, call=_call(session, FILES))
    return session


def _call(session: Session, files: tuple[tuple[str, int], ...], salt: str = "") -> RegisterCall:
    digests = [hashlib.md5(f"{session} {name} {salt}".encode(), usedforsecurity=False).hexdigest() for name, _ in files]
    return RegisterCall.parse(
        {"path": str(session), "filenames": [name for name, _ in files], "filesizes": [size for _, size in files],
         "hashes": digests, "name": "cortexlab_server", "versions": ["3.5.0"] * len(files), "created_by": "rig_3a"}
    )  # fmt: skip


def _prove(places: list[Repository]) -> None:
    """Every copy at the central store, and most at the lab."""
    for copy in FileRecord.objects.filter(repository=places[1]).select_related("dataset"):
        bring_to(copy, S.VERIFIED)
    for copy in FileRecord.objects.filter(repository=places[0]).select_related("dataset")[::2]:
        bring_to(copy, S.VERIFIED)


def _trouble(rig: User, dataset: Dataset, places: list[Repository]) -> TransferItem:
    """A file patched after its first night, whose new version is stuck on its way."""
    assert dataset.session is not None
    register_files(actor=rig, call=_call(dataset.session, FILES[:1], salt="patched"))
    dataset.refresh_from_db()
    copies = {copy.repository_id: copy for copy in FileRecord.objects.filter(dataset=dataset)}
    source, copy = copies[places[0].pk], copies[places[1].pk]
    job = TransferJob.objects.create(backend="posix", source=places[0], destination=places[1], files_total=1)
    item = TransferItem.objects.create(
        dataset=dataset, content_version=dataset.content_version, source=source, copy=copy, destination=places[1],
        dest_path_key=copy.path_key, size_bytes=dataset.size_bytes, job=job,
    )  # fmt: skip
    bring_to(copy, S.INCOMING)
    for changes in (
        {"state": "bound", "attempts": 3},
        {"state": "needs_human", "last_error_code": "hash_mismatch",
         "last_error": "read back at flatiron_cortexlab: other bytes than registered; the source was read again and is right"},
    ):  # fmt: skip
        TransferItem.objects.filter(pk=item.pk).update(**changes)
    item.refresh_from_db()
    return item


def _doubts(lab: Lab, sessions: list[Session], subjects: list[Subject]) -> None:
    stated = [
        (Session, sessions[3].pk, Doubt("session-collision", "registered again with another start: 10:12:40 stored, 10:55:02 sent",
                                        {"stored": "10:12:40", "sent": "10:55:02"},
                                        "see whether two recordings share the folder")),
        (Session, sessions[7].pk, Doubt("unknown-procedures", "procedures: nothing is named 'Handling_habituaton'; left out",
                                        {"procedures": ["Handling_habituaton"]}, "make it, or correct the session")),
        (Subject, subjects[4].pk, Doubt("death-before-birth", "died 2025-10-01, born 2025-11-03",
                                        {"birth_date": "2025-11-03", "death_date": "2025-10-01"}, "correct one of the two dates")),
    ]  # fmt: skip
    for model, key, doubt in stated:
        raise_flags(model, [(key, doubt)], lab_id=lab.pk)
