"""Nights: opened once for each local date of a repository, closed once; or opened by hand."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Value

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from datasets.models import Repository, RepositoryState
from transfers.models import NightWindow, TransferJob
from transfers.models.window import WindowKind, WindowState
from transfers.rules.lifecycle import JobState
from transfers.rules.schedule import Night, night_due

OPENED = declare("tick.window_opened")
MANUAL_LENGTH = timedelta(hours=2)
"""A window opened by hand is kept open and closed by whoever opened it; if that was killed it ends after this."""


def open_windows(*, now: datetime | None = None) -> int:
    """Open the nights that are due and were never opened. Returns how many; repeating opens none twice."""
    at = now or clock.now()
    due: list[tuple[Repository, Night]] = []
    for repository in Repository.objects.exclude(state=RepositoryState.RETIRED):
        night = night_due(at, repository.window_start, repository.window_end, repository.zone)
        if night is not None:
            due.append((repository, night))
    before = set(
        NightWindow.objects.filter(
            kind=WindowKind.NIGHT, local_date__in={night.local_date for _, night in due}
        ).values_list("repository_id", "local_date")
    )
    new = [_row(repository, night) for repository, night in due if (repository.pk, night.local_date) not in before]
    made = NightWindow.objects.bulk_create(new, ignore_conflicts=True) if new else []
    if made:
        failpoint(OPENED)
    return len(made)


def _row(repository: Repository, night: Night) -> NightWindow:
    return NightWindow(
        repository=repository,
        local_date=night.local_date,
        starts_at=night.starts_at,
        ends_at=night.ends_at,
        tzdata_version=version("tzdata")[:16],
    )


def close_windows(*, now: datetime | None = None) -> int:
    """Close the windows that have ended: nothing new begins in them, what runs goes on. Returns how many."""
    ended = NightWindow.objects.filter(ends_at__lte=now or clock.now())
    return transition(ended, sources=[WindowState.OPEN], to=WindowState.CLOSED)


@transaction.atomic
def open_by_hand(*, actor: Any, repositories: Iterable[Repository]) -> list[NightWindow]:
    """Windows of these source repositories, open now, for a person who does not wait for the night."""
    del actor
    now = clock.now()
    return NightWindow.objects.bulk_create(
        [
            NightWindow(
                repository=repository,
                local_date=now.astimezone(repository.zone).date(),
                kind=WindowKind.MANUAL,
                starts_at=now,
                ends_at=now + MANUAL_LENGTH,
            )
            for repository in repositories
        ]
    )


def keep_open(windows: Iterable[NightWindow]) -> bool:
    """Put off the end of windows opened by hand; whether all of them are still open."""
    keys = [window.pk for window in windows]
    rows = NightWindow.objects.filter(pk__in=keys, state=WindowState.OPEN)
    return rows.update(ends_at=clock.AlyxNow() + Value(MANUAL_LENGTH)) == len(keys)


def others_by_hand(repositories: Iterable[Repository]) -> list[NightWindow]:
    """Windows that somebody else has opened by hand there and not closed (another run, alive or killed)."""
    return list(
        NightWindow.objects.filter(
            repository__in=list(repositories),
            kind=WindowKind.MANUAL,
            state=WindowState.OPEN,
            ends_at__gt=clock.AlyxNow(),
        )
    )


def close_by_hand(windows: Iterable[NightWindow]) -> int:
    """Close windows opened by hand."""
    rows = NightWindow.objects.filter(pk__in=[window.pk for window in windows])
    return transition(rows, sources=[WindowState.OPEN], to=WindowState.CLOSED)


def cancel_unsent() -> int:
    """Jobs whose window closed before they were begun are cancelled (settling gives their files back). Returns how
    many."""
    closed = NightWindow.objects.filter(pk=OuterRef("window_id"), state=WindowState.CLOSED)
    unsent = TransferJob.objects.filter(Exists(closed), lease_owner="")
    return transition(unsent, sources=[JobState.PREPARED], to=JobState.CANCELLED)
