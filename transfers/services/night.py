"""The night as a whole: look, plan, pack, move, again until nothing more can be done now.

The tick does it in small pieces, for ever; a person may do it at once, by hand.
"""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from datasets.models import Repository
from transfers.backends.base import BackendFailure
from transfers.models import NightWindow, TransferJob
from transfers.models.window import WindowState
from transfers.rules.lifecycle import JobState
from transfers.services.hours import closed_places, waiting_jobs
from transfers.services.leases import claimable
from transfers.services.looking import Looked, due_looks, look_at_due
from transfers.services.moving import drive_job
from transfers.services.packing import pack_jobs
from transfers.services.places import READABLE_STATES, REMOTE_KINDS, backend_for, heal_repositories, reachable
from transfers.services.planning import EVERYTHING, Scope, plan_transfers
from transfers.services.polling import poll_jobs
from transfers.services.reconsidering import reconsider_items, wake_waiting
from transfers.services.windows import (
    cancel_unsent,
    close_by_hand,
    close_windows,
    keep_open,
    open_by_hand,
    open_windows,
    others_by_hand,
)

log = logging.getLogger(__name__)

TICKED = declare("tick.done")
BUDGET_SECONDS = 240.0
"""How long one task works before it lets another one go on."""
ROUNDS_AT_MOST = 6
STAGING_KEPT = timedelta(days=7)
SWEPT_AGAIN_S = 3600.0


def tick() -> bool:
    """Open and close nights, take places back into use, give unsent jobs of closed windows back. Whether there is work
    for the others. Two ticks at once are harmless."""
    open_windows()
    close_windows()
    cancel_unsent()
    heal_repositories()
    failpoint(TICKED)
    return is_night() or claimable() > 0 or due_looks(asked_only=True).exists()


def is_night() -> bool:
    """Whether any window is open."""
    return NightWindow.objects.filter(state=WindowState.OPEN, ends_at__gt=clock.AlyxNow()).exists()


def prepare(*, actor: Any = None, scope: Scope = EVERYTHING, go_on: Callable[[], bool] = lambda: True) -> "Prepared":
    """Everything before bytes move: looks, plan, jobs. Repeating is harmless."""
    looked = look_at_due(actor=actor, scope=scope, go_on=go_on)
    reconsider_items(actor=actor)
    plan = plan_transfers(actor=actor, scope=scope)
    jobs = 0
    while packed := pack_jobs(actor=actor, scope=scope):
        jobs += packed
    return Prepared(looked, plan.records, plan.items, jobs)


@dataclass(frozen=True)
class Prepared:
    """What was prepared."""

    looked: Looked
    records: int
    items: int
    jobs: int


def run_jobs(
    *,
    windows: list[uuid.UUID] | None = None,
    budget_seconds: float = BUDGET_SECONDS,
    once: Callable[[], None] = lambda: None,
) -> int:
    """Drive jobs that nobody holds, one after the other, and ask about those that run elsewhere, until there is none or the
    time is over; how many were driven."""
    until = time.monotonic() + budget_seconds
    driven = 0
    while time.monotonic() < until:
        asked = poll_jobs()
        if drive_job(windows=windows) is not None:
            driven += 1
            once()
        elif not asked:
            break
    return driven


def night_work() -> None:
    """What the tick asks for: at night looks, plan and jobs; by day only looks that were asked for, and what was interrupted."""
    until = time.monotonic() + BUDGET_SECONDS
    if is_night():
        prepare(go_on=lambda: time.monotonic() < until)
    else:
        look_at_due(asked_only=True, go_on=lambda: time.monotonic() < until)
    run_jobs(budget_seconds=max(0.0, until - time.monotonic()))
    sweep()


def sweep() -> None:
    """Remove staging places that no live job owns and that nobody touched for a week."""
    before = clock.now() - STAGING_KEPT
    for repository in Repository.objects.filter(state__in=READABLE_STATES, role__in=["central", "mirror", "archive"]):
        if not reachable(repository) or not _sweep_due(repository):
            continue
        live = TransferJob.objects.filter(destination=repository).exclude(state=JobState.SETTLED)
        handles = [handle.hex for handle in live.values_list("submission_id", flat=True)]
        try:
            backend_for(repository).sweep_staging(before, handles)
        except BackendFailure as failure:
            log.info("staging of %s not swept: %s", repository.name, failure)


