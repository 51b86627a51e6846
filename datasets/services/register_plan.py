"""Decides what a registration changes: datasets, versions and default flags. Reads nothing, writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from alyx.core.flags import Doubt
from alyx.core.qc import QC
from datasets.models import HashState
from datasets.rules.defaults import default_after_registration
from datasets.rules.digests import empty_file_contradiction, refuse_two_contents
from datasets.rules.refusals import Refusal
from datasets.rules.registration import Change, Content, bytes_change, merged, size_contradicts
from datasets.services.protection import DatasetProtected
from datasets.services.register_call import FileErrors, RegisterCall, SaidFile
from datasets.services.register_state import Known
from datasets.services.surroundings import Owner, Surroundings


@dataclass(slots=True)
class Target:
    """One dataset of the call. `known`: as stored, None when it is new; the rest is as it shall be."""

    id: UUID
    said: SaidFile
    known: Known | None
    change: Change
    content: Content
    content_version: int
    type_id: UUID
    format_id: UUID
    is_default: bool = False

    @property
    def new_bytes(self) -> bool:
        """A new dataset or a new version."""
        return self.change is Change.NEW or self.change.is_new_version


_FIELD_OF = {"one_content_per_file": "hashes", "digest_comes_with_size": "filesizes"}


class DigestWithoutSize(Refusal):
    """A digest alone cannot be checked cheaply, nor stored."""

    rule = "digest_comes_with_size"


def decide_targets(*, call: RegisterCall, around: Surroundings, known: Sequence[Known]) -> list[Target]:
    """What each file of the call does to its dataset; a file named twice is one target. Raises Invalid with the reasons
    of all files, DatasetProtected."""
    by_key = {row.key: row for row in known}
    errors = FileErrors()
    targets: dict[tuple[str, str, str], Target] = {}
    for index, file in enumerate(call.files):
        try:
            if file.key in targets:
                refuse_two_contents([(file.sent, targets[file.key].said.content), (file.sent, file.content)])
            else:
                targets[file.key] = _target(file, around, by_key.get(file.key))
        except Refusal as refusal:
            errors.add(index, file.sent, _FIELD_OF.get(refusal.rule, "filenames"), refusal)
    errors.raise_any()
    _refuse_changes_of_protected(targets.values())
    return list(targets.values())


def _target(file: SaidFile, around: Surroundings, known: Known | None) -> Target:
    change = bytes_change(known.content if known else None, file.content, known.earlier if known else ())
    content, version = file.content, 1
    if known is not None:
        version = known.content_version + change.is_new_version
        content = file.content if change.is_new_version else merged(known.content, file.content)
    if content.hashed and content.size is None:
        raise DigestWithoutSize("a digest without a size", "send the size too (filesizes)")
    type_id = around.type_id or around.types.match(file.path.name).id
    format_id = around.format_id or around.formats.match(file.path.name).id
    return Target(known.id if known else uuid4(), file, known, change, content, version, type_id, format_id)


def _refuse_changes_of_protected(targets: Any) -> None:
    found = [
        target for target in targets if target.known and target.known.is_protected and _changes(target, target.known)
    ]
    if found:
        names = ", ".join(target.said.sent for target in found[:5])
        raise DatasetProtected(
            f"protected by a tag, so bytes, size, QC and version stay as they are: {names}; register a new revision"
        )


def _changes(target: Target, known: Known) -> bool:
    said = target.said
    return (
        target.new_bytes
        or target.content.size != known.content.size
        or (said.qc is not None and said.qc != known.qc)
        or (said.software_version is not None and said.software_version != known.software_version)
    )


def decide_defaults(*, call: RegisterCall, known: Sequence[Known], targets: Sequence[Target]) -> dict[UUID, bool]:
    """The default flag of every dataset it changes for, stored or new (new ones are always in it)."""
    ids: dict[tuple[str, str], dict[str, UUID]] = {}
    flags: dict[tuple[str, str], dict[str, bool]] = {}
    for row in known:
        ids.setdefault((row.collection, row.name), {})[row.revision] = row.id
        flags.setdefault((row.collection, row.name), {})[row.revision] = row.is_default
    before = {row.id: row.is_default for row in known}
    for target in targets:
        collection, name, revision = target.said.key
        file = flags.setdefault((collection, name), {})
        ids.setdefault((collection, name), {})[revision] = target.id
        chosen = default_after_registration(file, revision, call.default)
        flags[collection, name] = {each: each == chosen for each in {**file, revision: False}}
    after = {ids[key][revision]: flag for key, file in flags.items() for revision, flag in file.items()}
    return {pk: flag for pk, flag in after.items() if before.get(pk) is not flag}


def hash_state(target: Target) -> str:
    """How the digest is known after the call."""
    if not target.content.hashed:
        return HashState.PENDING.value
    kept = target.known.hash_state if target.known and not target.new_bytes else HashState.PENDING
    return str(HashState.ATTESTED.value if kept == HashState.PENDING else kept)


def content_columns(content: Content) -> dict[str, Any]:
    """As stored."""
    return {"size_bytes": content.size, "md5": content.md5 or "", "sha256": content.sha256 or ""}


def new_row(
    target: Target, owner: Owner, around: Surroundings, actor_id: UUID | None, *, is_default: bool
) -> dict[str, Any]:
    """A new dataset."""
    path, said = target.said.path, target.said
    return {
        "id": target.id,
        **owner.columns,
        "collection": path.collection,
        "revision_id": around.revisions.get(path.revision),
        "name": path.name,
        "dataset_type_id": target.type_id,
        "data_format_id": target.format_id,
        "content_version": 1,
        **content_columns(target.content),
        "hash_state": hash_state(target),
        "software_version": said.software_version,
        "qc": QC.NOT_SET if said.qc is None else said.qc,
        "is_default": is_default,
        "created_by_id": around.created_by or actor_id,
    }


def changed_row(
    known: Known, target: Target | None, around: Surroundings, *, is_default: bool
) -> dict[str, Any] | None:
    """A stored dataset as it shall be; None when nothing changes. `target` None: only its default flag may change."""
    before = {
        "id": known.id,
        "content_version": known.content_version,
        **content_columns(known.content),
        "hash_state": known.hash_state,
        "software_version": known.software_version,
        "qc": known.qc,
        "is_default": known.is_default,
        "created_by_id": known.created_by_id,
    }
    after = {**before, "is_default": is_default}
    if target is not None:
        said = target.said
        after |= {
            "content_version": target.content_version,
            **content_columns(target.content),
            "hash_state": hash_state(target),
        }
        after |= {} if said.software_version is None else {"software_version": said.software_version}
        after |= {} if said.qc is None else {"qc": int(said.qc)}
        after |= {"created_by_id": around.created_by} if around.created_by else {}
    return None if after == before else after


def doubts_about(target: Target) -> list[Doubt]:
    """What a person should look at."""
    said, known, found = target.said, target.known, []
    facts = {"file": said.sent, "version": target.content_version}
    if target.change is Change.RETURNED:
        returned = f"{said.sent}: the bytes of an earlier version came back as version {target.content_version}"
        found.append(Doubt("bytes_returned", returned, facts, "check that the newer bytes were meant to be replaced"))
    if known and not target.new_bytes and size_contradicts(known.content, said.content):
        sizes = {"stored": known.content.size, "sent": said.content.size}
        contradiction = f"{said.sent}: the same digest came with another size; the stored size stays"
        found.append(Doubt("size_contradicts_digest", contradiction, facts | sizes, "look at the file on the rig"))
    if target.new_bytes and (text := empty_file_contradiction(target.content) or _empty(target.content)):
        found.append(Doubt("file_is_empty", f"{said.sent}: {text}", facts, "look whether the recording was cut short"))
    return found


def _empty(content: Content) -> str | None:
    return "a file without a byte" if content.size == 0 else None
