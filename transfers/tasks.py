"""The engine's jobs. The timetable only ticks; each task works for at most some minutes and may run twice."""

from alyx.core.tasks import enqueue_on_commit, job
from transfers.services import night


@job(name="transfers.tasks.tick")
def tick() -> None:
    """Open and close nights, and wake the others when there is work."""
    if night.tick():
        enqueue_on_commit(work)


@job(name="transfers.tasks.work", queue="posix")
def work() -> None:
    """Look, plan and pack while a window is open; drive jobs, lapsed ones first."""
    night.night_work()


@job(name="transfers.tasks.run_jobs", queue="posix")
def run_jobs() -> None:
    """Drive jobs that nobody holds."""
    night.run_jobs()


@job(name="transfers.tasks.look", queue="verify")
def look() -> None:
    """Look at what somebody asked for, also by day."""
    night.look_at_due(asked_only=True)
