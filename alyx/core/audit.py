"""Audit: every change of every row, whatever wrote it, recorded by database triggers (django-pghistory).

`audited` puts the triggers on a model. The context (who, which request, by which path, why) is set by the middleware, by
the job door and by commands; a write without any is recorded all the same.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import pghistory
import pgtrigger
from django.db import models
from django.http import HttpRequest, HttpResponse

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request or job being served, for logs and error answers."""

Model = TypeVar("Model", bound=type[models.Model])

_TRUNCATE_REFUSED = """
IF coalesce(current_setting('alyx.allow_truncate', true), '') <> 'on' THEN
    RAISE EXCEPTION 'TRUNCATE of % is refused: rows are withdrawn, never wiped', TG_TABLE_NAME;
END IF;
RETURN NULL;
"""


def no_truncate() -> pgtrigger.Trigger:
    """A trigger that refuses TRUNCATE (row triggers do not see it)."""
    return pgtrigger.Trigger(
        name="no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func=_TRUNCATE_REFUSED,
    )


def audited(*, exclude: Sequence[str] = (), in_bulk: bool = False) -> Callable[[Model], Model]:
    """Record each insert, update and delete of the model's rows, except the columns named (secrets, leases).

    `in_bulk`: for a table whose rows are made by the hundred. There is still one event for each row, but the inserts of a
    statement are recorded by one trigger, and the history is found only by its row and by its context.
    """

    def decorate(model: Model) -> Model:
        tracked: Model = pghistory.track(
            pghistory.InsertEvent(level=pghistory.Statement if in_bulk else pghistory.Row),
            pghistory.UpdateEvent(),
            pghistory.DeleteEvent(),
            exclude=list(exclude) or None,
            attrs={"pgh_id": models.BigAutoField(primary_key=True)},
            meta={"triggers": [no_truncate()]},
        )(model)
        if in_bulk:
            _find_by_row_only(tracked)
        pgtrigger.register(no_truncate())(tracked)
        return tracked

    return decorate


def _find_by_row_only(tracked: Any) -> None:
    """The history's copies of foreign keys need no index: nobody looks for events by them."""
    for column in tracked.pgh_event_model._meta.concrete_fields:
        if column.is_relation and not column.name.startswith("pgh_"):
            column.db_index = False


def audited_links(model: Model) -> Model:
    """Record each link made and removed in a many-to-many relation: decorates a proxy of its through model."""
    tracked: Model = pghistory.track(
        pghistory.InsertEvent(),
        pghistory.DeleteEvent(),
        obj_field=None,
        attrs={"pgh_id": models.BigAutoField(primary_key=True)},
        meta={"triggers": [no_truncate()]},
    )(model)
    pgtrigger.register(no_truncate())(tracked)
    return tracked


@contextmanager
def acting(*, actor: Any = None, path: str, reason: str = "", **facts: Any) -> Iterator[None]:
    """Name who changes rows in this block, by which path (`POST /sessions`, `job transfers.run`, `command …`) and why."""
    context: dict[str, Any] = {"path": path, "request_id": request_id.get() or uuid.uuid4().hex, **facts}
    if actor is not None and getattr(actor, "pk", None) is not None:
        context["actor"] = str(actor.pk)
        context["actor_name"] = actor.get_username()
    if reason:
        context["reason"] = reason
    with pghistory.context(**context):
        yield


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Add why to the context that is open."""
    if not reason:
        yield
        return
    with pghistory.context(reason=reason[:500]):
        yield


_CLEAN = re.compile(r"[^A-Za-z0-9._-]")


class RequestIdMiddleware:
    """Gives each request an id (the caller's `X-Request-Id` when it sends one) and returns it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with its id in the context."""
        token = request_id.set(_CLEAN.sub("", request.headers.get("X-Request-Id", ""))[:64] or uuid.uuid4().hex)
        try:
            response = self.get_response(request)
            response["X-Request-Id"] = request_id.get()
            return response
        finally:
            request_id.reset(token)


class AuditMiddleware:
    """Opens the audit context of each request that may write."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request inside its context."""
        if request.method in {"GET", "HEAD", "OPTIONS"} and not request.path.startswith("/admin/"):
            return self.get_response(request)
        user = getattr(request, "user", None)
        with acting(
            actor=user if user is not None and user.is_authenticated else None,
            path=f"{request.method} {request.path}"[:500],
            reason=request.headers.get("X-Change-Reason", "")[:500],
        ):
            return self.get_response(request)
