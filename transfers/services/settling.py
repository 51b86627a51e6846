"""A job that has ended gives its files back: each left item gets its outcome, then the job is settled.

What failed is on record with the job's end, so that a worker killed in between settles the same.
"""

import logging
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from datasets.models import Dataset
from datasets.rules.copies import CopyState
from datasets.services import copies
from transfers.backends.base import BackendFailure, Failure, JobSpec, LeaseLost
from transfers.models import Attempt, TransferItem, TransferJob
from transfers.rules.errors import ErrorCode, parse_code, policy, retry_delay
from transfers.rules.evidence import LOOKS_APART, SOURCE_TROUBLES, after_failure
from transfers.rules.lifecycle import IN_FLIGHT, JOB_ENDED, JOB_WRITING, ItemState, JobState
from transfers.rules.routing import fewer
from transfers.services.leases import Lease
from transfers.services.places import REMOTE_KINDS, backend_for
from transfers.services.planning import EVERYTHING, SOURCES

log = logging.getLogger(__name__)

ITEMS_SETTLED = declare("settler.items_settled")
RELEASED = declare("settler.released")
SETTLED = declare("settler.settled")
CLOSED = declare("remote.closed")

_NOTE = """
UPDATE transfers_transferitem i
   SET last_error_code = w.code, last_error = w.sentence,
       company = CASE WHEN w.code = ANY (%(spoiled)s) THEN %(fewer)s ELSE i.company END
  FROM unnest(%(items)s::uuid[], %(codes)s::text[], %(sentences)s::text[]) AS w (id, code, sentence)
 WHERE i.id = w.id
"""
_OTHER_SOURCE = f"""
SELECT i.id FROM transfers_transferitem i
  JOIN datasets_repository r ON r.id = i.destination_id
  CROSS JOIN LATERAL ({SOURCES.format(dataset="i.dataset_id", version="i.content_version", destination="r")}) b
 WHERE i.id = ANY (%(items)s::uuid[]) AND b.id <> i.source_id
"""  # noqa: S608  (put together from constants)


_SPOILED = (ErrorCode.LEFT_OUT, ErrorCode.EXPIRED)
"""What would be better off in smaller company next time."""


def end_job(*, lease: Lease, failures: Mapping[uuid.UUID, Failure], otherwise: JobState = JobState.FAILED) -> None:
    """No writer of the job lives any more: say so, together with what failed. `otherwise`: how it ended where not every
    file arrived. Raises LeaseLost."""
    with lease.hold() as job:
        left = list(TransferItem.objects.filter(job=job, state__in=sorted(IN_FLIGHT)))
        noted = {item.pk: failures.get(item.pk, Failure(ErrorCode.LEASE_LOST)) for item in left}
        with connection.cursor() as cursor:
            cursor.execute(
                _NOTE,
                {
                    "items": list(noted),
                    "codes": [failure.code for failure in noted.values()],
                    "sentences": [_sentence(failure) for failure in noted.values()],
                    "spoiled": list(_SPOILED),
                    "fewer": fewer(job.files_total),
                },
            )
        transition(
            TransferJob.objects.filter(pk=job.pk),
            sources=sorted(JOB_WRITING),
            to=otherwise if left else JobState.SUCCEEDED,
        )


def _sentence(failure: Failure) -> str:
    return f"{policy(failure.code).sentence} ({failure.detail})" if failure.detail else policy(failure.code).sentence


@dataclass(frozen=True)
class _Outcome:
    state: ItemState
    not_before: datetime
    uncount: bool = False
    """The try is not counted: the place was the problem, or another source is at hand."""


def settle_job(*, lease: Lease) -> None:
    """Give each item that is still in flight its outcome, clear the staging place, settle the job.

    A job of a service is settled only when its staging place is closed: what was sent under its handle, and whoever slept
    while giving a file its name, finds nothing there. Raises LeaseLost, BackendFailure (of such a place: try again).
    """
    if lease.fence > 1 and _was_sent(lease):
        release_staging(lease)
        failpoint(CLOSED)
    with lease.hold() as job:
        if job.state not in JOB_ENDED:
            return
        _settle_items(job)
        elsewhere = job.backend in REMOTE_KINDS
    failpoint(ITEMS_SETTLED)
    if not elsewhere:
        _release(lease)
    failpoint(RELEASED)
    with lease.hold() as job:
        transition(
            TransferJob.objects.filter(pk=job.pk),
            sources=sorted(JOB_ENDED),
            to=JobState.SETTLED,
            lease_owner="",
            lease_until=None,
            due_at=None,
        )
    failpoint(SETTLED)


def _was_sent(lease: Lease) -> bool:
    """Whether a service may know the job by its handle."""
    return TransferJob.objects.filter(pk=lease.job_id, state__in=sorted(JOB_ENDED), handle_at__isnull=False).exists()