_swept: dict[uuid.UUID, float] = {}


def _sweep_due(repository: Repository) -> bool:
    """Looking costs a service requests, of which it grants few: once an hour and process is enough there."""
    last, now = _swept.get(repository.pk), time.monotonic()
    if repository.kind in REMOTE_KINDS and last is not None and now - last < SWEPT_AGAIN_S:
        return False
    _swept[repository.pk] = now
    return True


@dataclass
class Progress:
    """What a run by hand has done so far. `say` is called whenever that changes."""

    say: Callable[["Progress"], None] = lambda _: None
    looked: Looked = field(default_factory=Looked)
    records: int = 0
    planned: int = 0
    jobs: int = 0
    windows: list[NightWindow] = field(default_factory=list)

    def add(self, prepared: Prepared) -> None:
        """Count a round."""
        self.looked.found += prepared.looked.found
        self.looked.complaints += prepared.looked.complaints
        self.looked.unseen_places |= prepared.looked.unseen_places
        self.records += prepared.records
        self.planned += prepared.items
        self.jobs += prepared.jobs


def run_now(*, actor: Any, scope: Scope = EVERYTHING, progress: Progress, patience_seconds: float) -> Progress:
    """A night by hand, to its end: all rounds until nothing more can be done now.

    This process works itself, beside whatever workers are alive. `patience_seconds`: how long jobs are left to a worker
    before this process takes them (0: at once).
    """
    close_windows()
    cancel_unsent()
    heal_repositories()
    run_jobs(windows=[])
    wake_waiting(actor=actor, scope=scope)
    sources = list(_sources(scope))
    inherited = [window.pk for window in others_by_hand(sources)]
    ours: list[NightWindow] = []
    try:
        for _ in range(ROUNDS_AT_MOST):
            if not ours or not keep_open(ours):
                ours = open_by_hand(actor=actor, repositories=sources)
                progress.windows += ours
            keys = [window.pk for window in progress.windows] + inherited
            prepared = prepare(actor=actor, scope=scope)
            progress.add(prepared)
            progress.say(progress)
            if not _drive_all(keys, progress, patience_seconds) and not prepared.jobs:
                break
    finally:
        close_by_hand(progress.windows)
        cancel_unsent()
        run_jobs(windows=[])
    return progress


def _sources(scope: Scope) -> QuerySet[Repository]:
    """Where the files of this scope may come from: windows elsewhere stay closed."""
    rows: QuerySet[Repository] = Repository.objects.filter(state__in=READABLE_STATES)
    if scope.lab is not None:
        rows = rows.filter(labs=scope.lab)
    if scope.repository is not None:
        rows = rows.filter(Q(pk=scope.repository.pk) | Q(labs__in=scope.repository.labs.all()))
    return rows.distinct()


def _drive_all(windows: list[uuid.UUID], progress: Progress, patience_seconds: float) -> int:
    """Wait for the workers a little, then help, until no job of these windows is left (or only ones that must wait for a
    place). How many jobs came to their end meanwhile."""
    live = TransferJob.objects.filter(window__in=windows).exclude(state=JobState.SETTLED)
    before = live.count()
    patient_until = time.monotonic() + patience_seconds
    while (left := live.count()) > 0:
        poll_jobs()
        if time.monotonic() >= patient_until and drive_job(windows=windows) is not None:
            progress.say(progress)
            continue
        keep_open(progress.windows)
        progress.say(progress)
        if time.monotonic() >= patient_until and left == _waiting_for_a_place(windows):
            break
        time.sleep(0.2)
    return before - live.count()


def _waiting_for_a_place(windows: list[uuid.UUID]) -> int:
    """Jobs that nobody can end now: their destination cannot be reached to bar a former owner, the task elsewhere stands still
    and says why, or a place lets nothing be moved at this hour."""
    blocked = Q(fence__gt=1) & ~Q(destination__state="active")
    standing = Q(remote_state="active") & ~Q(remote_problem="")
    unheld = Q(lease_until__isnull=True) | Q(lease_until__lte=clock.AlyxNow())
    shut = Q(pk__in=waiting_jobs(closed_places())) & unheld
    rows = TransferJob.objects.filter(blocked | standing | shut, window__in=windows)
    return rows.exclude(state=JobState.SETTLED).count()
