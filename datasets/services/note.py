"""Notes over REST: on which records, by the names that clients have for their tables, and who may write them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, QuerySet

from alyx.core.clock import server_zone
from alyx.core.errors import Forbidden, Invalid
from alyx.core.models import Note
from alyx.core.notes import add_note, change_note, withdraw_note
from alyx.core.rest.names import by_name, nearest
from alyx.labs.models import Lab, Location, Project, User
from alyx.labs.permissions import Right, authorise, authorise_anywhere, may
from datasets.models import Dataset, DatasetType, FileRecord, Repository, Revision, Tag
from sessions.models import (
    FOV,
    Channel,
    FOVLocation,
    ImagingStack,
    ProbeInsertion,
    Session,
    Task,
    TrajectoryEstimate,
)
from sessions.permissions import projects_of
from sessions.rules.times import as_wall
from subjects.models import (
    BreedingPair,
    Cull,
    GenotypeTest,
    Housing,
    Implant,
    Line,
    Litter,
    OtherProcedure,
    Subject,
    SubjectRequest,
    Surgery,
    WaterAdministration,
    WaterRestriction,
    Weighing,
)
from subjects.permissions import Act, may_animal

KINDS: dict[str, type[Model]] = {
    "actions.session": Session,
    "actions.surgery": Surgery,
    "actions.weighing": Weighing,
    "actions.wateradministration": WaterAdministration,
    "actions.waterrestriction": WaterRestriction,
    "actions.otheraction": OtherProcedure,
    "actions.cull": Cull,
    "subjects.subject": Subject,
    "subjects.litter": Litter,
    "subjects.line": Line,
    "subjects.breedingpair": BreedingPair,
    "subjects.subjectrequest": SubjectRequest,
    "subjects.genotypetest": GenotypeTest,
    "subjects.project": Project,
    "misc.lab": Lab,
    "misc.lablocation": Location,
    "misc.labmember": User,
    "misc.housing": Housing,
    "data.dataset": Dataset,
    "data.filerecord": FileRecord,
    "data.datarepository": Repository,
    "data.datasettype": DatasetType,
    "data.revision": Revision,
    "data.tag": Tag,
    "experiments.probeinsertion": ProbeInsertion,
    "experiments.chronicinsertion": Implant,
    "experiments.trajectoryestimate": TrajectoryEstimate,
    "experiments.channel": Channel,
    "experiments.fov": FOV,
    "experiments.fovlocation": FOVLocation,
    "experiments.imagingstack": ImagingStack,
    "jobs.task": Task,
}
"""The clients' `app.model` → our table. Tables with other keys than UUIDs cannot have notes."""
_BY_MODEL = {name.partition(".")[2]: model for name, model in KINDS.items()}
_WIRE = {model._meta.label_lower: name for name, model in KINDS.items()}
_OWNERS = ("session", "subject", "probe_insertion", "chronic_insertion", "trajectory", "field_of_view", "dataset")
"""Through which column a record that names no lab belongs to one."""


def kind_named(word: str) -> type[Model]:
    """The table that a client means: `session`, `actions.session`, or our own label. Raises Invalid with the nearest names."""
    plain = word.strip().lower()
    model = KINDS.get(plain) or _BY_MODEL.get(plain.partition(".")[2] or plain)
    if model is None:
        raise Invalid.of(
            "content_type", f"there is no table {word[:80]!r} that can have notes{nearest(plain, [*_BY_MODEL, *KINDS])}"
        )
    return model


def wire_kind(kind: ContentType) -> str:
    """What clients call the table."""
    return _WIRE.get(f"{kind.app_label}.{kind.model}", f"{kind.app_label}.{kind.model}")


def about(content_type: str, key: UUID) -> Any:
    """The record that a note is about. Raises Invalid, with the words that clients look for, when there is none."""
    model = kind_named(content_type)
    rows = model._default_manager.filter(pk=key)
    if any(column.name == "withdrawn_at" for column in model._meta.concrete_fields):
        rows = rows.filter(withdrawn_at__isnull=True)
    found = rows.first()
    if found is None:
        name = model._meta.object_name
        raise Invalid.of("object_id", f"{name} matching query does not exist: there is no {content_type[:80]} {key}")
    return found


