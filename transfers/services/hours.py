"""Which places let nothing be moved now, and until when: asked of their settings each time, so that a changed one holds at once."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from alyx.core import clock
from datasets.models import Repository, RepositoryState
from datasets.rules.bandwidth import Hours
from transfers.models import TransferJob
from transfers.rules.lifecycle import JobState
from transfers.rules.routing import APART


def limited() -> Mapping[uuid.UUID, Hours]:
    """The hours of every place that has any."""
    rows = Repository.objects.exclude(bandwidth="").exclude(state=RepositoryState.RETIRED)
    return {key: Hours.of(text, ZoneInfo(zone)) for key, text, zone in rows.values_list("pk", "bandwidth", "timezone")}


def closed_places(now: datetime | None = None) -> list[uuid.UUID]:
    """Those from and to which nothing may be moved now."""
    at = now or clock.now()
    return [key for key, hours in limited().items() if hours.limit_at(at) == 0]


WAITS = """(
    (j.source_id = ANY (%(closed)s::uuid[]) OR j.destination_id = ANY (%(closed)s::uuid[]))
    AND (j.state IN ('prepared', 'submitting') OR j.state = 'submitted' AND j.backend <> ALL (%(apart)s)))"""
"""Whether job j would move bytes next, which may not be now. A task that a service has begun is not stopped, and its end is
settled at any hour: that moves nothing."""


def waiting_jobs(closed: Iterable[uuid.UUID]) -> QuerySet[TransferJob]:
    """The same of rows."""
    places = list(closed)
    ends = Q(source__in=places) | Q(destination__in=places)
    moves = Q(state__in=[JobState.PREPARED, JobState.SUBMITTING]) | Q(state=JobState.SUBMITTED) & ~Q(backend__in=APART)
    rows: QuerySet[TransferJob] = TransferJob.objects.filter(ends & moves)
    return rows
