"""Copies in any state, brought there by legal moves only."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from alyx.core.clock import AlyxNow
from datasets.models import Dataset, FileRecord, Repository
from datasets.rules.copies import INITIAL, LEGAL, CopyState
from tests.factories.records import a_dataset, a_repository

S = CopyState


def path_to(state: str, *, initial: Iterable[str], moves: Iterable[tuple[str, str]]) -> list[str]:
    """A shortest way of legal moves from a state a row may be born in to `state`, both named."""
    steps = sorted((str(old), str(new)) for old, new in moves)
    ways = deque([str(birth)] for birth in sorted(initial))
    while ways:
        way = ways.popleft()
        if way[-1] == state:
            return way
        ways.extend([*way, new] for old, new in steps if old == way[-1] and new not in way)
    message = f"no legal way leads to {state}"
    raise LookupError(message)


def proof_columns(dataset: Dataset) -> dict[str, Any]:
    """What a whole read of the copy leaves in its record."""
    return {
        "size_bytes": dataset.size_bytes,
        "md5": dataset.md5,
        "evidence_level": 4,
        "evidence": {"by": "tests"},
        "verified_at": AlyxNow(),
        "last_seen_at": AlyxNow(),
    }


def bring_to(copy: FileRecord, state: str) -> None:
    """Move a copy of its dataset's current version along legal moves. A second verified copy must exist for TRASHED."""
    way = path_to(state, initial=[copy.state], moves=LEGAL)
    for step in way[1:]:
        proof = proof_columns(copy.dataset) if step == S.VERIFIED else {}
        FileRecord.objects.filter(pk=copy.pk).update(state=step, **proof)
    copy.refresh_from_db()


def a_copy(
    dataset: Dataset | None = None, repository: Repository | None = None, state: str = S.CLAIMED, **columns: Any
) -> FileRecord:
    """A copy in that state."""
    dataset, repository = dataset or a_dataset(), repository or a_repository()
    path = f"{dataset.session or 'aggregates'}/{dataset.path}"
    birth = path_to(state, initial=INITIAL, moves=LEGAL)[0]
    if state in {S.TRASHED, S.DELETED}:
        a_copy(dataset, state=S.VERIFIED)
    copy: FileRecord = FileRecord.objects.create(
        dataset=dataset,
        repository=repository,
        relative_path=path,
        stored_path=path,
        path_key=path,
        content_version=dataset.content_version,
        state=birth,
        **columns,
    )
    bring_to(copy, state)
    return copy