def lab_of_record(record: Any) -> Lab | None:
    """The lab that a record belongs to, None for what belongs to none."""
    lab = record if isinstance(record, Lab) else getattr(record, "lab", None)
    if isinstance(lab, Lab):
        return lab
    for name in _OWNERS:
        owner = getattr(record, name, None)
        if isinstance(owner, Model):
            return lab_of_record(owner)
    return None


def authorise_note(actor: Any, record: Any) -> None:
    """Raise Forbidden unless the actor may write notes on the record."""
    animal = record if isinstance(record, Subject) else getattr(record, "subject", None)
    if isinstance(animal, Subject) and not isinstance(record, Session) and may_animal(actor, animal, Act.RECORD):
        return
    if (lab := lab_of_record(record)) is not None:
        authorise(actor, lab, act="write notes", to=Right.ANNOTATE, projects=_projects(record))
    else:
        authorise_anywhere(actor, act="write notes", to=Right.ANNOTATE)


def _projects(record: Any) -> QuerySet[Project] | None:
    """Of the session that the record is or hangs on, else of its animal."""
    for _ in range(len(_OWNERS)):
        if isinstance(record, Session):
            return projects_of(record)
        if isinstance(record, Subject):
            return Project.objects.filter(subjects=record.pk)
        owners = (getattr(record, name, None) for name in _OWNERS)
        record = next((owner for owner in owners if isinstance(owner, Model)), None)
    return None


@transaction.atomic
def write_note(*, actor: Any, values: Mapping[str, Any], image: Any = None, width: int | None = None) -> Note:
    """A new note from wire fields. Raises Invalid, Forbidden."""
    record = about(values["content_type"], values["object_id"])
    authorise_note(actor, record)
    zone = _zone(record)
    moment: datetime | None = values.get("date_time")
    return add_note(
        actor=actor,
        about=record,
        text=values.get("text", ""),
        image=image,
        at_wall=as_wall(moment, zone) if moment else None,
        zone=zone,
        json=values.get("json"),
        user=_writer(values),
        width=width,
    )


@transaction.atomic
def rewrite_note(
    *, actor: Any, note: Note, changes: Mapping[str, Any], image: Any = None, width: int | None = None
) -> Note:
    """Change what is sent. Its author may, and who may write notes on the same record. Raises Invalid, Forbidden."""
    if note.user_id != actor.pk:
        _authorise_on_its_record(actor, note)
    if "content_type" in changes and kind_named(changes["content_type"]) is not note.content_type.model_class():
        raise Invalid.of("content_type", "a note stays with its record; write a new one on the other")
    if "object_id" in changes and changes["object_id"] != note.object_id:
        raise Invalid.of("object_id", "a note stays with its record; write a new one on the other")
    columns = {name: changes[name] for name in ("text", "json") if name in changes}
    if changes.get("date_time"):
        columns["at_wall"] = as_wall(changes["date_time"], note.zone)
    if writer := _writer(changes):
        columns["user"] = writer
    return change_note(note=note, changes=columns, image=image, width=width)


@transaction.atomic
def take_back_note(*, actor: Any, note: Note) -> None:
    """Withdraw a note. Its author may, and whoever manages the lab of what it is about. Raises Forbidden, NotFound."""
    lab = lab_of_record(note.about) if note.about is not None else None
    withdraw_note(actor=actor, note=note, may_others=lab is not None and may(actor, lab.pk, Right.MANAGE))


def _authorise_on_its_record(actor: Any, note: Note) -> None:
    record = note.about
    if record is None:
        raise Forbidden("what the note is about is gone; only its author may change it")
    authorise_note(actor, record)


def _writer(values: Mapping[str, Any]) -> Any:
    name = values.get("user")
    return by_name(User.objects.all(), name, field="user", what="user", column="username") if name else None


def _zone(record: Any) -> str:
    lab = lab_of_record(record)
    return str(getattr(record, "zone", "") or (lab.timezone if lab else "") or server_zone().key)
