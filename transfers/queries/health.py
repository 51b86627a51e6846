"""Whether the engine lives, and what waits: figures for people, for `/transfers/health` and for Prometheus. Each is one cheap statement."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, Sum

from alyx.core import clock
from alyx.labs.models import Lab
from datasets.models import Repository
from transfers.models import Attempt, NightWindow, Pulse, TransferItem, TransferJob
from transfers.models.window import WindowState
from transfers.queries.nights import unprotected_since
from transfers.rules.lifecycle import LIVE, JobState
from transfers.services.alarms import alarms


def health() -> dict[str, Any]:
    """For people and machines."""
    now = clock.now()
    figures = measured(now)
    return {
        "at": now,
        "is_well": not figures["alarms"],
        "alarms": figures["alarms"],
        "tick_age_seconds": figures["ages"].get("tick"),
        "morning_age_seconds": figures["ages"].get("morning"),
        "items": figures["items"],
        "jobs": figures["jobs"],
        "open_windows": figures["open_windows"],
        "repositories": figures["repositories"],
        "oldest_unprotected_seconds": figures["oldest"],
        "lease_reclaims": figures["reclaims"],
    }


def measured(now: datetime) -> dict[str, Any]:
    """The figures. What is over is not counted here: nine of ten rows are, and nobody waits for them."""
    live = TransferItem.objects.filter(state__in=sorted(LIVE)).order_by()
    jobs = TransferJob.objects.exclude(state=JobState.SETTLED).order_by()
    since = unprotected_since(Lab.objects.values_list("pk", flat=True))
    counted = list(live.values_list("state").annotate(Count("pk"), Sum("size_bytes")))
    return {
        "items": {state: count for state, count, _ in counted},
        "waiting_bytes": sum(size or 0 for _, _, size in counted),
        "jobs": dict(jobs.values_list("state").annotate(Count("pk"))),
        "open_windows": NightWindow.objects.filter(state=WindowState.OPEN, ends_at__gt=now).count(),
        "repositories": dict(Repository.objects.order_by().values_list("state").annotate(Count("pk"))),
        "ages": {name: (now - at).total_seconds() for name, at in Pulse.objects.values_list("name", "at")},
        "oldest": max(((now - at).total_seconds() for at in since.values()), default=0.0),
        "alarms": [alarm.says for alarm in alarms()],
        **_ever(),
    }


def _ever() -> dict[str, Any]:
    """What only grows: jobs are few (files travel by the thousand), and of the attempts only those that failed are indexed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(fence - 1) FILTER (WHERE fence > 1), 0) FROM transfers_transferjob")
        reclaims = int(cursor.fetchone()[0])
    failed = Attempt.objects.filter(~Q(error_code="")).order_by().values_list("error_code").annotate(Count("pk"))
    return {"reclaims": reclaims, "failures": dict(failed)}
