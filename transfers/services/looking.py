"""Looks: announced files, claims at a destination, second looks at what was found absent or different, and scrubs.

A look reads one copy where it lies, between two readings of the repository's mark. What it establishes is decided by
`transfers.rules.evidence` and applied by compare-and-set; an error establishes nothing.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from alyx.core.flags import Doubt, raise_flags
from datasets.models import SERVER_ROLES, Dataset, FileRecord, Repository
from datasets.rules.copies import Cause, CopyState
from datasets.services import copies
from transfers.backends.base import (
    Absent,
    Backend,
    BackendFailure,
    Beat,
    Evidence,
    Feature,
    OutOfHours,
    Stat,
    Stopped,
    Unknown,
)
from transfers.models import TransferItem
from transfers.rules.errors import ErrorCode, policy
from transfers.rules.evidence import (
    LOOKED_AT,
    LOOKS_APART,
    Finding,
    LookOutcome,
    Meant,
    Presence,
    Reading,
    finding,
    look_outcome,
)
from transfers.rules.hours import hold_of
from transfers.rules.lifecycle import IN_FLIGHT
from transfers.services.pacing import reading_at
from transfers.services.places import MAKERS, READABLE_STATES, REMOTE_KINDS, block, probe
from transfers.services.planning import EVERYTHING, Scope

BEFORE_APPLY = declare("looks.before_apply")
BATCH = 200
S = CopyState


@dataclass
class Looked:
    """What a round of looks found: how many of each finding, and a sentence for each copy that was not good."""

    found: Counter[Finding] = field(default_factory=Counter)
    complaints: list[tuple[FileRecord, str]] = field(default_factory=list)
    unseen_places: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many copies were looked at."""
        return sum(self.found.values())


@dataclass(frozen=True)
class _Sight:
    """One copy and what was seen of it."""

    copy: FileRecord
    meant: Meant
    presence: Presence
    reading: Reading | None = None
    evidence: Evidence | None = None
    detail: str = ""


def _go_on() -> bool:
    return True


def due_looks(scope: Scope = EVERYTHING, *, asked_only: bool = False) -> QuerySet[FileRecord]:
    """Copies to look at now: whatever was asked for; at night also what is announced or in doubt, and claims at server
    repositories where somebody of ours can read bytes."""
    asked = Q(look_due_at__lte=clock.AlyxNow())
    if asked_only:
        return _lookable(scope).filter(asked)
    unasked = Q(look_due_at__isnull=True) & (
        Q(state__in=[S.ANNOUNCED, S.SUSPECT])
        | Q(state=S.CLAIMED, repository__role__in=SERVER_ROLES) & ~Q(repository__kind__in=REMOTE_KINDS)
    )
    return _lookable(scope).filter(asked | unasked)


def _lookable(scope: Scope) -> QuerySet[FileRecord]:
    in_flight = TransferItem.objects.filter(copy=OuterRef("pk"), state__in=sorted(IN_FLIGHT))
    rows: QuerySet[FileRecord] = FileRecord.objects.filter(
        ~Exists(in_flight),
        state__in=sorted(LOOKED_AT),
        content_version=F("dataset__content_version"),
        dataset__withdrawn_at__isnull=True,
        repository__kind__in=list(MAKERS),
        repository__state__in=READABLE_STATES,
    ).exclude(repository__root="")
    if scope.lab is not None:
        rows = rows.filter(Q(dataset__session__lab=scope.lab) | Q(dataset__session=None, repository__labs=scope.lab))
    if scope.repository is not None:
        rows = rows.filter(repository=scope.repository)
    return rows


def look_at_due(
    *,
    actor: Any = None,
    scope: Scope = EVERYTHING,
    asked_only: bool = False,
    go_on: Callable[[], bool] = _go_on,
) -> Looked:
    """Look at everything that is due, until `go_on` says no."""
    return look_at(actor=actor, rows=due_looks(scope, asked_only=asked_only), go_on=go_on)


def look_at(*, actor: Any, rows: QuerySet[FileRecord], go_on: Callable[[], bool] = _go_on) -> Looked:
    """Look at each of these copies once, repository by repository."""
    looked = Looked()
    for repository in Repository.objects.filter(pk__in=rows.order_by().values("repository_id").distinct()):
        problem = _unusable(repository)
        if problem:
            looked.unseen_places[repository.name] = problem
            continue
        try:
            with reading_at(repository) as (backend, pace):
                for batch in _batches(rows.filter(repository=repository)):
                    if not go_on():
                        return looked
                    _look_at_batch(actor, backend, batch, looked, pace.beat)
        except Stopped as stopped:
            looked.unseen_places[repository.name] = _not_now(repository, stopped)
    return looked


def _not_now(repository: Repository, stopped: Stopped) -> str:
    if isinstance(stopped, OutOfHours):
        hold = hold_of([repository], clock.now())
        return hold.says if hold is not None else "its hours have just opened: it goes on by itself"
    return "another process reads there now, and one at a time may: it goes on by itself"


