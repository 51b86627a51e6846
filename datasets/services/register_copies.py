"""Decides what a registration does to the copies of its datasets. Reads the copies (locked), writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from alyx.core.errors import Invalid
from datasets.rules.alf import path_key, with_uuid
from datasets.rules.copies import CopyState
from datasets.rules.refusals import Refusal
from datasets.rules.registration import Call, Effect, Repo, copies_for, effect
from datasets.services.register_call import RegisterCall
from datasets.services.register_plan import Target
from datasets.services.register_state import Copy, read_copies
from datasets.services.surroundings import Owner, Place, Surroundings

S = CopyState
Paths = dict[tuple[UUID, UUID], tuple[str, str, str]]
"""(dataset, repository) → relative path, stored path, path key."""

REASONS = {
    S.CLAIMED: "a client said that the bytes are here",
    S.ANNOUNCED: "a client said to look here",
    S.EXPECTED: "meant to come here",
    S.SUPERSEDED: "other bytes were registered",
    S.SUSPECT: "a client said that the bytes are not here",
    S.WITHDRAWN: "taken back",
}


@dataclass(slots=True)
class CopyChanges:
    """Rows to write: `first` before `then`; `new` are new records."""

    new: list[dict[str, Any]] = field(default_factory=list)
    first: list[dict[str, Any]] = field(default_factory=list)
    then: list[dict[str, Any]] = field(default_factory=list)


def asked_of(call: RegisterCall, around: Surroundings) -> dict[UUID, CopyState]:
    """The state the call asks for at each repository. Raises Invalid for an aggregate without a repository."""
    named = around.named
    places = [place for place in around.places.values() if place.filled or place is named]
    repos = [Repo(place.id, place.is_server, of_lab=bool(place.labs & around.lab_ids)) for place in places]
    said = Call(
        exists=call.exists,
        server_only=call.server_only,
        repository=named.id if named else None,
        aggregate=call.session is None,
    )
    try:
        return copies_for(said, repos)
    except Refusal as refusal:
        raise Invalid.of("name", str(refusal)) from None


def decide_copies(
    *, owner: Owner, around: Surroundings, targets: Sequence[Target], asked: dict[UUID, CopyState]
) -> CopyChanges:
    """What happens to every copy of the targets. Raises Invalid when a path is another dataset's."""
    paths = _paths(owner, around, targets, asked)
    stored = [target.id for target in targets if target.known]
    copies, occupied = read_copies(datasets=stored, paths=_to_check(around, targets, paths))
    _refuse_taken({(row.repository_id, row.path_key): row.dataset_id for row in occupied}, around, targets, paths)
    changes = CopyChanges()
    for target in targets:
        mine = copies.get(target.id, {})
        for repository_id in {**asked, **mine}:
            copy = mine.get(repository_id)
            outdated = copy is not None and copy.content_version != target.content_version
            effects = effect(copy.state if copy else None, asked.get(repository_id), outdated=outdated)
            if copy is None:
                changes.new.append(_new(target, repository_id, effects, paths))
            else:
                _change(changes, copy, effects, target)
    return changes


def _paths(owner: Owner, around: Surroundings, targets: Sequence[Target], asked: Iterable[UUID]) -> Paths:
    found: Paths = {}
    places = [around.places[repository] for repository in asked]
    for target in targets:
        relative = "/".join(part for part in (owner.prefix, target.said.path.in_session) if part)
        for place in places:
            found[target.id, place.id] = (relative, *stored_at(place, relative, target.id))
    return found


def stored_at(place: Place, relative: str, dataset_id: UUID) -> tuple[str, str]:
    """The name of a dataset at a place, and its key."""
    stored = with_uuid(relative, dataset_id) if place.uuid_in_names else relative
    return stored, path_key(stored, case_sensitive=place.case_sensitive)


def _to_check(around: Surroundings, targets: Sequence[Target], paths: Paths) -> list[tuple[UUID, str]]:
    plain = {place.id for place in around.places.values() if not place.uuid_in_names}
    return [(place, key) for (_, place), (_, _, key) in paths.items() if place in plain]


def _refuse_taken(
    taken: dict[tuple[UUID, str], UUID], around: Surroundings, targets: Sequence[Target], paths: Paths
) -> None:
    mine: dict[tuple[UUID, str], UUID] = {}
    sent = {target.id: target.said.sent for target in targets}
    for (dataset, place), (_, stored, key) in paths.items():
        other = taken.get((place, key)) or mine.setdefault((place, key), dataset)
        if other != dataset:
            text = (
                f"{sent[dataset]} (dataset {dataset}) and {sent.get(other, 'another')} (dataset {other}) "
                f"would both be {stored} at {around.places[place].name}; rename one of them"
            )
            raise Invalid.of("filenames", text)


def _new(target: Target, repository_id: UUID, effects: Effect, paths: Paths) -> dict[str, Any]:
    relative, stored, key = paths[target.id, repository_id]
    return {
        "id": uuid4(),
        "dataset_id": target.id,
        "repository_id": repository_id,
        "relative_path": relative,
        "stored_path": stored,
        "path_key": key,
        **renewed(effects.steps[0].state, target.content_version),
    }


def renewed(state: CopyState, version: int) -> dict[str, Any]:
    """The columns of a record that begins to speak of a version: nothing is proved of it. A claim also says that what we
    last read there is gone; else size and digests stay, for those bytes may still hold the name. An announcement is looked
    at by the night: by day the file may still be on its way to where it was announced."""
    return {
        **({"size_bytes": None, "md5": "", "sha256": ""} if state is S.CLAIMED else {}),
        "state": state,
        "content_version": version,
        "evidence_level": 0,
        "evidence": {},
        "verified_at": None,
        "first_miss_at": None,
        "look_due_at": None,
        "reason": REASONS[state],
    }


def _change(changes: CopyChanges, copy: Copy, effects: Effect, target: Target) -> None:
    *before, last = effects.steps or (None,)
    for step in before:
        if step is not None:
            changes.first.append({"id": copy.id, **_superseded(step.state)})
    if last is None and not effects.renews:
        return
    state = last.state if last else copy.state
    row = renewed(state, target.content_version) if effects.renews else _superseded(state)
    changes.then.append({"id": copy.id, **row})


def _superseded(state: CopyState) -> dict[str, Any]:
    return {"state": state, "first_miss_at": None, "look_due_at": None, "reason": REASONS[state]}
