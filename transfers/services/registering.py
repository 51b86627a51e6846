"""Proved bytes that hold their final name become facts: item, copy, digests and attempt in one transaction."""

import uuid
from collections.abc import Mapping
from typing import Any

from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from datasets.rules.copies import Cause
from datasets.services import copies
from transfers.backends.base import Proved
from transfers.models import Attempt, TransferItem
from transfers.rules.lifecycle import ItemState
from transfers.services.leases import Lease

BEFORE_COMMIT = declare("registrar.before_commit")
REGISTERED = declare("registrar.registered")


def register_proved(*, lease: Lease, proofs: Mapping[uuid.UUID, Proved]) -> int:
    """Mark the copies of these items VERIFIED and the items DONE; how many.

    By compare-and-set on the dataset's version and the copy's state: what means other bytes by now stays PROMOTED and is
    settled with the job. Raises LeaseLost.
    """
    if not proofs:
        return 0
    with lease.hold() as job:
        rows = TransferItem.objects.filter(pk__in=list(proofs), job=job)
        transition(rows, sources=[ItemState.VERIFYING], to=ItemState.PROMOTED)
        items = list(rows.filter(state=ItemState.PROMOTED).select_related("copy"))
        verified = copies.mark_verified(
            actor=None,
            cause=Cause.NIGHT,
            proofs=[_proof(item, proofs[item.pk], job.pk, lease.fence) for item in items],
        )
        arrived = [item for item in items if item.copy_id in verified]
        copies.record_observed(actor=None, contents=[_content(item, proofs[item.pk]) for item in arrived])
        transition(
            TransferItem.objects.filter(pk__in=[item.pk for item in arrived]),
            sources=[ItemState.PROMOTED],
            to=ItemState.DONE,
            last_error_code="",
            last_error="",
        )
        Attempt.objects.bulk_create(
            Attempt(
                item=item,
                job=job,
                number=item.attempts,
                outcome=ItemState.DONE,
                evidence=_evidence(proofs[item.pk], lease.fence),
            )
            for item in arrived
        )
        failpoint(BEFORE_COMMIT)
    failpoint(REGISTERED)
    return len(arrived)


def _proof(item: TransferItem, proof: Proved, job: uuid.UUID, fence: int) -> copies.Proof:
    evidence = _evidence(proof, fence) | {"by": "transfer", "job": str(job), "item": str(item.pk)}
    seen = proof.evidence
    return copies.Proof(
        item.copy_id, item.content_version, seen.size_bytes, seen.md5 or "", seen.sha256 or "", seen.level, evidence
    )


def _content(item: TransferItem, proof: Proved) -> copies.Observed:
    seen = proof.evidence
    return copies.Observed(item.dataset_id, item.content_version, seen.size_bytes, seen.md5 or "", seen.sha256 or "")


def _evidence(proof: Proved, fence: int) -> dict[str, Any]:
    seen = proof.evidence
    return {
        "level": seen.level,
        "size_bytes": seen.size_bytes,
        "md5": seen.md5,
        "sha256": seen.sha256,
        "seal": seen.seal,
        "fence": fence,
        "observed": proof.observed,
        "at_final": proof.at_final,
    }