def _unusable(repository: Repository) -> str:
    health = probe(repository)
    if health.problem is None:
        return ""
    if policy(health.problem).blocks_repository:
        block(repository=repository, code=health.problem, detail=health.detail)
    return policy(health.problem).sentence


def _batches(rows: QuerySet[FileRecord]) -> Iterator[list[FileRecord]]:
    """In the order of ids, so that a look that changes nothing is not repeated in the same round."""
    last = uuid.UUID(int=0)
    ordered = rows.select_related("dataset", "dataset__session", "repository").order_by("pk")
    while batch := list(ordered.filter(pk__gt=last)[:BATCH]):
        yield batch
        last = batch[-1].pk


def _look_at_batch(actor: Any, backend: Backend, batch: list[FileRecord], looked: Looked, beat: Beat) -> None:
    """What was seen before somebody said to stop is applied. Raises Stopped."""
    sights: list[_Sight] = []
    try:
        for copy, look in zip(batch, _stats(backend, batch), strict=True):
            sights.append(_see(backend, copy, look, beat))
    except Stopped:
        _settle_batch(actor, backend, sights, looked)
        raise
    _settle_batch(actor, backend, sights, looked)


def _settle_batch(actor: Any, backend: Backend, sights: list[_Sight], looked: Looked) -> None:
    healthy = backend.probe().healthy
    observed = _observe(actor, sights) if healthy else set()
    failpoint(BEFORE_APPLY)
    found = {
        sight.copy.pk: finding(sight.presence, sight.reading, _meant_now(sight, observed), canary=healthy)
        for sight in sights
    }
    _apply(actor, sights, found)
    for sight in sights:
        result = found[sight.copy.pk]
        looked.found[result] += 1
        if result in {Finding.ABSENT, Finding.DIFFERENT, Finding.UNKNOWN}:
            looked.complaints.append((sight.copy, _says(sight, result)))


def _stats(backend: Backend, batch: Sequence[FileRecord]) -> list[Stat | Absent | Unknown]:
    looks = backend.stat([copy.stored_path for copy in batch])
    return [looks[copy.stored_path] for copy in batch]


def _see(backend: Backend, copy: FileRecord, look: Stat | Absent | Unknown, beat: Beat) -> _Sight:
    dataset = copy.dataset
    meant = Meant(dataset.content_version, dataset.size_bytes, dataset.md5 or None, dataset.sha256 or None)
    if isinstance(look, Absent):
        return _Sight(copy, meant, Presence.ABSENT)
    if isinstance(look, Unknown):
        return _Sight(copy, meant, Presence.UNKNOWN, detail=_sentence(look.code, look.detail))
    if Feature.READ_BACK not in backend.features:
        return _Sight(copy, meant, Presence.PRESENT, Reading(look.size_bytes))
    try:
        seen = backend.digest(copy.stored_path, beat)
    except Stopped:
        raise
    except BackendFailure as failure:
        return _Sight(copy, meant, Presence.UNKNOWN, detail=_sentence(failure.code, failure.detail))
    return _Sight(copy, meant, Presence.PRESENT, Reading(seen.size_bytes, seen.md5, seen.sha256), seen)


def _sentence(code: ErrorCode, detail: str) -> str:
    return f"{policy(code).sentence} ({detail})" if detail else policy(code).sentence


def _observe(actor: Any, sights: Iterable[_Sight]) -> set[uuid.UUID]:
    """What nobody has hashed is hashed where it lies; the datasets that got their digests from these sights."""
    first: dict[uuid.UUID, copies.Observed] = {}
    for sight in sights:
        meant, reading = sight.meant, sight.reading
        pending = meant.md5 is None and meant.sha256 is None and sight.copy.state in {S.ANNOUNCED, S.CLAIMED}
        if not pending or reading is None or not (reading.md5 or reading.sha256):
            continue
        first.setdefault(
            sight.copy.dataset_id,
            copies.Observed(
                sight.copy.dataset_id, meant.version, reading.size_bytes, reading.md5 or "", reading.sha256 or ""
            ),
        )
    return copies.record_observed(actor=actor, contents=list(first.values()))


def _meant_now(sight: _Sight, observed: set[uuid.UUID]) -> Meant:
    if sight.copy.dataset_id not in observed or sight.reading is None:
        return sight.meant
    reading = sight.reading
    return Meant(sight.meant.version, reading.size_bytes, reading.md5, reading.sha256)


