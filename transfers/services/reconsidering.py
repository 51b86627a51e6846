"""Items that are live but in nobody's hands: what happened meanwhile may have made them done, stale, possible or vain.

Only idle items are touched here: what is in flight is settled with its job.
"""

import uuid
from typing import Any

from django.db import connection, transaction

from alyx.core.clock import AlyxNow
from alyx.core.errors import Conflict
from alyx.core.transitions import transition
from datasets.services import copies
from transfers.models import TransferItem
from transfers.rules.errors import ErrorCode
from transfers.rules.evidence import SOURCE_TROUBLES
from transfers.rules.lifecycle import IN_FLIGHT, ItemState
from transfers.services.places import allow_managing
from transfers.services.planning import EVERYTHING, SOURCES, Scope

_PROVED = """
WITH idle AS MATERIALIZED (
    SELECT i.id, i.copy_id, i.content_version FROM transfers_transferitem i
     WHERE i.state IN ('planned', 'retry_wait', 'needs_human')
)
UPDATE transfers_transferitem i
   SET state = CASE WHEN i.state = 'planned' THEN 'done' ELSE 'stale' END, job_id = NULL
  FROM idle CROSS JOIN LATERAL (
       SELECT FROM datasets_filerecord c JOIN datasets_dataset d ON d.id = c.dataset_id
        WHERE c.id = idle.copy_id AND c.state = 'verified'
          AND c.content_version = idle.content_version AND d.content_version = idle.content_version
        LIMIT 1) proved
 WHERE i.id = idle.id AND i.state IN ('planned', 'retry_wait', 'needs_human')
"""
"""From the idle items to their copies, never from all proved copies: those are a thousand times as many, and the planner
does not know it while most of them are of this night."""
_STALE = """
UPDATE transfers_transferitem i SET state = 'stale', job_id = NULL
  FROM datasets_filerecord c JOIN datasets_dataset d ON d.id = c.dataset_id
 WHERE c.id = i.copy_id AND i.state IN ('planned', 'retry_wait', 'needs_human')
   AND (i.content_version <> d.content_version OR d.withdrawn_at IS NOT NULL OR c.state IN ('withdrawn', 'deleted'))
"""
_NO_SOURCE_LEFT = """
UPDATE transfers_transferitem i
   SET state = 'needs_human', job_id = NULL, last_error = %(sentence)s,
       last_error_code = CASE WHEN i.last_error_code = ANY (%(about_source)s) THEN i.last_error_code ELSE %(code)s END
 WHERE i.state IN ('planned', 'retry_wait') AND i.not_before <= alyx_now()
   AND (SELECT s.id FROM datasets_filerecord s
         WHERE s.dataset_id = i.dataset_id AND s.id <> i.copy_id AND s.content_version = i.content_version
           AND s.state IN ('verified', 'claimed', 'suspect', 'announced') LIMIT 1) IS NULL
"""
_POSSIBLE = f"""
WITH asking AS MATERIALIZED (
    SELECT i.id FROM transfers_transferitem i
      JOIN datasets_filerecord c ON c.id = i.copy_id AND c.state <> 'claimed'
      JOIN datasets_filerecord s ON s.id = i.source_id
      JOIN datasets_repository q ON q.id = s.repository_id
     WHERE i.state = 'retry_wait' AND i.not_before <= alyx_now()
        OR i.state = 'needs_human' AND i.last_error_code = ANY (%(about_source)s)
        OR i.state = 'planned' AND NOT (s.state = ANY (%(serving)s) AND s.content_version = i.content_version
                                        AND q.state = ANY (%(readable)s))
), best AS (
    SELECT i.id, b.id AS source_id, i.state
      FROM asking JOIN transfers_transferitem i ON i.id = asking.id
      JOIN datasets_repository r ON r.id = i.destination_id
      CROSS JOIN LATERAL ({SOURCES.format(dataset="i.dataset_id", version="i.content_version", destination="r")}) b
     ORDER BY i.id FOR UPDATE OF i SKIP LOCKED
)
UPDATE transfers_transferitem i
   SET source_id = best.source_id, state = 'planned', job_id = NULL,
       attempts = CASE WHEN best.state = 'needs_human' THEN 0 ELSE i.attempts END
  FROM best WHERE i.id = best.id
"""  # noqa: S608  (put together from constants)
_NOBODYS = """
SELECT c.id FROM datasets_filerecord c JOIN datasets_repository r ON r.id = c.repository_id
 WHERE r.role = ANY (%(servers)s) AND c.state = 'incoming'
EXCEPT
SELECT i.copy_id FROM transfers_transferitem i WHERE i.state = ANY (%(in_flight)s)
"""


