"""Repositories as the engine uses them: their backends, their mark, and whether they may be used now."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction
from django.db.models import Max

from alyx.core.errors import Conflict, Forbidden, Invalid
from alyx.labs.models import MANAGING_ROLES
from datasets.models import Repository, RepositoryKind, RepositoryState
from transfers.backends.base import Backend, BackendFailure, Health
from transfers.backends.posix import PosixBackend
from transfers.models import TransferItem
from transfers.rules.errors import ErrorCode, policy
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


MAKERS: dict[str, Callable[[Repository], Backend]] = {
    RepositoryKind.POSIX: _posix,
    RepositoryKind.S3: _s3,
}
"""How a backend is made for each kind of repository. Kinds without a row cannot be reached by our code yet."""

READABLE_STATES = (RepositoryState.ACTIVE, RepositoryState.RETIRING)
BLAMED: dict[ErrorCode, RepositoryState] = {
    ErrorCode.NO_SPACE: RepositoryState.FULL,
    ErrorCode.CANARY_MISSING: RepositoryState.QUARANTINED,
    ErrorCode.CANARY_WRONG: RepositoryState.QUARANTINED,
}
"""What a failure of the whole place makes of it; other such failures block it."""
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
    return uuid.UUID(str(held.canary))


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
