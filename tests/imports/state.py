"""All that an import leaves behind, without what the database itself adds: to compare two ways to the same end."""

from typing import Any

from alyx.core.models import Note, ReviewFlag
from alyx.labs.models import Lab, Location, Membership, Project, User
from datasets.models import ContentVersion, Dataset, FileRecord, Repository
from sessions.models import FOV, BrainRegion, Channel, FOVLocation, ProbeInsertion, Session, Task, TrajectoryEstimate
from subjects import models as animal_side

OWN = {"created_at", "updated_at", "password", "withdrawn_at", "registered_at", "located_at"}
FILES = [Repository, Dataset, FileRecord]
RECORDINGS = [BrainRegion, ProbeInsertion, TrajectoryEstimate, Channel, FOV, FOVLocation, Task]


def state() -> dict[str, list[Any]]:
    """Table → its rows, in order; links too."""
    animals = [getattr(animal_side, name) for name in animal_side.__all__]
    tables = [one for one in animals if hasattr(one, "_meta") and not one._meta.proxy]
    found: dict[str, list[Any]] = {}
    for model in [User, Lab, Location, Membership, Project, Session, Note, *tables, *FILES, *RECORDINGS]:
        if model is animal_side.LabConditions:
            continue  # its key is made here
        columns = [column.attname for column in model._meta.concrete_fields if column.name not in OWN]
        found[model._meta.label] = list(model._default_manager.order_by("pk").values_list(*columns))
        for link in model._meta.many_to_many:
            through: Any = link.remote_field.through
            names = [link.m2m_column_name(), link.m2m_reverse_name()]
            found[f"{model._meta.label}.{link.name}"] = list(through.objects.order_by(*names).values_list(*names))
    versions = ContentVersion.objects.order_by("dataset", "content_version")
    found["versions"] = list(versions.values_list("dataset", "content_version", "size_bytes", "md5", "sha256"))
    flags = ReviewFlag.objects.order_by("rule", "object_id", "fingerprint")
    found["flags"] = list(flags.values_list("rule", "object_id", "fingerprint", "state", "lab_id"))
    return found
