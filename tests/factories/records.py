"""Animals, recordings and files."""

import hashlib
import uuid
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from alyx.core.clock import now, wall_to_utc
from alyx.core.flags import Doubt, raise_flags
from alyx.core.models import JournalEntry, Note, ReviewFlag
from alyx.labs.models import Lab, User
from datasets.models import ContentVersion, DataFormat, Dataset, DatasetType, HashState, Repository
from sessions.models import Session
from subjects.models import Subject
from tests.factories.people import NUMBERS, a_lab, a_user

MORNING = datetime(2026, 3, 9, 9, 30)


def a_subject(lab: Lab | None = None, nickname: str = "", **columns: Any) -> Subject:
    """A mouse of four months."""
    values: dict[str, Any] = {"born_on": date(2025, 11, 3), "sex": "F", **columns}
    subject: Subject = Subject.objects.create(
        lab=lab or a_lab(), nickname=nickname or f"M{next(NUMBERS):04d}", **values
    )
    return subject


def a_session(subject: Subject | None = None, number: int = 1, start: datetime = MORNING, **columns: Any) -> Session:
    """An hour of a task."""
    subject = subject or a_subject()
    zone, end = subject.lab.timezone, start + timedelta(hours=1)
    session: Session = Session.objects.create(
        subject=subject,
        number=number,
        path_date=start.date(),
        **{
            "lab": subject.lab,
            "zone": zone,
            "started_wall": start,
            "started_at": wall_to_utc(start, zone),
            "ended_wall": end,
            "ended_at": wall_to_utc(end, zone),
            "task_protocol": "_iblrig_tasks_trainingChoiceWorld8.0.0",
            **columns,
        },
    )
    return session


def a_type(name: str = "spikes.times") -> DatasetType:
    """A dataset type."""
    return DatasetType.objects.get_or_create(name=name)[0]


def a_format(extension: str = ".npy") -> DataFormat:
    """A format."""
    return DataFormat.objects.get_or_create(file_extension=extension, defaults={"name": extension.lstrip(".")})[0]


def a_dataset(session: Session | None = None, name: str = "", **columns: Any) -> Dataset:
    """A file with a digest, registered, without copies."""
    name = name or f"spikes.times.part{next(NUMBERS)}.npy"
    owner = {} if columns.get("content_type") else {"session": session or a_session()}
    values: dict[str, Any] = {
        "collection": "alf/probe00",
        "dataset_type": a_type(),
        "data_format": a_format(),
        "size_bytes": 1000 + len(name),
        "md5": hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(),
        "hash_state": HashState.ATTESTED,
        **columns,
    }
    dataset: Dataset = Dataset.objects.create(name=name, **owner, **values)
    ContentVersion.objects.create(
        dataset=dataset, content_version=dataset.content_version, size_bytes=dataset.size_bytes, md5=dataset.md5
    )
    return dataset


def an_aggregate(about: Model, name: str = "", **columns: Any) -> Dataset:
    """A file of a subject, tag, project …, without a session."""
    kind = ContentType.objects.get_for_model(about)
    return a_dataset(None, name, content_type=kind, object_id=about.pk, collection="aggregates", **columns)


def a_repository(*labs: Lab, name: str = "", **columns: Any) -> Repository:
    """A directory on a server."""
    name = name or f"server{next(NUMBERS)}"
    repository: Repository = Repository.objects.create(name=name, **{"root": f"/nowhere/{name}", **columns})
    repository.labs.set(labs)
    return repository


def a_flag(about: Model | None = None, **doubt: Any) -> ReviewFlag:
    """An open flag about a record."""
    about = about or a_subject()
    values = {
        "rule": "tests-doubt-it",
        "message": f"look at this {next(NUMBERS)}",
        "facts": {"n": next(NUMBERS)},
        **doubt,
    }
    lab_id = values.pop("lab_id", getattr(about, "lab_id", None))
    raise_flags(type(about), [(about.pk, Doubt(**values))], lab_id=lab_id)
    return ReviewFlag.objects.filter(object_id=about.pk, rule=values["rule"]).latest("created_at")


def an_entry(user: User | None = None, **columns: Any) -> JournalEntry:
    """An entry of a tablet that was kept."""
    values = {
        "device": "tablet-1",
        "seq": next(NUMBERS),
        "kind": "session.note",
        "skew_s": 0.0,
        "state": "kept",
        **columns,
    }
    return JournalEntry.objects.create(
        user=user or a_user(), key=uuid.uuid4(), body={"text": "x"}, made_at=now(), at=now(), **values
    )


def a_note(about: Model | None = None, text: str = "a note", **columns: Any) -> Note:
    """A note on a record."""
    about = about or a_subject()
    return Note.objects.create(
        content_type=ContentType.objects.get_for_model(about),
        object_id=about.pk,
        text=text,
        **{
            "user": columns.pop("user", None) or a_user(),
            "at_wall": MORNING,
            "zone": "Europe/London",
            "at": now(),
            **columns,
        },
    )
