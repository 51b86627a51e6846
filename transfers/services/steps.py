"""The steps that every job's files go through, whoever moves the bytes: proved, named, registered.

No transaction is open while a backend works. Each write-back happens under the job's fence.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import F

from alyx.core.failpoints import declare, failpoint
from datasets.models import ContentVersion, FileRecord
from datasets.rules.copies import CopyState
from datasets.services import copies
from transfers.backends.base import Backend, Content, Failure, FileSpec, JobSpec, Proved
from transfers.models import TransferItem, TransferJob
from transfers.rules.errors import Side, policy
from transfers.rules.lifecycle import IN_FLIGHT
from transfers.services.leases import Lease
from transfers.services.pacing import Pace
from transfers.services.places import block
from transfers.services.registering import register_proved

PROVED = declare("verifier.proved")
PROMOTED = declare("promoter.promoted")


@dataclass
class Run:
    """A job in hand: both ends, its files, what failed so far."""

    lease: Lease
    job: TransferJob
    source: Backend
    destination: Backend
    on: date
    pace: Pace | None = None
    """None where no bytes pass through this process."""
    failures: dict[uuid.UUID, Failure] = field(default_factory=dict)

    def beat(self) -> bool:
        """What backends ask between pieces."""
        return self.pace.beat() if self.pace is not None else self.lease.beat()

    def spec(self, files: Sequence[FileSpec]) -> JobSpec:
        """These files, sent under our fence."""
        return JobSpec(self.job.submission_id.hex, self.lease.fence, tuple(files), self.on)

    def note(self, outcomes: Mapping[str, Any]) -> None:
        """Remember what failed, and stop using a place that failed as a whole."""
        for key, outcome in outcomes.items():
            if isinstance(outcome, Failure):
                self.failures[uuid.UUID(key)] = outcome
                blame_place(self.job, outcome)


def blame_place(job: TransferJob, failure: Failure) -> None:
    """Stop using the place that failed as a whole, where it is known which."""
    if policy(failure.code).blocks_repository and failure.side is not Side.BETWEEN:
        repository = job.source if failure.side is Side.SOURCE else job.destination
        block(repository=repository, code=failure.code, detail=failure.detail)


def items_of(job: TransferJob) -> dict[uuid.UUID, TransferItem]:
    """The job's files that are in flight, in the order of their paths."""
    rows = (
        TransferItem.objects.filter(job=job, state__in=sorted(IN_FLIGHT))
        .select_related("dataset", "source", "copy")
        .order_by("dest_path_key", "pk")
    )
    return {row.pk: row for row in rows}


def current(run: Run, items: Iterable[TransferItem]) -> list[TransferItem]:
    """Those whose bytes are still meant and whose copy still waits for them; asked before each step that writes."""
    asked = list(items)
    fresh = set(
        TransferItem.objects.filter(
            pk__in=[item.pk for item in asked if item.pk not in run.failures],
            dataset__content_version=F("content_version"),
            dataset__withdrawn_at__isnull=True,
            copy__state=CopyState.INCOMING,
        ).values_list("pk", flat=True)
    )
    return [item for item in asked if item.pk in fresh]


def specs_of(rows: Sequence[TransferItem]) -> dict[str, FileSpec]:
    """What the backends are told of these files, by key."""
    earlier = _earlier_contents(rows)
    return {
        item.pk.hex: FileSpec(
            key=item.pk.hex,
            source_path=item.source.stored_path,
            final_path=item.copy.stored_path,
            content=Content(item.dataset.size_bytes, item.dataset.md5 or None, item.dataset.sha256 or None),
            version=item.content_version,
            replaces=_replaced(item.copy, earlier.get(item.dataset_id, [])),
        )
        for item in rows
    }


def _earlier_contents(items: Iterable[TransferItem]) -> dict[uuid.UUID, list[ContentVersion]]:
    found: dict[uuid.UUID, list[ContentVersion]] = {}
    revised = [item.dataset_id for item in items if item.content_version > 1]
    if revised:
        for version in ContentVersion.objects.filter(dataset__in=revised).order_by("-content_version"):
            found.setdefault(version.dataset_id, []).append(version)
    return found


def _replaced(copy: FileRecord, versions: list[ContentVersion]) -> tuple[int, Content] | None:
    """Which version the bytes last read there were, if any is on record."""
    for known in versions:
        same = (known.md5 and known.md5 == copy.md5) or (known.sha256 and known.sha256 == copy.sha256)
        if same:
            return known.content_version, Content(known.size_bytes, known.md5 or None, known.sha256 or None)
    return None


def prove_and_promote(run: Run, items: Sequence[TransferItem], specs: Mapping[str, FileSpec]) -> None:
    """Prove, name and register these files, whose bytes lie in the staging place. What fails is noted and stays in
    flight."""
    files = {item.pk.hex: item for item in items}
    proofs = _prove(run, files, specs)
    _observe(run, files, proofs)
    _promote(run, files, specs, proofs)
    register_proved(lease=run.lease, proofs={files[key].pk: proof for key, proof in proofs.items()})


def _prove(run: Run, files: dict[str, TransferItem], specs: Mapping[str, FileSpec]) -> dict[str, Proved]:
    todo = [specs[key] for key, item in files.items() if item.pk not in run.failures]
    if not todo:
        return {}
    outcomes = run.destination.prove(run.source, run.spec(todo), run.beat)
    run.note(outcomes)
    failpoint(PROVED)
    return {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Proved)}


def _observe(run: Run, files: dict[str, TransferItem], proofs: dict[str, Proved]) -> None:
    """Digests of files that nobody had hashed are on record before the bytes get their name, so that a crash in
    between finds them proved."""
    seen = [
        copies.Observed(
            files[key].dataset_id,
            files[key].content_version,
            proof.evidence.size_bytes,
            proof.evidence.md5 or "",
            proof.evidence.sha256 or "",
        )
        for key, proof in proofs.items()
        if proof.observed
    ]
    with run.lease.hold():
        copies.record_observed(actor=None, contents=seen)


def _promote(
    run: Run, files: dict[str, TransferItem], specs: Mapping[str, FileSpec], proofs: dict[str, Proved]
) -> None:
    with run.lease.hold():
        fresh = {item.pk.hex for item in current(run, [files[key] for key in proofs])}
    for key in set(proofs) - fresh:
        del proofs[key]
    if not proofs:
        return
    outcomes = run.destination.promote(run.spec([specs[key] for key in proofs]), proofs, run.beat)
    run.note(outcomes)
    for key in [key for key in proofs if files[key].pk in run.failures]:
        del proofs[key]
    failpoint(PROMOTED)
