"""The jobs of animals. The timetable only ticks; what is due is decided by rows."""

from alyx.core.tasks import job
from subjects.services import rounds


@job(name="subjects.tasks.tick")
def tick() -> None:
    """Water due, evening checks and morning digests of the labs whose hour has come."""
    rounds.tick()