def _apply(actor: Any, sights: list[_Sight], found: dict[uuid.UUID, Finding]) -> None:
    now = clock.now()
    outcomes = [
        (
            sight,
            found[sight.copy.pk],
            look_outcome(
                CopyState(sight.copy.state), found[sight.copy.pk], doubted_at=sight.copy.first_miss_at, now=now
            ),
        )
        for sight in sights
    ]
    with transaction.atomic():
        free = _not_in_flight([sight.copy for sight in sights])
        outcomes = [one for one in outcomes if one[0].copy.pk in free]
        for state, group in groupby(sorted(outcomes, key=_state), key=_state):
            proved = [sight for sight, _, outcome in group if outcome.proof]
            cause = Cause.NIGHT if state == S.ANNOUNCED else Cause.LOOK
            copies.mark_verified(
                actor=actor, cause=cause, seen_in={CopyState(state)}, proofs=[_proof(sight) for sight in proved]
            )
        copies.record_observed(
            actor=actor, contents=[_content(sight) for sight, _, outcome in outcomes if outcome.proof]
        )
        changed = [one for one in outcomes if not one[2].proof and one[1] is not Finding.UNKNOWN]
        copies.record_looks(actor=actor, seen=[_seen(*one, now) for one in changed])
        _raise_flags(changed)


def _state(outcome: tuple[_Sight, Finding, LookOutcome]) -> str:
    return str(outcome[0].copy.state)


def _not_in_flight(rows: list[FileRecord]) -> set[uuid.UUID]:
    """Those no writer may be replacing at this moment, and whose doubt is the one the look began with; the rows stay
    locked until it is applied."""
    keys = [row.pk for row in rows]
    datasets = {row.dataset_id for row in rows}  # before their copies, as everybody locks them
    list(Dataset.objects.select_for_update(no_key=True).filter(pk__in=datasets).order_by("pk").values_list("pk"))
    held = FileRecord.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    doubted = dict(held.values_list("pk", "first_miss_at"))
    as_seen = {row.pk for row in rows if doubted.get(row.pk) == row.first_miss_at}
    busy = TransferItem.objects.filter(copy__in=keys, state__in=sorted(IN_FLIGHT)).values_list("copy_id", flat=True)
    return as_seen - set(busy)


def _proof(sight: _Sight) -> copies.Proof:
    seen = sight.evidence
    if seen is None:
        message = "a proof is a whole read"
        raise ValueError(message)
    return copies.Proof(
        sight.copy.pk,
        sight.meant.version,
        seen.size_bytes,
        seen.md5 or "",
        seen.sha256 or "",
        seen.level,
        {"by": "look", "level": seen.level, "size_bytes": seen.size_bytes, "seal": seen.seal}
        | {"md5": seen.md5, "sha256": seen.sha256},
    )


def _content(sight: _Sight) -> copies.Observed:
    proof = _proof(sight)
    return copies.Observed(sight.copy.dataset_id, proof.version, proof.size_bytes, proof.md5, proof.sha256)


def _seen(sight: _Sight, found: Finding, outcome: LookOutcome, now: datetime) -> copies.Seen:
    state = CopyState(sight.copy.state)
    stays_open = (outcome.move_to or state) in {S.ANNOUNCED, S.SUSPECT, S.CLAIMED}
    due = (outcome.doubted_at or now) + LOOKS_APART if stays_open else None
    reason = "" if found is Finding.UNPROVABLE else _says(sight, found)
    return copies.Seen(
        sight.copy.pk,
        sight.copy.content_version,
        state,
        outcome.move_to,
        doubted_at=outcome.doubted_at,
        look_due_at=due,
        reason=reason,
        began_doubted_at=sight.copy.first_miss_at,
    )


def _says(sight: _Sight, found: Finding) -> str:
    if found is Finding.ABSENT:
        return "a look did not find the file"
    if found is Finding.UNKNOWN:
        return sight.detail or "it could not be seen"
    reading, meant = sight.reading, sight.meant
    if reading is not None and meant.size_bytes is not None and reading.size_bytes != meant.size_bytes:
        return f"a look found {reading.size_bytes} bytes, {meant.size_bytes} are registered"
    return "a look found other bytes than registered"


def _raise_flags(changed: list[tuple[_Sight, Finding, LookOutcome]]) -> None:
    """A person hears of announced files that are not there, or are not as announced."""
    for sight, found, outcome in changed:
        if sight.copy.state != S.ANNOUNCED or found not in {Finding.ABSENT, Finding.DIFFERENT}:
            continue
        if found is Finding.ABSENT and not outcome.flag:
            continue
        session = sight.copy.dataset.session
        raise_flags(
            FileRecord,
            [(sight.copy.pk, _doubt(sight, found))],
            lab_id=session.lab_id if session is not None else None,
        )


def _doubt(sight: _Sight, found: Finding) -> Doubt:
    where = f"{sight.copy.stored_path} at {sight.copy.repository.name}"
    if found is Finding.ABSENT:
        return Doubt(
            "announced_file_not_found",
            f"{where} was announced, and two looks a day apart did not find it",
            {"version": sight.meant.version},
            "put the file there and register it again, or withdraw the dataset",
        )
    return Doubt(
        "announced_file_differs",
        f"{where} is not the file that was announced: {_says(sight, found)}",
        {"version": sight.meant.version, "read": sight.reading.md5 if sight.reading else None},
        "register the file as it is (a new version), or put the registered one there",
    )
