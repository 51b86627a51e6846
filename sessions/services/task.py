"""Pipeline tasks: made by the rig's or a lab's server, then moved on by whichever server works on them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.labs.permissions import authorise_anywhere
from sessions.models import Session, Task
from sessions.permissions import Right, authorise_session

PLAIN = (
    *("name", "status", "priority", "level", "gpu", "cpu", "ram", "io_charge", "time_out_secs", "time_elapsed_secs"),
    *("executable", "graph", "arguments", "log", "version", "repository_id"),
)
"""Wire fields that are columns of the same name, and the key of the repository."""


@transaction.atomic
def create_task(*, actor: Any, values: Mapping[str, Any]) -> Task:
    """A new task. `values` are wire fields, with `repository_id` for the repository. Raises Invalid, Forbidden."""
    session = _session(values.get("session"))
    _authorise(actor, session, "make tasks")
    columns = {name: values[name] for name in PLAIN if name in values}
    parents = _parents(values.get("parents", ()))
    task: Task = _saved(lambda: Task.objects.create(session=session, **columns))
    task.parents.set(parents)
    return task


@transaction.atomic
def change_task(*, actor: Any, task: Task, changes: Mapping[str, Any]) -> Task:
    """Change what is sent and nothing else, so that servers which write other fields at the same time lose nothing.

    Raises Invalid, Forbidden, NotFound.
    """
    task = locked(Task.objects.filter(withdrawn_at__isnull=True).select_related("session__lab"), task.pk)
    _authorise(actor, task.session, "change tasks")
    columns = {name: changes[name] for name in PLAIN if name in changes}
    if "session" in changes and changes["session"] != task.session_id:
        columns["session"] = _session(changes["session"])
        _authorise(actor, columns["session"], "change tasks")
    parents = _parents(changes["parents"], of=task.pk) if "parents" in changes else None
    _saved(lambda: store(task, columns))
    if parents is not None:
        task.parents.set(parents)
    return task


@transaction.atomic
def withdraw_task(*, actor: Any, task: Task) -> None:
    """Take a task out of every answer; the row and its history stay. Raises Forbidden, NotFound."""
    task = locked(Task.objects.filter(withdrawn_at__isnull=True).select_related("session__lab"), task.pk)
    _authorise(actor, task.session, "withdraw tasks")
    store(task, {"withdrawn_at": clock.now()})


def _authorise(actor: Any, session: Session | None, act: str) -> None:
    if session is None:
        authorise_anywhere(actor, act=f"{act} of no session", to=Right.RUN)
    else:
        authorise_session(actor, session, act=act, to=Right.RUN)


def _session(key: UUID | None) -> Session | None:
    if key is None:
        return None
    found: Session | None = Session.objects.shown().select_related("lab").filter(pk=key).first()
    if found is None:
        raise Invalid.of("session", f"there is no session {key}")
    return found


def _parents(keys: Sequence[UUID], of: UUID | None = None) -> list[Task]:
    wanted = list(dict.fromkeys(keys))
    found = Task.objects.filter(withdrawn_at__isnull=True).in_bulk(wanted) if wanted else {}
    for key in wanted:
        if key not in found:
            raise Invalid.of("parents", f"there is no task {key}")
        if key == of:
            raise Invalid.of("parents", "a task does not wait for itself")
    return list(found.values())


def _saved(write: Any) -> Any:
    try:
        with transaction.atomic():
            return write()
    except IntegrityError as error:
        if "task_unique" not in str(error):
            raise
        text = "the session has a task of this name and these arguments already; change that one"
        raise Invalid(text, fields={"non_field_errors": text, "name": text}) from None
