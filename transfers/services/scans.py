"""Scans of repositories: begun once for each night, held by one worker at a time, resumed where a killed one stopped."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from alyx.core import clock
from alyx.core.transitions import transition
from datasets.models import Repository, RepositoryRole
from transfers.models import IntakePolicy, NightWindow, Scan
from transfers.models.scan import ScanKind, ScanState
from transfers.models.window import WindowKind, WindowState
from transfers.services.places import MAKERS, READABLE_STATES

LEASE = timedelta(minutes=10)
"""A worker that is silent for so long has lost its scan. It is renewed with every file that is read."""
TRY_AGAIN_AFTER = timedelta(minutes=10)
"""For a place that could not be read."""


class ScanLost(Exception):
    """Somebody else works on this scan by now, or it has ended."""


def begin_scans() -> int:
    """Scans of the lab repositories whose night is open, one for each local date. How many are new; repeating makes none
    twice, and neither do two at once."""
    wanted = IntakePolicy.objects.filter(nightly=True, lab=OuterRef("repository__labs"))
    windows = NightWindow.objects.filter(
        Exists(wanted),
        ~Exists(
            Scan.objects.filter(repository=OuterRef("repository"), local_date=OuterRef("local_date"), kind="night")
        ),
        kind=WindowKind.NIGHT,
        state=WindowState.OPEN,
        ends_at__gt=clock.AlyxNow(),
        repository__role=RepositoryRole.LAB,
        repository__kind__in=list(MAKERS),
        repository__state__in=READABLE_STATES,
    ).exclude(repository__root="")
    rows = [
        Scan(repository_id=repository, local_date=day, until=ends_at)
        for repository, day, ends_at in windows.values_list("repository_id", "local_date", "ends_at").distinct()
    ]
    return len(Scan.objects.bulk_create(rows, ignore_conflicts=True)) if rows else 0


def due_scans() -> QuerySet[Scan]:
    """Scans of nights that somebody should go on with now."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=clock.AlyxNow())
    return Scan.objects.filter(free, kind=ScanKind.NIGHT, state=ScanState.OPEN, due_at__lte=clock.AlyxNow())


def claim_scan() -> Scan | None:
    """Take the scan that has waited longest, with a new lease; None when there is none."""
    with transaction.atomic():
        scan = due_scans().select_for_update(skip_locked=True).order_by("due_at", "pk").first()
        return _lease(scan) if scan is not None else None


def open_scan(*, repository: Repository, kind: ScanKind) -> Scan:
    """A scan by hand, or today's of the copy agent, with a lease. Whoever held the agent's before has lost it: the agent
    holds the place itself (a lock on its disk)."""
    today = clock.now().astimezone(repository.zone).date()
    with transaction.atomic():
        scan = None
        rows = Scan.objects.filter(repository=repository, kind=kind)
        if kind == ScanKind.AGENT:
            transition(rows.exclude(local_date=today), sources=[ScanState.OPEN], to=ScanState.DONE, **_NO_LEASE)
            scan = rows.select_for_update().filter(local_date=today).first()
        else:
            killed = rows.filter(lease_until__lt=clock.AlyxNow())
            transition(killed, sources=[ScanState.OPEN], to=ScanState.FAILED, problem="it was interrupted", **_NO_LEASE)
        if scan is None:
            scan = Scan.objects.create(repository=repository, kind=kind, local_date=today)
        return _lease(scan)


def _lease(scan: Scan) -> Scan:
    scan.lease, scan.lease_until = uuid.uuid4(), clock.now() + LEASE
    scan.save(update_fields=["lease", "lease_until"])
    return scan


_NO_LEASE: Mapping[str, Any] = {"lease": None, "lease_until": None}


def _held(scan: Scan) -> QuerySet[Scan]:
    return Scan.objects.filter(pk=scan.pk, lease=scan.lease, state=ScanState.OPEN)


def beat(scan: Scan) -> bool:
    """Renew the lease; whether it is still ours."""
    return _held(scan).update(lease_until=clock.AlyxNow() + LEASE) == 1


def begin_pass(scan: Scan) -> None:
    """Go through the repository from its beginning. Raises ScanLost."""
    counts = dict.fromkeys(("files", "known", "waiting", "left"), 0)
    _store(scan, {"passes": scan.passes + 1, "pass_began_at": clock.now(), "cursor": "", "problem": "", **counts})


def end_pass(scan: Scan) -> datetime:
    """This pass has seen everything; when it began. Raises ScanLost."""
    began = scan.pass_began_at or clock.now()
    _store(scan, {"pass_began_at": None, "cursor": ""})
    return began


def store_page(scan: Scan, cursor: str, counts: Mapping[str, int]) -> None:
    """How far this pass has come, and what it has counted since. Raises ScanLost."""
    added = {name: getattr(scan, name) + count for name, count in counts.items()}
    _store(scan, {"cursor": cursor, **added, "lease_until": clock.now() + LEASE})


def _store(scan: Scan, columns: Mapping[str, Any]) -> None:
    if not _held(scan).update(**columns):
        raise ScanLost(str(scan))
    for name, value in columns.items():
        setattr(scan, name, value)


def leave(scan: Scan, *, due_at: datetime | None = None, problem: str = "") -> None:
    """Let somebody else go on with it, from `due_at` (default: now)."""
    _held(scan).update(due_at=due_at or F("due_at"), problem=problem, **_NO_LEASE)


def end(scan: Scan, state: ScanState = ScanState.DONE, problem: str = "") -> None:
    """It has ended."""
    transition(_held(scan), sources=[ScanState.OPEN], to=state, problem=problem, **_NO_LEASE)
