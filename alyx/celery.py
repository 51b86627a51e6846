"""Celery: the app, THE timetable, and how the worker and beat say that they live.

The timetable only ticks. What is due, and whose night it is, is decided by rows; a tick that is lost or doubled changes nothing.
"""

import logging.config
import os
import warnings
from typing import Any

from celery import Celery, bootsteps
from celery.beat import PersistentScheduler
from celery.signals import setup_logging
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

from alyx.runtime import ensure_database
from alyx.runtime.heartbeat import EVERY_S, Heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alyx.settings")

if not settings.configured:  # `celery -A alyx.celery`: nobody has asked for the database yet
    ensure_database()

# Celery's warning is about pickled messages, which run code; ours are JSON and nothing else is accepted.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

MINUTE = 60.0

TIMETABLE: dict[str, tuple[float, str]] = {
    # every   name of the job
    "copies due, leases expired, nights begun": (MINUTE, "transfers.tasks.tick"),
    "what the night did, to each lab in its morning": (MINUTE, "transfers.tasks.mornings"),
    "mails due, senders that died": (MINUTE, "labs.tasks.tick"),
    "water due, evenings and mornings of labs": (MINUTE, "subjects.tasks.tick"),
    "what changed, into the clients' cache tables": (60 * MINUTE, "datasets.tasks.refresh_cache_tables"),
    "cache tables of public data, into their bucket": (60 * MINUTE, "transfers.tasks.publish"),
    "answers that nobody will ask for again": (60 * MINUTE, "labs.tasks.sweep"),
}

TRANSPORT_ALIASES["filesystem"] = "alyx.runtime.broker:Transport"
app = Celery("alyx")
app.config_from_object(settings.CELERY)
app.conf.task_routes = ("alyx.core.tasks.route",)  # by name: jobs are imported later
app.conf.beat_schedule = {
    title: {"task": task, "schedule": every_s, "options": {"expires": every_s}}
    for title, (every_s, task) in TIMETABLE.items()
}
app.autodiscover_tasks()


def heartbeat(role: str) -> Heartbeat:
    """The pulse of `worker` or `beat` of this instance."""
    return Heartbeat(role, settings.INSTANCE.path("heartbeat"))


class WorkerHeartbeat(bootsteps.StartStopStep):
    """Beats while the worker consumes: it stops with the connection to the broker, not only with the process."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Any) -> None:
        """Called when the worker has begun to consume."""
        beat = heartbeat("worker").beat
        beat()
        self._entry = consumer.timer.call_repeatedly(EVERY_S, beat)

    def stop(self, consumer: Any) -> None:
        """Called when it no longer does."""
        if self._entry is not None:
            self._entry.cancel()


app.steps["consumer"].add(WorkerHeartbeat)


class BeatingScheduler(PersistentScheduler):
    """Celery's own scheduler; each turn is also a heartbeat."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; the answer is the seconds until the next turn."""
        heartbeat("beat").beat()
        seconds: float = super().tick(*args, **kwargs)
        return seconds


app.conf.beat_scheduler = "alyx.celery:BeatingScheduler"


@setup_logging.connect
def log_like_the_rest(**_: Any) -> None:
    """Celery logs as Django does."""
    logging.config.dictConfig(settings.LOGGING)
