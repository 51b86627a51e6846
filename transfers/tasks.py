"""The engine's jobs. The timetable only ticks; each task works for at most some minutes and may run twice."""

import uuid

from alyx.core.tasks import enqueue_on_commit, job
from transfers.services import morning, night, preflight, scanning, scans
from transfers.services.alarms import raise_alarms
from transfers.services.cache_publishing import publish_cache_tables
from transfers.services.looking import look_at_due
from transfers.services.nudging import nudge
from transfers.services.pulses import beat


@job(name="transfers.tasks.tick")
def tick() -> None:
    """Open and close nights, and wake the others when there is work; and notice when the mornings' round has stopped."""
    if night.tick():
        enqueue_on_commit(work)
    if preflight.is_due():
        enqueue_on_commit(look_before_night)
    scans.begin_scans()
    if scans.due_scans().exists():
        enqueue_on_commit(scan)
    beat("tick")
    raise_alarms()


@job(name="transfers.tasks.mornings")
def mornings() -> None:
    """Write the morning's mail of each lab whose hour has come; and notice when the tick has stopped."""
    morning.tick()
    raise_alarms()


@job(name="transfers.tasks.work", queue="posix")
def work() -> None:
    """Look, plan and pack while a window is open; drive jobs, lapsed ones first."""
    night.night_work()


@job(name="transfers.tasks.scan", queue="verify")
def scan() -> None:
    """Look through lab repositories for files that nobody registered, once each night."""
    scanning.work_on_scans(budget_seconds=night.BUDGET_SECONDS)


@job(name="transfers.tasks.run_jobs", queue="posix")
def run_jobs(windows: list[str]) -> None:
    """Drive the jobs of these windows that nobody holds."""
    night.run_jobs(windows=[uuid.UUID(window) for window in windows])


@job(name="transfers.tasks.plan", queue="posix")
def plan(labs: list[str]) -> None:
    """Plan what these labs' servers lack, because somebody asked."""
    nudge(labs=[uuid.UUID(lab) for lab in labs])


@job(name="transfers.tasks.look", queue="verify")
def look() -> None:
    """Look at what somebody asked for, also by day."""
    look_at_due(asked_only=True)


@job(name="transfers.tasks.look_before_night", queue="verify")
def look_before_night() -> None:
    """In the evening: look whether each repository is ready, and tell those who have to act."""
    preflight.look_at_due()


@job(name="transfers.tasks.publish", queue="verify")
def publish() -> None:
    """Put cache tables of public data that changed into their bucket."""
    publish_cache_tables()
