"""Registering files: the door through which a dataset and its copies become known.

One transaction, all files or none, and a number of statements that does not depend on the number of files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from alyx.core.errors import Conflict
from alyx.core.flags import Doubt, raise_flags
from datasets.models import ContentVersion, Dataset, FileRecord
from datasets.rules.registration import Change, nowhere_to_look
from datasets.services.protection import PROTECTED, DatasetProtected, any_protected, details_of
from datasets.services.register_call import RegisterCall
from datasets.services.register_copies import CopyChanges, asked_of, decide_copies
from datasets.services.register_plan import (
    Target,
    changed_row,
    content_columns,
    decide_defaults,
    decide_targets,
    doubts_about,
    new_row,
)
from datasets.services.register_state import Known, read_known
from datasets.services.revisions import add_revisions
from datasets.services.rows import insert_rows, update_rows, write_together
from datasets.services.surroundings import Owner, Surroundings, authorise_registration, find_owner, look_around
from sessions.models import Session


@dataclass(frozen=True, slots=True)
class Registered:
    """One file of a call: its dataset, and what the call did to its bytes."""

    dataset_id: UUID
    change: Change


def register_files(*, actor: Any, call: RegisterCall) -> list[Registered]:
    """Register the files of a call; the answer is in their order.

    Raises Invalid (with `files`: a reason for each file that has one), Ambiguous (several labs have the session),
    Forbidden (another lab's), DatasetProtected, Conflict (files of another session took a path at the same moment).
    Then nothing has changed.
    """
    try:
        return _register(actor=actor, call=call)
    except IntegrityError as error:
        if "one_copy_per_path" not in str(error):
            raise
        raise Conflict(
            "files of another session were given one of these paths at the same moment; send this again"
        ) from None


@transaction.atomic
def _register(*, actor: Any, call: RegisterCall) -> list[Registered]:
    owner = find_owner(actor=actor, call=call, lock=True)
    around = look_around(call=call, owner=owner)
    authorise_registration(actor=actor, call=call, owner=owner, around=around)
    known = read_known(owner=owner, call=call)
    _refuse_protected(call, known)
    asked = asked_of(call, around) if call.copies else {}
    targets = decide_targets(call=call, around=around, known=known)
    copies = decide_copies(owner=owner, around=around, targets=targets, asked=asked)
    _make_revisions(around, targets)
    _write(actor, call, owner, around, known, targets, copies)
    _raise_flags(owner, targets, nowhere=call.copies and nowhere_to_look(asked.values()))
    by_key = {target.said.key: target for target in targets}
    return [Registered(by_key[file.key].id, by_key[file.key].change) for file in call.files]


def _refuse_protected(call: RegisterCall, known: Sequence[Known]) -> None:
    if not call.check_protected:
        return
    details = details_of(call, ((row.collection, row.name, row.revision, row.is_protected) for row in known))
    if any_protected(details):
        raise DatasetProtected(PROTECTED, details)


def _make_revisions(around: Surroundings, targets: Sequence[Target]) -> None:
    missing = {target.said.path.revision for target in targets} - {""} - set(around.revisions)
    if missing:
        around.revisions.update(add_revisions(missing))


def _write(
    actor: Any, call: RegisterCall, owner: Owner, around: Surroundings, known: Sequence[Known],
    targets: Sequence[Target], copies: CopyChanges,
) -> None:  # fmt: skip
    defaults = decide_defaults(call=call, known=known, targets=targets)
    lost = [{"id": row.id, "is_default": False} for row in known if defaults.get(row.id) is False]
    write_together(*update_rows(Dataset, lost), *update_rows(FileRecord, copies.first))

    by_id = {target.id: target for target in targets}
    new = [
        new_row(target, owner, around, getattr(actor, "pk", None), is_default=defaults[target.id])
        for target in targets
        if target.known is None
    ]
    changed = [
        changed_row(row, by_id.get(row.id), around, is_default=defaults.get(row.id, row.is_default)) for row in known
    ]
    versions = [
        {"dataset_id": target.id, "content_version": target.content_version, **content_columns(target.content)}
        for target in targets
        if target.change is not Change.SAME
    ]
    write_together(
        *insert_rows(Dataset, new),
        *update_rows(Dataset, (row for row in changed if row is not None)),
        *insert_rows(ContentVersion, versions, or_else=_FILL),
        *insert_rows(FileRecord, copies.new),
        *update_rows(FileRecord, copies.then),
    )


_FILL = "(dataset_id, content_version) DO UPDATE SET size_bytes = excluded.size_bytes, md5 = excluded.md5, sha256 = excluded.sha256"


def _raise_flags(owner: Owner, targets: Sequence[Target], *, nowhere: bool) -> None:
    lab_id = owner.lab.pk if owner.lab else None
    doubts = [(target.id, doubt) for target in targets for doubt in doubts_about(target)]
    raise_flags(Dataset, doubts, lab_id=lab_id)
    if nowhere and owner.session_id and any(target.new_bytes for target in targets):
        lab = owner.lab.name if owner.lab else ""
        doubt = Doubt(
            "nowhere_to_look",
            f"files of {owner.prefix} were registered, but no place is known where they could be found",
            {"lab": lab},
            f"give lab {lab} a repository of the role lab, or register with name",
        )
        raise_flags(Session, [(owner.session_id, doubt)], lab_id=lab_id)
