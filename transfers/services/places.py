"""Repositories as the engine uses them: their backends, their mark, and whether they may be used now."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Max

from alyx.core.errors import Conflict, Forbidden, Invalid
from alyx.labs.models import MANAGING_ROLES
from datasets.models import Repository, RepositoryKind, RepositoryState
from transfers.backends.base import Backend, BackendFailure, Failure, Health
from transfers.backends.posix import PosixBackend
from transfers.models import TransferItem, TransferJob
from transfers.rules.errors import ErrorCode, Side, policy
from transfers.rules.lifecycle import ItemState


def _mark(repository: Repository) -> str | None:
    return str(repository.canary) if repository.canary else None


def _posix(repository: Repository) -> Backend:
    return PosixBackend(repository.root, _mark(repository))


def _s3(repository: Repository) -> Backend:
    from transfers.backends.s3 import Place, S3Backend  # noqa: PLC0415  (boto3 costs a third of a second of CPU)

    place = Place.of(
        repository.root,
        endpoint=repository.endpoint,
        region=repository.region,
        credential=repository.credential,
    )
    return S3Backend(place, _mark(repository))


def _globus(repository: Repository) -> Backend:
    from transfers.backends.globus import GlobusBackend, Place  # noqa: PLC0415  (only where Globus is used)

    return GlobusBackend(Place.of(repository.root, repository.credential), _mark(repository))


MAKERS: dict[str, Callable[[Repository], Backend]] = {
    RepositoryKind.POSIX: _posix,
    RepositoryKind.S3: _s3,
    RepositoryKind.GLOBUS: _globus,
}
"""How a backend is made for each kind of repository."""
REMOTE_KINDS = (RepositoryKind.GLOBUS,)
"""Those whose service moves the bytes by itself (`Feature.REMOTE_JOBS`), and in which nothing of ours reads any."""

READABLE_STATES = (RepositoryState.ACTIVE, RepositoryState.RETIRING)
BLAMED: dict[ErrorCode, RepositoryState] = {
    ErrorCode.NO_SPACE: RepositoryState.FULL,
    ErrorCode.CANARY_MISSING: RepositoryState.QUARANTINED,
    ErrorCode.CANARY_WRONG: RepositoryState.QUARANTINED,
}
"""What a failure of the whole place makes of it; other such failures block it."""
_SILENT = (ErrorCode.UNREACHABLE, ErrorCode.TIMEOUT, ErrorCode.TOO_BUSY)
_HEALS = (RepositoryState.BLOCKED, RepositoryState.FULL, RepositoryState.QUARANTINED)


def reachable(repository: Repository) -> bool:
    """Whether our own code can look there."""
    return repository.kind in MAKERS and bool(repository.root)


def backend_for(repository: Repository) -> Backend:
    """The backend of a repository. Raises BackendFailure for a kind or root that our code cannot reach."""
    if not reachable(repository):
        raise BackendFailure(ErrorCode.UNSUPPORTED, f"{repository.name}: nothing of ours reaches {repository.kind}")
    return MAKERS[repository.kind](repository)


def allow_managing(actor: Any, labs: Iterable[uuid.UUID]) -> None:
    """Pass for the night (None), superusers, and those who manage the data of one of these labs. Raises Forbidden."""
    if actor is None or getattr(actor, "is_superuser", False):
        return
    if not actor.memberships.filter(lab__in=list(labs), role__in=MANAGING_ROLES).exists():
        raise Forbidden("only data managers and heads of the lab may do this")


def establish_canary(*, actor: Any, repository: Repository) -> uuid.UUID:
    """Mark the repository's root as its own, once, by somebody who knows that the right disk is mounted there.

    Repeating is harmless. The mark is on record before it is on the disk. Raises Forbidden, Invalid (no root our code
    can reach), Conflict (the root bears another repository's mark, or cannot be written).
    """
    allow_managing(actor, repository.labs.values_list("pk", flat=True))
    if not reachable(repository):
        raise Invalid.of("root", f"{repository.name} has no root that this server can reach")
    with transaction.atomic():
        held = Repository.objects.select_for_update().get(pk=repository.pk)
        if held.canary is None:
            held.canary = uuid.uuid4()
            held.save(update_fields=["canary"])
    try:
        backend_for(held).establish_canary(str(held.canary))
    except BackendFailure as failure:
        raise Conflict(f"{held.name}: {policy(failure.code).sentence} ({failure.detail})") from failure
    repository.canary = held.canary
    _note_computer(held)
    return uuid.UUID(str(held.canary))


def _note_computer(repository: Repository) -> None:
    """Whether it is somebody's own computer, for the planner: some services carry nothing between two such."""
    try:
        personal = backend_for(repository).on_personal_computer()
    except BackendFailure:
        return
    Repository.objects.filter(pk=repository.pk).exclude(on_personal_computer=personal).update(
        on_personal_computer=personal
    )


def probe(repository: Repository) -> Health:
    """How the place is now. Changes nothing."""
    try:
        return backend_for(repository).probe()
    except BackendFailure as failure:
        return Health(failure.code, failure.detail)


def block(*, repository: Repository, code: ErrorCode, detail: str) -> None:
    """Stop using a place that failed as a whole. No copy changes its state."""
    state = BLAMED.get(code, RepositoryState.BLOCKED)
    reason = f"{policy(code).sentence} ({code}{f': {detail}' if detail else ''})"
    Repository.objects.filter(pk=repository.pk, state__in=[RepositoryState.ACTIVE, *_HEALS]).exclude(
        state=state, state_reason=reason
    ).update(state=state, state_reason=reason)


def examine(repository: Repository) -> Health:
    """How the place is now, before or while it is used; it is stopped, with the reason, where it cannot be: also where it does
    not answer, so that its files wait with it and lose no try."""
    health = probe(repository)
    if health.problem is None:
        return health
    problem = ErrorCode.OFFLINE if health.problem in _SILENT else health.problem
    if policy(problem).blocks_repository:
        block(repository=repository, code=problem, detail=health.detail)
    return replace(health, problem=problem)


def unusable(job: TransferJob) -> Failure | None:
    """Whether one end of a job cannot be used now, seen before anything is begun; the repository is stopped if so."""
    for side, repository in ((Side.SOURCE, job.source), (Side.DESTINATION, job.destination)):
        health = examine(repository)
        problem, detail = health.problem, health.detail
        if problem is None and side is Side.DESTINATION:
            if health.read_only:
                problem = ErrorCode.READ_ONLY
            elif health.free_bytes is not None and health.free_bytes < job.bytes_total:
                problem, detail = ErrorCode.NO_SPACE, f"{health.free_bytes} bytes free, {job.bytes_total} needed"
            if problem is not None:
                block(repository=repository, code=problem, detail=detail)
        if problem is not None:
            return Failure(problem, f"{repository.name}: {detail}", side)
    return None


def heal_repositories() -> list[str]:
    """Take places into use again that are seen to be well; the names of those. A full one needs room for what waits."""
    healed = []
    for repository in Repository.objects.filter(state__in=_HEALS):
        if not reachable(repository):
            continue
        health = probe(repository)
        if not health.healthy or health.read_only or not _has_room(repository, health):
            continue
        if Repository.objects.filter(pk=repository.pk, state=repository.state).update(
            state=RepositoryState.ACTIVE, state_reason=""
        ):
            healed.append(repository.name)
    return healed


def _has_room(repository: Repository, health: Health) -> bool:
    if repository.state != RepositoryState.FULL or health.free_bytes is None:
        return True
    waiting = TransferItem.objects.filter(
        destination=repository, state__in=[ItemState.PLANNED, ItemState.RETRY_WAIT]
    ).aggregate(largest=Max("size_bytes"))["largest"]
    return health.free_bytes > (waiting or 0)
