"""What waits for the hours of its places: nothing is wrong, and it goes on by itself."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from datasets.models import Repository
from transfers.queries.sql import LAB_OF
from transfers.rules.hours import hold_of
from transfers.rules.routing import APART
from transfers.services.hours import closed_places
from transfers.services.planning import EVERYTHING, Scope


@dataclass(frozen=True)
class Held:
    """Files between two places that wait. `ends`: from where to where; `until` None: they never will; `who`: has to act."""

    ends: tuple[str, str]
    files: int
    size_bytes: int
    until: datetime | None
    says: str
    who: str


_HELD = f"""
SELECT c.repository_id, i.destination_id, count(*), coalesce(sum(i.size_bytes), 0)::bigint
  FROM transfers_transferitem i
  JOIN datasets_filerecord c ON c.id = i.source_id
  JOIN datasets_dataset d ON d.id = i.dataset_id
  LEFT JOIN lab_sessions_session s ON s.id = d.session_id
  LEFT JOIN transfers_transferjob j ON j.id = i.job_id
 WHERE i.state IN ('planned', 'bound', 'moved', 'verifying', 'promoted')
   AND (c.repository_id = ANY (%(closed)s) OR i.destination_id = ANY (%(closed)s))
   AND (j.id IS NULL OR j.backend <> ALL (%(apart)s) OR j.state IN ('prepared', 'submitting'))
   AND (%(labs)s::uuid[] IS NULL OR {LAB_OF} = ANY (%(labs)s::uuid[]))
   AND (%(place)s::uuid IS NULL OR %(place)s::uuid IN (c.repository_id, i.destination_id))
 GROUP BY 1, 2 ORDER BY 3 DESC
"""  # noqa: S608  (put together from constants)


def held(
    now: datetime,
    scope: Scope = EVERYTHING,
    labs: Collection[uuid.UUID] | None = None,
    closed: Sequence[uuid.UUID] | None = None,
) -> list[Held]:
    """By way, the most files first. `closed`: the places that let nothing pass now, where the caller knows them."""
    closed = closed_places(now) if closed is None else closed
    if not closed:
        return []
    if scope.lab is not None:
        labs = [scope.lab.pk]
    told: dict[str, Any] = {
        "closed": list(closed),
        "apart": list(APART),
        "labs": None if labs is None else list(labs),
        "place": scope.repository.pk if scope.repository is not None else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(_HELD, told)
        rows = cursor.fetchall()
    places = Repository.objects.in_bulk({place for row in rows for place in row[:2]})
    found = []
    for source, destination, files, size in rows:
        ends = places[source], places[destination]
        hold = hold_of(ends, now)
        if hold is not None:
            names = (ends[0].name, ends[1].name)
            found.append(Held(names, files, size, hold.until, hold.says, hold.who))
    return found
