"""Whose job is next: each repository's night gets its share, small files go before large ones, and no place gets too much at once.

A lab's turn is reckoned in what its night has begun already: a backlog of a month waits for itself, not the others for it.
Within a night all small files come before the large ones. What a service is given at once is bounded too: it works on few
tasks at a time, and what waits here can still be put in a better order.
"""

from typing import Any

from transfers.rules.lifecycle import JOB_WRITING
from transfers.rules.routing import (
    APART,
    FILE_COSTS_BYTES,
    JOBS_BETWEEN_TWO,
    JOBS_TO_ONE,
    LARGE_FROM_BYTES,
    LARGE_JOBS_TO_ONE,
)
from transfers.services.hours import WAITS

PARAMETERS: dict[str, Any] = {
    "apart": list(APART),
    "writing": sorted(JOB_WRITING),
    "to_one": JOBS_TO_ONE,
    "large_to_one": LARGE_JOBS_TO_ONE,
    "between_two": JOBS_BETWEEN_TWO,
    "large": LARGE_FROM_BYTES,
    "per_file": FILE_COSTS_BYTES,
}
_COST = "(j.bytes_total + j.files_total * %(per_file)s::bigint)"
_LARGE = "(j.files_total > 0 AND j.bytes_total >= j.files_total * %(large)s::bigint)"

SHARES = f"""
begun AS MATERIALIZED (
    SELECT j.window_id, sum({_COST}) AS cost
      FROM transfers_transferjob j JOIN transfers_nightwindow w ON w.id = j.window_id
     WHERE w.state = 'open' AND j.state <> 'prepared' AND j.fence > 0 GROUP BY j.window_id
), small AS MATERIALIZED (
    SELECT j.window_id, sum({_COST}) AS cost FROM transfers_transferjob j
     WHERE j.state = 'prepared' AND NOT {_LARGE} GROUP BY j.window_id
), busy AS MATERIALIZED (
    SELECT j.source_id, j.destination_id, count(*) AS jobs, count(*) FILTER (WHERE {_LARGE}) AS large
      FROM transfers_transferjob j WHERE j.state = ANY (%(writing)s) AND NOT {WAITS} GROUP BY j.source_id, j.destination_id
)"""  # noqa: S608  (put together from constants)
"""What each open night has begun, what small files it still has, and how busy each place is: a job that waits for the hours of one
end takes no room at the other."""

HAS_ROOM = f"""(
    (SELECT coalesce(sum(b.jobs), 0) FROM busy b WHERE b.destination_id = j.destination_id) < %(to_one)s
    AND (NOT {_LARGE} OR (SELECT coalesce(sum(b.large), 0) FROM busy b
                           WHERE b.destination_id = j.destination_id) < %(large_to_one)s)
    AND (j.backend <> ALL (%(apart)s) OR (SELECT coalesce(sum(b.jobs), 0) FROM busy b
          WHERE (b.source_id, b.destination_id) = (j.source_id, j.destination_id)) < %(between_two)s))"""  # noqa: S608
"""Whether job j may begin now."""

TURN = f"""coalesce((SELECT b.cost FROM begun b WHERE b.window_id = j.window_id), 0) + {_COST}
    + CASE WHEN {_LARGE} THEN coalesce((SELECT s.cost FROM small s WHERE s.window_id = j.window_id), 0) ELSE 0 END"""  # noqa: S608
"""The smaller, the sooner: what its night would have had when this one is done."""