def _settle_items(job: TransferJob) -> None:
    rows = TransferItem.objects.filter(job=job, state__in=sorted(IN_FLIGHT)).select_related("dataset", "copy", "source")
    left = list(rows.order_by("dataset_id", "pk"))
    if not left:
        return
    datasets = {item.dataset_id for item in left}  # before their copies, as everybody locks them
    list(Dataset.objects.select_for_update(no_key=True).filter(pk__in=datasets).order_by("pk").values_list("pk"))
    now = clock.now()
    current = [item for item in left if _is_current(item)]
    _doubt_sources(current, now)
    elsewhere = _with_other_source(current)
    outcomes = {
        item.pk: _outcome(job, item, now, other_source=item.pk in elsewhere)
        if item in current
        else _Outcome(ItemState.STALE, now)
        for item in left
    }
    _write(left, outcomes)
    copies.give_up(actor=None, copies=[item.copy_id for item in left])
    if not _never_begun(job):
        Attempt.objects.bulk_create(_attempt(item, job, outcomes[item.pk].state) for item in left)


def _never_begun(job: TransferJob) -> bool:
    """Its window ended first: no try was made."""
    return job.state == JobState.CANCELLED and job.handle_at is None


def _is_current(item: TransferItem) -> bool:
    return (
        item.content_version == item.dataset.content_version
        and item.dataset.withdrawn_at is None
        and item.copy.state == CopyState.INCOMING
    )


def _doubt_sources(items: list[TransferItem], now: datetime) -> None:
    """A source that was seen to be gone, or to hold other bytes, is in doubt until a second look."""
    copies.mark_suspect(
        actor=None,
        copies=[
            (item.source_id, item.content_version, item.last_error)
            for item in items
            if item.last_error_code in SOURCE_TROUBLES
        ],
        at=now,
        look_due_at=now + LOOKS_APART,
    )


def _with_other_source(items: list[TransferItem]) -> set[uuid.UUID]:
    about_source = [item.pk for item in items if item.last_error_code in SOURCE_TROUBLES]
    if not about_source:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_OTHER_SOURCE, EVERYTHING.parameters | {"items": about_source})
        return {row[0] for row in cursor.fetchall()}


def _outcome(job: TransferJob, item: TransferItem, now: datetime, *, other_source: bool) -> _Outcome:
    if _never_begun(job) or other_source:
        return _Outcome(ItemState.RETRY_WAIT, now, uncount=True)
    code = parse_code(item.last_error_code)
    if after_failure(code, item.attempts) is ItemState.NEEDS_HUMAN:
        return _Outcome(ItemState.NEEDS_HUMAN, now)
    pause = retry_delay(code, max(1, item.attempts), random.random())  # noqa: S311  (spreads load, guards nothing)
    return _Outcome(ItemState.RETRY_WAIT, now + pause, uncount=not policy(code).consumes)


_OUTCOMES = """
UPDATE transfers_transferitem i
   SET state = w.state, not_before = w.not_before, job_id = NULL,
       attempts = CASE WHEN w.uncount THEN greatest(i.attempts - 1, 0) ELSE i.attempts END
  FROM unnest(%(items)s::uuid[], %(states)s::text[], %(not_before)s::timestamptz[], %(uncount)s::bool[])
       AS w (id, state, not_before, uncount)
 WHERE i.id = w.id
"""


def _write(items: list[TransferItem], outcomes: Mapping[uuid.UUID, _Outcome]) -> None:
    given = [outcomes[item.pk] for item in items]
    parameters: dict[str, Any] = {
        "items": [item.pk for item in items],
        "states": [outcome.state for outcome in given],
        "not_before": [outcome.not_before for outcome in given],
        "uncount": [outcome.uncount for outcome in given],
    }
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, parameters)


def _attempt(item: TransferItem, job: TransferJob, state: ItemState) -> Attempt:
    return Attempt(
        item=item,
        job=job,
        number=item.attempts,
        outcome=state,
        error_code=item.last_error_code,
        evidence={"said": item.last_error, "fence": job.fence, "source": str(item.source_id)},
    )


def release_staging(lease: Lease) -> None:
    """Clear the staging place and bar every former owner from it. Raises LeaseLost, BackendFailure."""
    job = TransferJob.objects.select_related("destination").get(pk=lease.job_id)
    backend_for(job.destination).release(JobSpec(job.submission_id.hex, lease.fence, (), clock.now().date()))


def _release(lease: Lease) -> None:
    """A place that cannot be reached now is swept later: no writer of the job lives."""
    try:
        release_staging(lease)
    except LeaseLost:
        raise
    except BackendFailure as failure:
        log.warning("staging of job %s stays for the sweep: %s", lease.job_id, failure)
