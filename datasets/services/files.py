"""What clients say about single copies."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from alyx.core.changes import locked, store
from alyx.core.clock import now
from alyx.core.errors import Invalid, NotFound
from alyx.core.rest.names import by_name
from datasets.models import Dataset, FileRecord, Repository
from datasets.permissions import authorise_dataset
from datasets.rules.alf import join_in_session, path_key, with_uuid, without_uuid
from datasets.rules.copies import HIDDEN, Cause, CopyState, is_legal, sources_of
from datasets.rules.registration import Effect, effect
from datasets.services.register_copies import REASONS, renewed

S = CopyState


def lock_copies(dataset_id: UUID) -> tuple[Dataset, list[FileRecord]]:
    """A dataset that is not withdrawn and all its records, locked in the order everybody locks them.

    Raises NotFound.
    """
    dataset: Dataset = locked(Dataset.objects.shown(), dataset_id)
    return dataset, list(FileRecord.objects.filter(dataset=dataset).order_by("pk").select_for_update(no_key=True))


def relative_path_of(dataset: Dataset) -> str:
    """The path below the subjects' folder, without UUID."""
    session = dataset.session
    folder = f"{session.subject.nickname}/{session.path_date}/{session.number:03d}/" if session else ""
    revision = dataset.revision.name if dataset.revision else ""
    return folder + join_in_session(dataset.collection, revision, dataset.name)


@transaction.atomic
def add_file(*, actor: Any, values: Mapping[str, Any]) -> FileRecord:
    """`POST files`: with `exists` the bytes are claimed to be there, else they are expected. A record that is there is
    returned, claimed when so said. Raises Invalid, Forbidden."""
    repository = by_name(
        Repository.objects.all(), values["data_repository"], field="data_repository", what="repository"
    )
    try:
        dataset, records = lock_copies(values["dataset"])
    except NotFound:
        raise Invalid.of("dataset", f"there is no dataset {values['dataset']}") from None
    authorise_dataset(actor, dataset, act="register files")
    relative = _checked_path(dataset, values.get("relative_path") or "")
    asked = S.CLAIMED if values.get("exists") else S.EXPECTED
    record = next((one for one in records if one.repository_id == repository.pk), None)
    if record is None:
        record = _born(dataset, repository, relative, asked)
    else:
        _apply(record, dataset, asked)
    if "json" in values and record.json != values["json"]:
        store(record, {"json": values["json"]})
    return record


def _checked_path(dataset: Dataset, sent: str) -> str:
    relative = relative_path_of(dataset)
    if sent and without_uuid(sent.strip("/")) != relative:
        raise Invalid.of("relative_path", f"the path follows from the dataset and is {relative!r}")
    return relative


def _born(dataset: Dataset, repository: Repository, relative: str, state: CopyState) -> FileRecord:
    stored = with_uuid(relative, dataset.pk) if repository.uuid_in_names else relative
    key = path_key(stored, case_sensitive=repository.case_sensitive)
    columns = renewed(state, dataset.content_version)
    try:
        with transaction.atomic():
            made: FileRecord = FileRecord.objects.create(
                dataset=dataset,
                repository=repository,
                relative_path=relative,
                stored_path=stored,
                path_key=key,
                **columns,
            )
    except IntegrityError:
        raise _taken(repository, dataset, key) from None
    return made


def _taken(repository: Repository, dataset: Dataset, key: str) -> Invalid:
    other = FileRecord.objects.filter(repository=repository, path_key=key).exclude(state__in=sorted(HIDDEN)).first()
    text = (
        f"at {repository.name} this path is dataset {other.dataset_id if other else '?'}'s, not dataset {dataset.pk}'s"
    )
    return Invalid.of("relative_path", text)


def _apply(record: FileRecord, dataset: Dataset, asked: CopyState) -> None:
    """Move a record to what a client asks for, as a registration would."""
    outdated = record.content_version != dataset.content_version
    effects: Effect = effect(CopyState(record.state), asked, outdated=outdated)
    if asked is not S.CLAIMED or not effects.steps:
        return
    try:
        with transaction.atomic():
            store(record, renewed(S.CLAIMED, dataset.content_version))
    except IntegrityError:
        raise _taken(record.repository, dataset, record.path_key) from None


@transaction.atomic
def change_file(*, actor: Any, record: FileRecord, changes: Mapping[str, Any]) -> FileRecord:
    """`PATCH files/<id>`: `exists` true claims, false takes the claim back (a look is due at once); `json` is stored, and
    its `mismatch_hash` queues a look, which alone may change the state. Raises Invalid, Forbidden, NotFound."""
    dataset, records = lock_copies(record.dataset_id)
    record = next(one for one in records if one.pk == record.pk)
    authorise_dataset(actor, dataset, act="change file records")
    _refuse_moving(record, dataset, changes)
    if changes.get("exists") is True:
        _apply(record, dataset, S.CLAIMED)
    elif changes.get("exists") is False and is_legal(CopyState(record.state), S.SUSPECT, Cause.CLIENT):
        at = now()
        store(record, {"state": S.SUSPECT, "look_due_at": at, "first_miss_at": None, "reason": REASONS[S.SUSPECT]})
    if "json" in changes and record.json != changes["json"]:
        store(record, {"json": changes["json"]})
    if _says_mismatch(changes) and record.look_due_at is None:
        store(record, {"look_due_at": now(), "reason": "a client downloaded other bytes than were registered"})
    return record


def _says_mismatch(changes: Mapping[str, Any]) -> bool:
    said = changes.get("json")
    return isinstance(said, dict) and bool(said.get("mismatch_hash"))


def _refuse_moving(record: FileRecord, dataset: Dataset, changes: Mapping[str, Any]) -> None:
    if changes.get("relative_path"):
        _checked_path(dataset, changes["relative_path"])
    if changes.get("dataset", dataset.pk) != dataset.pk:
        raise Invalid.of("dataset", "a file record stays with its dataset")
    if changes.get("data_repository", record.repository.name) != record.repository.name:
        raise Invalid.of(
            "data_repository", "a file record stays at its repository; POST another one for the other place"
        )


@transaction.atomic
def withdraw_file(*, actor: Any, record: FileRecord) -> None:
    """`DELETE files/<id>`: WITHDRAWN; bytes and history stay. Raises Forbidden, NotFound."""
    dataset, records = lock_copies(record.dataset_id)
    record = next(one for one in records if one.pk == record.pk)
    authorise_dataset(actor, dataset, act="withdraw file records")
    if record.state in sources_of(S.WITHDRAWN, Cause.WITHDRAWAL):
        store(record, WITHDRAWN)


WITHDRAWN: dict[str, Any] = {
    "state": S.WITHDRAWN,
    "look_due_at": None,
    "first_miss_at": None,
    "reason": REASONS[S.WITHDRAWN],
}
"""The columns of a record that was taken back."""
