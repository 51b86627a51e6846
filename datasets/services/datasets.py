"""What clients say about a dataset itself: by the same rules as a registration, without copies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction

from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.rest.names import all_by_name, by_name
from alyx.labs.models import User
from datasets.models import DataFormat, Dataset, DatasetType, Tag
from datasets.permissions import GRADES, Right, authorise_dataset
from datasets.rules.alf import join_in_session
from datasets.services.protection import refuse_protected
from datasets.services.register_call import RegisterCall
from datasets.services.registration import register_files
from sessions.models import Session
from subjects.models import Subject

_BYTES = ("hash", "file_size", "default_dataset")
_IDENTITY = ("name", "collection", "session", "revision")


@transaction.atomic
def create_dataset(*, actor: Any, values: Mapping[str, Any]) -> Dataset:
    """`POST datasets`: a dataset without copies; one that is there is changed by what was sent. Raises Invalid,
    Forbidden, DatasetProtected."""
    session = _session(values)
    filename = join_in_session(values.get("collection") or "", values.get("revision") or "", values["name"])
    call = RegisterCall.parse(
        {
            "path": _path_of(session),
            "filenames": [filename],
            "hashes": [values.get("hash")],
            "filesizes": [values.get("file_size")],
            "versions": [values.get("version")],
            "qc": [values.get("qc")],
            "default": values.get("default_dataset"),
            "created_by": values.get("created_by"),
        }
    )
    call = replace(
        call,
        session_id=session.pk,
        copies=False,
        dataset_type=values["dataset_type"],
        data_format=values.get("data_format") or "",
    )
    [done] = register_files(actor=actor, call=call)
    dataset: Dataset = locked(Dataset.objects.all(), done.dataset_id)
    _store_rest(actor, dataset, values)
    return dataset


def _path_of(session: Session) -> str:
    return f"{session.subject.nickname}/{session.path_date}/{session.number:03d}"


def _session(values: Mapping[str, Any]) -> Session:
    rows = Session.objects.shown().select_related("subject")
    if values.get("session"):
        found = rows.filter(pk=values["session"]).first()
    elif values.get("subject") and values.get("date"):
        animals = Subject.objects.shown().named(values["subject"])
        several = list(rows.filter(subject__in=animals, path_date=values["date"], number=values.get("number", 1))[:2])
        found = several[0] if len(several) == 1 else None
    else:
        raise Invalid.of("session", "send the session (or subject, date and number); aggregates come by register-file")
    if found is None:
        raise Invalid.of("session", "there is no such session, or several labs have one")
    session: Session = found
    return session


@transaction.atomic
def change_dataset(*, actor: Any, dataset: Dataset, changes: Mapping[str, Any]) -> Dataset:
    """`PUT` and `PATCH datasets/<id>`: what is sent changes. Size and hash follow the version rules; a protected dataset
    keeps bytes, size, QC and version. Raises Invalid, Forbidden, DatasetProtected."""
    _refuse_moving(dataset, changes)
    if any(name in changes for name in _BYTES):
        register_files(actor=actor, call=_call_about(dataset, changes))
    dataset = locked(Dataset.objects.shown().select_related("session__lab", "revision"), dataset.pk)
    right = Right.JUDGE if set(changes) <= GRADES else Right.REGISTER
    authorise_dataset(actor, dataset, act="change datasets", to=right)
    columns = {
        column: changes[name] for name, column in (("qc", "qc"), ("version", "software_version")) if name in changes
    }
    columns = {name: value for name, value in columns.items() if getattr(dataset, name) != value}
    if columns:
        refuse_protected([dataset], act="changing QC or version")
        store(dataset, columns)
    _store_rest(actor, dataset, changes)
    return dataset


def _call_about(dataset: Dataset, changes: Mapping[str, Any]) -> RegisterCall:
    """A registration of this very dataset, by its path; a hash that is not sent is not known, so the stored one stays
    unless the size contradicts it."""
    session = dataset.session
    revision = dataset.revision.name if dataset.revision else ""
    sent = {
        "path": _path_of(session) if session else "",
        "filenames": [join_in_session(dataset.collection, revision, dataset.name)],
        "hashes": [changes.get("hash")],
        "filesizes": [changes.get("file_size")],
        "default": changes.get("default_dataset"),
    }
    if dataset.content_type is not None:
        sent |= {"content_type": dataset.content_type.model, "object_id": dataset.object_id}
    return replace(
        RegisterCall.parse(sent),
        session_id=session.pk if session else None,
        copies=False,
        dataset_type=dataset.dataset_type.name,
        data_format=dataset.data_format.name,
    )


def _refuse_moving(dataset: Dataset, changes: Mapping[str, Any]) -> None:
    revision = dataset.revision.name if dataset.revision else ""
    stored = {
        "name": dataset.name,
        "collection": dataset.collection,
        "session": dataset.session_id,
        "revision": revision,
    }
    for name in _IDENTITY:
        if name in changes and (changes[name] or "") != (stored[name] or ""):
            raise Invalid.of(name, "a dataset keeps its path; register the file at its new one")


def _store_rest(actor: Any, dataset: Dataset, values: Mapping[str, Any]) -> None:
    columns: dict[str, Any] = {}
    if "json" in values:
        columns["json"] = values["json"]
    if values.get("dataset_type"):
        columns["dataset_type"] = by_name(
            DatasetType.objects.all(), values["dataset_type"], field="dataset_type", what="dataset type"
        )
    if values.get("data_format"):
        columns["data_format"] = by_name(
            DataFormat.objects.all(), values["data_format"], field="data_format", what="format"
        )
    if values.get("created_by"):
        columns["created_by"] = by_name(
            User.objects.all(), values["created_by"], field="created_by", what="user", column="username"
        )
    store(dataset, {name: value for name, value in columns.items() if getattr(dataset, name) != value})
    if "tags" in values:
        tag_datasets(actor=actor, datasets=[dataset], tags=values["tags"])


@transaction.atomic
def tag_datasets(*, actor: Any, datasets: Sequence[Dataset], tags: Sequence[str]) -> None:
    """The datasets carry these tags and no others. Whoever takes a protected tag off, or puts a public one on, manages
    data in the lab. Raises Invalid for an unknown tag, Forbidden."""
    wanted = set(all_by_name(Tag.objects.all(), tags, field="tags", what="tag"))
    for dataset in datasets:
        present = set(dataset.tags.all())
        if present == wanted:
            continue
        weighty = any(tag.protected for tag in present - wanted) or any(tag.public for tag in wanted - present)
        act, right = (
            ("take off a protected tag or publish", Right.MANAGE) if weighty else ("tag datasets", Right.REGISTER)
        )
        authorise_dataset(actor, dataset, act=act, to=right)
        dataset.tags.set(wanted)
