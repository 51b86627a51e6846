"""Why a file is where it is, and why it is or is not being moved."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alyx.core import clock
from datasets.models import SERVER_ROLES, Dataset, FileRecord, Repository, RepositoryState
from datasets.rules.bandwidth import all_open_at
from datasets.rules.copies import FILLABLE, CopyState
from datasets.rules.standing import COPY_MEANING
from transfers.models import Attempt, TransferItem
from transfers.queries.status import what_follows
from transfers.rules.lifecycle import ITEM_TERMINAL, ItemState
from transfers.rules.routing import why_no_way
from transfers.rules.schedule import night_of
from transfers.services.places import MAKERS

_WITH = ("dataset", "source__repository", "destination", "copy")


@dataclass
class Explanation:
    """Every copy of one dataset, and why it is or is not being moved."""

    dataset: str
    path: str
    version: int
    content: str
    notes: list[str]
    copies: list[dict[str, Any]]


def explain(dataset: Dataset) -> Explanation:
    """Why things are as they are with this dataset, for a person."""
    return explain_all([dataset])[0]


def explain_all(datasets: Sequence[Dataset]) -> list[Explanation]:
    """The same of several, in as many queries as of one. Their revisions should be with them."""
    found = FileRecord.objects.filter(dataset__in=datasets).select_related("repository", "dataset")
    rows: dict[uuid.UUID, list[FileRecord]] = defaultdict(list)
    for row in found.order_by("repository__role", "repository__name"):
        rows[row.dataset_id].append(row)
    items = {
        item.copy_id: item
        for item in TransferItem.objects.filter(dataset__in=datasets).select_related(*_WITH).order_by("created_at")
    }
    failures, now = _last_failures(datasets), clock.now()

    def told(row: FileRecord, own: list[FileRecord]) -> dict[str, Any]:
        others = [one for one in own if one.exists and one.pk != row.pk]
        return _copy(row, _next(row, items.get(row.pk), others, now), items.get(row.pk), failures.get(row.pk))

    return [
        Explanation(
            dataset=str(dataset.pk),
            path=str(dataset),
            version=dataset.content_version,
            content=_content(dataset),
            notes=_notes(dataset, rows[dataset.pk]),
            copies=[told(row, rows[dataset.pk]) for row in rows[dataset.pk]],
        )
        for dataset in datasets
    ]


def _last_failures(datasets: Sequence[Dataset]) -> dict[uuid.UUID, dict[str, Any]]:
    """By copy: the last try that did not end well."""
    tries = Attempt.objects.filter(item__dataset__in=datasets).exclude(outcome="done")
    last = tries.order_by("item__copy", "-id").distinct("item__copy")
    return {
        copy: {"at": at, "code": code, "said": evidence.get("said", code)}
        for copy, at, code, evidence in last.values_list("item__copy", "ended_at", "error_code", "evidence")
    }


def _content(dataset: Dataset) -> str:
    size = "of unknown size" if dataset.size_bytes is None else f"{dataset.size_bytes} bytes"
    digests = ", ".join(
        f"{name} {value}" for name, value in (("md5", dataset.md5), ("sha256", dataset.sha256)) if value
    )
    return f"{size}, {digests or 'not hashed yet'} ({dataset.get_hash_state_display()})"


def _notes(dataset: Dataset, rows: list[FileRecord]) -> list[str]:
    notes = []
    if dataset.withdrawn_at:
        notes.append(f"withdrawn at {dataset.withdrawn_at:%Y-%m-%d %H:%M} UTC: nothing is moved any more")
    if not any(row.repository.role in SERVER_ROLES for row in rows):
        notes.append("no server repository has a record for it: its lab has none, or it was registered without")
    if not any(row.exists for row in rows):
        notes.append("no place is known to have the current version: there is nothing to copy from")
    return notes


@dataclass(frozen=True)
class Next:
    """What happens next with a copy: in words, not before when (None: now, never, or nobody knows), and who has to act."""

    what: str
    at: datetime | None = None
    who: str = "nobody"


def _copy(
    copy: FileRecord, following: Next, item: TransferItem | None, failure: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "repository": copy.repository.name,
        "role": copy.repository.role,
        "path": copy.stored_path,
        "state": copy.state,
        "meaning": COPY_MEANING[CopyState(copy.state)],
        "version": copy.content_version,
        "exists_on_the_wire": copy.exists,
        "is_served": bool(copy.exists and copy.repository.data_url),
        "proved_at": copy.verified_at,
        "evidence": copy.evidence,
        "reason": copy.reason,
        "why": following.what,
        "next_at": following.at,
        "acts": following.who,
        "tries": item.attempts if item is not None else 0,
        "last_failure": failure,
    }


def _next(copy: FileRecord, item: TransferItem | None, sources: list[FileRecord], now: datetime) -> Next:
    state = CopyState(copy.state)
    if item is not None and item.state not in ITEM_TERMINAL:
        return _next_try(item, now)
    if copy.look_due_at is not None or state is CopyState.ANNOUNCED:
        return _looked_at(copy, now)
    if state is CopyState.VERIFIED or state not in FILLABLE | {CopyState.CLAIMED}:
        return Next("proved: nothing to do" if state is CopyState.VERIFIED else "nothing is moved here in this state")
    if copy.repository.role not in SERVER_ROLES:
        return Next("a lab's own repository is never filled by the night", who="the lab")
    if state is CopyState.CLAIMED:
        text = "a claim at a server is read back in the next window, before anything is copied over it"
        return Next(text, _at_night(copy.repository, now))
    return _not_planned(copy.repository, sources, now)


def _next_try(item: TransferItem, now: datetime) -> Next:
    after, who = what_follows(item, now)
    failed = f"; last time: {item.last_error}" if item.last_error else ""
    source = item.source.repository
    at = None
    if ItemState(item.state) in {ItemState.PLANNED, ItemState.RETRY_WAIT}:
        at = _at_night(source, max(now, item.not_before or now))
        at = all_open_at([source.hours, item.destination.hours], at) or at
    return Next(f"a transfer from {source.name} {after} (tries: {item.attempts}; acts: {who}){failed}", at, who)


def _looked_at(copy: FileRecord, now: datetime) -> Next:
    if copy.repository.kind not in MAKERS or not copy.repository.root:
        return Next("to be looked at, but nothing of ours reaches this repository: it has no root here", who="the lab")
    when = f"after {copy.look_due_at:%Y-%m-%d %H:%M} UTC" if copy.look_due_at else "in the next window"
    return Next(f"looked at {when}", _at_night(copy.repository, max(now, copy.look_due_at or now)))


def _not_planned(place: Repository, sources: list[FileRecord], now: datetime) -> Next:
    keeper = "whoever runs the repository"
    if place.state != RepositoryState.ACTIVE:
        return Next(f"not filled: the repository is {place.state}. {place.state_reason}".strip(), who=keeper)
    if place.kind not in MAKERS or not place.root:
        return Next("not filled: nothing of ours reaches this repository", who=keeper)
    if not sources:
        return Next("not filled: no other place is known to have the current version", who="the lab")
    usable = [one.repository for one in sources if one.repository.state in {"active", "retiring"}]
    if not usable:
        blocked = sources[0].repository
        text = f"not filled: {blocked.name}, which has it, is {blocked.state}. {blocked.state_reason}".strip()
        return Next(text, who=keeper)
    routes = [(one, why_no_way(one, place)) for one in usable]
    ways = [one for one, why in routes if not why]
    if not ways:
        return Next(f"not planned because {'; '.join(why for _, why in routes)}", who=keeper)
    return Next("to be planned in the next window", min(_at_night(one, now) for one in ways))


def _at_night(place: Repository, at: datetime) -> datetime:
    """This time if it is night there then, else the beginning of the next night."""
    today = at.astimezone(place.zone).date()
    nights = (
        night_of(today + timedelta(days=day), place.window_start, place.window_end, place.zone) for day in range(-1, 3)
    )
    return next(max(at, night.starts_at) for night in nights if night.ends_at > at)
