"""The only doors to Celery: `job` declares work, `enqueue_on_commit` nudges a worker when the rows are committed.

A job takes ids, calls one service and may run twice; the message is a nudge, the row is the truth.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery import Task, shared_task  # noqa: TID251  (this is the door)
from django.db import transaction

from alyx.core.audit import acting, request_id

logger = logging.getLogger(__name__)

QUEUES: dict[str, str] = {}
"""Name of a job → its queue."""


def route(name: str, *_: Any, **__: Any) -> dict[str, str] | None:
    """Celery's router (`task_routes`): the queue that the job was declared with."""
    return {"queue": QUEUES[name]} if name in QUEUES else None


def job(*, name: str, queue: str = "control") -> Callable[[Callable[..., None]], Task[Any, Any]]:
    """Declare a job. It runs inside an audit context that names it."""

    def decorate(function: Callable[..., None]) -> Task[Any, Any]:
        def run(self: Task[Any, Any], *args: Any, **kwargs: Any) -> None:
            token = request_id.set(f"job-{self.request.id}")
            try:
                with acting(path=f"job {name}", worker=self.request.hostname or "inline"):
                    function(*args, **kwargs)
            finally:
                request_id.reset(token)

        run.__doc__ = function.__doc__
        run.__module__ = function.__module__
        QUEUES[name] = queue
        return shared_task(bind=True, name=name, ignore_result=True)(run)

    return decorate


def enqueue_on_commit(task: Task[Any, Any], *args: Any) -> None:
    """Nudge a worker once the current transaction is committed. A broker that is down loses the nudge, not the work."""

    def nudge() -> None:
        try:
            task.apply_async(args=args, retry=False)
        except Exception:  # noqa: BLE001  (whatever the broker raises: the tick finds the row)
            logger.warning("no broker for %s; the tick will find the rows", task.name)

    transaction.on_commit(nudge, robust=True)
