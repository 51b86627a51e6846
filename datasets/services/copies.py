"""What becomes of copies by our own hand: the night, looks, and what they prove. Set-based; each moves only the rows
that still are where the caller saw them, by the moves of `datasets.rules.copies`.

`actor` is the person who asked, or None for the night; the audit context names the job.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from alyx.core.transitions import transition
from datasets.models import FileRecord
from datasets.rules.copies import FILLABLE, Cause, CopyState, sources_of

S = CopyState
# The statements find their rows by id. Conditions on the state are written so that no index serves them: right after a
# big change the statistics say that hardly any row is in that state, and a plan built on that takes minutes.
PROOF_LEVEL = 3
"""Evidence below this is no proof (see the transfer engine's design, 3.3)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One whole read of a copy at its place that showed the meant bytes: of which version, size in bytes, digests in
    lower-case hex ("" for unknown), how it was read and for whom."""

    copy_id: uuid.UUID
    version: int
    size_bytes: int
    md5: str
    sha256: str
    level: int
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look does to one copy: from the state, version and doubt it began with to another state (None: it stays).

    `look_due_at`: when to look again. `doubted_at`: since when looks found it bad. `began_doubted_at`: the same when the
    look began; what else happened to the copy meanwhile makes the look void.
    """

    copy_id: uuid.UUID
    version: int
    state: CopyState
    move_to: CopyState | None
    doubted_at: datetime | None = None
    look_due_at: datetime | None = None
    reason: str = ""
    began_doubted_at: datetime | None = None


def _ids(sql: str, parameters: dict[str, Any]) -> set[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return {row[0] for row in cursor.fetchall()}


def hold(copies: Iterable[uuid.UUID]) -> None:
    """Lock the datasets of these copies, then the copies, in the order in which everybody does (registration too), so that
    nobody waits in a circle. Inside a transaction."""
    keys = list(copies)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_DATASETS, {"copies": keys})
        cursor.execute(_HOLD_COPIES, {"copies": keys})


_HOLD_DATASETS = """
SELECT 1 FROM datasets_dataset
 WHERE id IN (SELECT dataset_id FROM datasets_filerecord WHERE id = ANY (%(copies)s::uuid[]))
 ORDER BY id FOR NO KEY UPDATE
"""
_HOLD_COPIES = """
SELECT 1 FROM datasets_filerecord WHERE id = ANY (%(copies)s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""


def _names(states: Iterable[CopyState]) -> list[str]:
    return sorted(states)


_STILL_MEANT = """(
    SELECT d.content_version FROM datasets_dataset d WHERE d.id = c.dataset_id AND d.withdrawn_at IS NULL
) = w.version"""
"""Whether copy c's dataset still means version w. Looked up row by row: see above."""

_INCOMING = f"""
UPDATE datasets_filerecord c
   SET state = 'incoming', content_version = w.version, look_due_at = NULL, first_miss_at = NULL, reason = ''
  FROM unnest(%(copies)s::uuid[], %(versions)s::int[]) AS w (id, version)
 WHERE c.id = w.id AND array_position(%(fillable)s::text[], c.state::text) IS NOT NULL AND {_STILL_MEANT}
RETURNING c.id
"""  # noqa: S608  (put together from constants)


@transaction.atomic
def mark_incoming(*, actor: Any, copies: Sequence[tuple[uuid.UUID, int]]) -> set[uuid.UUID]:
    """A transfer of (copy, content version) to these places is under way. Returns those that moved: not the copies of a
    dataset that means other bytes by now.

    `size_bytes` and digests stay: they are of the bytes last read there, which may still hold the name.
    """
    del actor
    parameters = {
        "copies": [copy for copy, _ in copies],
        "versions": [version for _, version in copies],
        "fillable": _names(FILLABLE),
    }
    hold(copy for copy, _ in copies)
    return _ids(_INCOMING, parameters)


_VERIFIED = f"""
UPDATE datasets_filerecord c
   SET state = 'verified', size_bytes = w.size, md5 = w.md5, sha256 = w.sha256,
       evidence_level = w.level, evidence = w.evidence, verified_at = alyx_now(), last_seen_at = alyx_now(),
       look_due_at = NULL, first_miss_at = NULL, reason = ''
  FROM unnest(%(copies)s::uuid[], %(versions)s::int[], %(sizes)s::bigint[], %(md5s)s::text[], %(sha256s)s::text[],
              %(levels)s::int[], %(evidence)s::jsonb[]) AS w (id, version, size, md5, sha256, level, evidence)
 WHERE c.id = w.id AND c.content_version = w.version
   AND array_position(%(sources)s::text[], c.state::text) IS NOT NULL AND {_STILL_MEANT}
RETURNING c.id
"""  # noqa: S608  (put together from constants)


@transaction.atomic
def mark_verified(
    *, actor: Any, proofs: Sequence[Proof], cause: Cause, seen_in: Collection[CopyState] | None = None
) -> set[uuid.UUID]:
    """The current version's digest was read back at these places. Returns those registered: a dataset that means other
    bytes by now, or a copy that somebody moved, is left as it is.

    `seen_in`: the states the copies were in when they were read (default: all from which `cause` may prove). VERIFIED
    among them renews the proof. Raises ValueError for evidence that proves nothing.
    """
    del actor
    if weak := [proof for proof in proofs if proof.level < PROOF_LEVEL or not (proof.md5 or proof.sha256)]:
        message = f"no proof: level {weak[0].level} for copy {weak[0].copy_id}"
        raise ValueError(message)
    if not proofs:
        return set()
    allowed = sources_of(S.VERIFIED, cause) | ({S.VERIFIED} if cause is Cause.LOOK else set())
    parameters = {
        "copies": [proof.copy_id for proof in proofs],
        "versions": [proof.version for proof in proofs],
        "sizes": [proof.size_bytes for proof in proofs],
        "md5s": [proof.md5 for proof in proofs],
        "sha256s": [proof.sha256 for proof in proofs],
        "levels": [proof.level for proof in proofs],
        "evidence": [Jsonb(proof.evidence) for proof in proofs],
        "sources": _names(allowed if seen_in is None else allowed & set(seen_in)),
    }
    hold(proof.copy_id for proof in proofs)
    return _ids(_VERIFIED, parameters)


_OBSERVED = """
WITH filled AS (
    UPDATE datasets_dataset d
       SET size_bytes = w.size,
           md5 = CASE WHEN d.md5 = '' THEN w.md5 ELSE d.md5 END,
           sha256 = CASE WHEN d.sha256 = '' THEN w.sha256 ELSE d.sha256 END,
           hash_state = CASE WHEN d.hash_state = 'pending' THEN 'observed' ELSE d.hash_state END
      FROM unnest(%(datasets)s::uuid[], %(versions)s::int[], %(sizes)s::bigint[], %(md5s)s::text[], %(sha256s)s::text[])
           AS w (id, version, size, md5, sha256)
     WHERE d.id = w.id AND d.content_version = w.version AND d.withdrawn_at IS NULL
       AND (d.size_bytes IS NULL OR d.size_bytes = w.size)
       AND (d.md5 = '' OR d.md5 = w.md5) AND (d.sha256 = '' OR d.sha256 = w.sha256)
       AND (d.hash_state = 'pending' OR d.sha256 = '' AND d.md5 = w.md5 OR d.md5 = '' AND d.sha256 = w.sha256)
    RETURNING d.id, d.content_version, d.size_bytes, d.md5, d.sha256
), remembered AS (
    INSERT INTO datasets_contentversion (dataset_id, content_version, size_bytes, md5, sha256)
    SELECT id, content_version, size_bytes, md5, sha256 FROM filled
    ON CONFLICT (dataset_id, content_version) DO UPDATE
       SET size_bytes = EXCLUDED.size_bytes, md5 = EXCLUDED.md5, sha256 = EXCLUDED.sha256
)
SELECT id FROM filled
"""


@dataclass(frozen=True, slots=True)
class Observed:
    """Size (bytes) and digests (hex) of the bytes of one version, as we read them."""

    dataset_id: uuid.UUID
    version: int
    size_bytes: int
    md5: str
    sha256: str


@transaction.atomic
def record_observed(*, actor: Any, contents: Sequence[Observed]) -> set[uuid.UUID]:
    """Fill digests that the registry lacks from a read of ours that contradicts nothing registered: both for a dataset
    nobody hashed (it becomes OBSERVED), the other one where one digest is registered and agrees. Returns the datasets
    filled; a digest that is registered never changes here."""
    del actor
    if not contents:
        return set()
    unique = {content.dataset_id: content for content in contents}.values()
    parameters: dict[str, Any] = {
        "datasets": [content.dataset_id for content in unique],
        "versions": [content.version for content in unique],
        "sizes": [content.size_bytes for content in unique],
        "md5s": [content.md5 for content in unique],
        "sha256s": [content.sha256 for content in unique],
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM datasets_dataset WHERE id = ANY (%(datasets)s) ORDER BY id FOR NO KEY UPDATE", parameters
        )
    return _ids(_OBSERVED, parameters)


_SEEN = """
UPDATE datasets_filerecord c
   SET state = w.target, first_miss_at = w.doubted, look_due_at = w.due, reason = w.reason,
       last_seen_at = CASE WHEN w.doubted IS NULL THEN alyx_now() ELSE c.last_seen_at END
  FROM unnest(%(copies)s::uuid[], %(versions)s::int[], %(states)s::text[], %(targets)s::text[],
              %(doubted)s::timestamptz[], %(due)s::timestamptz[], %(reasons)s::text[], %(began)s::timestamptz[])
       AS w (id, version, state, target, doubted, due, reason, began)
 WHERE c.id = w.id AND c.state || '' = w.state AND c.content_version = w.version
   AND (c.state IN ('claimed', 'verified') OR c.first_miss_at IS NOT DISTINCT FROM w.began)
RETURNING c.id
"""


@transaction.atomic
def record_looks(*, actor: Any, seen: Sequence[Seen]) -> set[uuid.UUID]:
    """Apply what looks found, other than proofs (`mark_verified`). Returns those that were still as seen.

    Raises ValueError for a move that no look may make.
    """
    del actor
    for look in seen:
        if look.move_to is not None and not any(
            look.state in sources_of(look.move_to, cause) for cause in (Cause.LOOK, Cause.NIGHT)
        ):
            message = f"no look moves a copy from {look.state} to {look.move_to}"
            raise ValueError(message)
    if not seen:
        return set()
    hold(look.copy_id for look in seen)
    parameters = {
        "copies": [look.copy_id for look in seen],
        "versions": [look.version for look in seen],
        "states": [look.state for look in seen],
        "targets": [look.move_to or look.state for look in seen],
        "doubted": [look.doubted_at for look in seen],
        "due": [look.look_due_at for look in seen],
        "reasons": [look.reason for look in seen],
        "began": [look.began_doubted_at for look in seen],
    }
    return _ids(_SEEN, parameters)


def mark_suspect(
    *, actor: Any, copies: Iterable[tuple[uuid.UUID, int, str]], at: datetime, look_due_at: datetime
) -> set[uuid.UUID]:
    """A positive look of ours found these (copy, version, reason) absent or different at `at`. Returns those doubted."""
    wanted = list(copies)
    return record_looks(
        actor=actor,
        seen=[
            Seen(copy, version, state, S.SUSPECT, at, look_due_at, reason)
            for copy, version, reason in wanted
            for state in (S.CLAIMED, S.VERIFIED)
        ],
    )


@transaction.atomic
def give_up(*, actor: Any, copies: Collection[uuid.UUID], reason: str = "") -> int:
    """No transfer to these places is under way any more: INCOMING → EXPECTED. Returns how many moved."""
    del actor
    hold(copies)
    rows = FileRecord.objects.filter(pk__in=list(copies))
    return transition(rows, sources=[S.INCOMING], to=S.EXPECTED, reason=reason)
