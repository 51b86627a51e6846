"""Requests for animals: opened by who needs them, filled one animal at a time, closed when full or no longer wanted."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Conflict, Forbidden, Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.labs.models import Lab
from alyx.labs.permissions import authorise
from subjects.models import Subject, SubjectRequest
from subjects.permissions import Act, authorise_breeding, may_breed
from subjects.services import notices
from subjects.services.housing import authorise_all, locked_animals
from subjects.services.lines import chosen, chosen_line
from subjects.services.subject import record_hand_over
from subjects.services.subject_body import person


@transaction.atomic
def open_request(*, actor: Any, values: Mapping[str, Any]) -> SubjectRequest:
    """Ask a lab for `count` animals of a `line`, until `due_date`: `user` (else the actor), `lab`, `name`, `description`, `json`.

    Raises Forbidden, Invalid; Doubtful in a form for a day that has passed.
    """
    lab = chosen(Lab.objects.all(), values.get("lab"), field="lab", what="lab")
    line = chosen_line(lab, values.get("line"))
    lab = lab or (line.lab if line else None)
    if lab is None:
        raise Invalid.of("lab", "say which lab is asked")
    authorise(actor, lab, act="ask for animals")
    user = person(values.get("user"), "user") or actor
    if user != actor:
        authorise_breeding(actor, lab)
    request = SubjectRequest.objects.create(
        user=user, lab=lab, line=line, requested_on=_today(lab), **_columns(values, None)
    )
    _doubt_due(request)
    notices.request_opened(request)
    return request


@transaction.atomic
def change_request(*, actor: Any, request: SubjectRequest, changes: Mapping[str, Any]) -> SubjectRequest:
    """Change count, day or text. Raises Forbidden, Invalid; Doubtful in a form."""
    request = _asked(actor, request)
    columns = _columns(changes, request)
    if "line" in changes:
        columns["line"] = chosen_line(request.lab, changes["line"])
    store(request, columns)
    if "due_date" in changes:
        _doubt_due(request)
    return request


@transaction.atomic
def allocate(
    *, actor: Any, request: SubjectRequest, subjects: Iterable[Subject], hand_over: bool = True
) -> SubjectRequest:
    """Give animals to a request, and to who asked (`hand_over`); a full one is closed. All or none.

    Raises Forbidden; Conflict when it is closed, when there are more than asked, for dead and already given animals; Doubtful in a
    form for animals of another line.
    """
    animals = locked_animals(subjects)
    request = locked(SubjectRequest.objects.select_related("lab", "line", "user"), request.pk)
    authorise_all(actor, animals, Act.MANAGE, what="allocate")
    if request.closed_on is not None:
        raise Conflict(f"the request was closed on {request.closed_on}: open another one")
    _check_free(animals, request)
    fresh = [animal for animal in animals if animal.request_id != request.pk]
    given = request.subjects.filter(withdrawn_at__isnull=True).count() + len(fresh)
    if given > request.count:
        raise Conflict(f"{request.count} asked for, this would be {given}: choose fewer, or raise the count")
    _doubt_line(request, fresh)
    for animal in fresh:
        before = animal.responsible_user
        passed = hand_over and before != request.user
        store(animal, {"request": request, **({"responsible_user": request.user} if passed else {})})
        if passed:
            record_hand_over(actor, animal, before, f"allocated to the request: {request}")
        notices.subject_allocated(animal, request)
    if given == request.count:
        store(request, {"closed_on": _today(request.lab)})
    return request


@transaction.atomic
def release(*, actor: Any, subject: Subject) -> None:
    """Take an animal back from its request; a request that was closed for being full is open again. Raises Forbidden."""
    (animal,) = locked_animals([subject])
    authorise_all(actor, [animal], Act.MANAGE, what="release")
    if animal.request_id is None:
        return
    request = locked(SubjectRequest.objects.all(), animal.request_id)
    full = request.subjects.filter(withdrawn_at__isnull=True).count() >= request.count
    store(animal, {"request": None})
    if full and request.closed_on is not None:
        store(request, {"closed_on": None})


@transaction.atomic
def close_request(*, actor: Any, request: SubjectRequest) -> SubjectRequest:
    """No more animals are wanted. Raises Forbidden, Conflict when it is closed already."""
    request = _asked(actor, request)
    if request.closed_on is not None:
        raise Conflict(f"it was closed on {request.closed_on} already")
    store(request, {"closed_on": _today(request.lab)})
    return request


def _asked(actor: Any, request: SubjectRequest) -> SubjectRequest:
    """The request, locked, if it is the actor's or of a colony that they may change."""
    request = locked(SubjectRequest.objects.select_related("lab", "line", "user"), request.pk)
    if request.user_id != getattr(actor, "pk", None) and not may_breed(actor, request.lab):
        raise Forbidden(
            f"{actor} may not change the request of {request.user}: that is for them and for breeders of the lab"
        )
    return request


def _columns(said: Mapping[str, Any], request: SubjectRequest | None) -> dict[str, Any]:
    ours = {"due_date": "due_on"}
    columns = {
        ours.get(name, name): said[name]
        for name in ("name", "count", "due_date", "description", "json")
        if name in said
    }
    least = max(1, request.subjects.filter(withdrawn_at__isnull=True).count() if request else 1)
    if "count" in columns and (not isinstance(columns["count"], int) or columns["count"] < least):
        raise Invalid.of("count", f"at least {least}")
    return columns


def _check_free(animals: Iterable[Subject], request: SubjectRequest) -> None:
    for animal in animals:
        if animal.died_on is not None:
            raise Conflict(f"{animal} died {animal.died_on}", fields={"subjects": f"{animal} is dead"})
        if animal.request_id is not None and animal.request_id != request.pk:
            raise Conflict(f"{animal} is given to another request", fields={"subjects": f"{animal}: release it first"})


def _doubt_line(request: SubjectRequest, animals: Iterable[Subject]) -> None:
    others = [animal for animal in animals if request.line_id and animal.line_id != request.line_id]
    doubts = [
        (
            animal.pk,
            Doubt(
                "allocated-of-other-line",
                f"{animal} is not of line {request.line}",
                {"subject": animal.nickname, "line": str(request.line)},
                "choose another animal",
                ("subjects",),
            ),
        )
        for animal in others
    ]
    raise_flags(Subject, doubts, lab_id=request.lab_id)


def _doubt_due(request: SubjectRequest) -> None:
    if request.due_on is None or request.requested_on is None or request.due_on >= request.requested_on:
        return
    text, facts = f"due {request.due_on}, asked {request.requested_on}", {"due_date": request.due_on}
    doubt = Doubt("due-before-asked", text, facts, "correct the day")
    raise_flags(SubjectRequest, [(request.pk, doubt)], lab_id=request.lab_id)


def _today(lab: Lab | None) -> Any:
    return clock.utc_to_wall(clock.now(), lab.timezone if lab else str(clock.server_zone())).date()