@transaction.atomic
def reconsider_items(*, actor: Any = None) -> int:
    """Bring all idle items up to date with the registry; how many can be sent again. Repeating changes nothing more."""
    parameters = EVERYTHING.parameters | {
        "in_flight": sorted(IN_FLIGHT),
        "about_source": sorted(SOURCE_TROUBLES),
        "code": ErrorCode.SOURCE_VANISHED,
        "sentence": "No place is left that has the current version. "
        "Restore the file somewhere and register it there, or withdraw the dataset.",
    }
    with connection.cursor() as cursor:
        cursor.execute(_PROVED)
        cursor.execute(_STALE)
        cursor.execute(_NO_SOURCE_LEFT, parameters)
        cursor.execute(_POSSIBLE, parameters)
        possible = int(cursor.rowcount)
        cursor.execute(_NOBODYS, parameters)
        nobodys: list[uuid.UUID] = [row[0] for row in cursor.fetchall()]
    if nobodys:
        copies.give_up(actor=actor, copies=nobodys)
    return possible


def wake_waiting(*, actor: Any, scope: Scope = EVERYTHING) -> int:
    """What waits for a later try may be tried now: a person says so. Returns how many."""
    del actor
    waiting = TransferItem.objects.filter(state=ItemState.RETRY_WAIT, not_before__gt=AlyxNow())
    if scope.lab is not None:
        waiting = waiting.filter(dataset__session__lab=scope.lab)
    return int(waiting.update(not_before=AlyxNow()))


@transaction.atomic
def retry_item(*, actor: Any, item: TransferItem) -> None:
    """A person has put right what was wrong: the item starts again with a clean count.

    Raises Forbidden, Conflict (it does not wait for a person).
    """
    held = TransferItem.objects.select_for_update().get(pk=item.pk)
    allow_managing(actor, held.destination.labs.values_list("pk", flat=True))
    if held.state not in {ItemState.NEEDS_HUMAN, ItemState.RETRY_WAIT}:
        raise Conflict(f"this item is {held.state}: only one that waits can be tried again")
    transition(
        TransferItem.objects.filter(pk=held.pk),
        sources=[ItemState.NEEDS_HUMAN, ItemState.RETRY_WAIT],
        to=ItemState.PLANNED,
        attempts=0,
        not_before=AlyxNow(),
        job=None,
    )


@transaction.atomic
def cancel_item(*, actor: Any, item: TransferItem, reason: str) -> None:
    """A person decides that this copy is not made now; the next plan makes a new item unless the record is withdrawn.

    Raises Forbidden, Conflict (it is in flight or over).
    """
    held = TransferItem.objects.select_for_update().get(pk=item.pk)
    allow_managing(actor, held.destination.labs.values_list("pk", flat=True))
    idle = [ItemState.PLANNED, ItemState.RETRY_WAIT, ItemState.NEEDS_HUMAN]
    if not transition(TransferItem.objects.filter(pk=held.pk), sources=idle, to=ItemState.CANCELLED, last_error=reason):
        raise Conflict(f"this item is {held.state}: what is in flight ends with its job")
