"""Registering, changing and withdrawing sessions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Max, QuerySet

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid, NotFound
from alyx.core.flags import Doubt
from alyx.core.models import Note
from alyx.core.qc import QC
from alyx.core.rest.names import by_name
from alyx.labs.models import Lab
from alyx.labs.permissions import may
from sessions.models import Session
from sessions.permissions import GRADES, Right, authorise_of_animal, authorise_session, projects_of
from sessions.rules.times import as_wall, is_date_only
from sessions.services.body import LISTS, Content, read_content
from sessions.services.doubts import collision, flag, plausibility, would_move
from subjects.models import Subject
from subjects.services import notices
from subjects.services.lookup import resolve_subject

MAX_NUMBER = 65_535


@transaction.atomic
def register_session(*, actor: Any, values: Mapping[str, Any]) -> tuple[Session, bool]:
    """The session of this subject, date and number, and whether this call made it.

    An existing one is filled where it is empty, and keeps the rest; contradictions are flagged. `values` are wire fields.
    Concurrent calls get one row. Raises Invalid (unknown subject, user, lab, parent), Ambiguous, Forbidden.
    """
    animals = Subject.objects.shown().select_for_update(of=("self",), no_key=True)
    subject, lab = _identity(actor, values, animals)
    authorise_of_animal(actor, lab, subject.pk, act="register sessions")
    content = read_content(values)
    sent_start: datetime | None = values.get("start_time")
    wall = as_wall(sent_start or clock.now(), lab.timezone)
    number = values.get("number")
    existing = _existing(subject, wall, number)
    if existing is not None:
        authorise_session(actor, existing, act="register sessions")
        _fill(existing, content, values, sent_start, lab)
        notices.session_ended(existing.subject, existing)
        return existing, False
    session = _create(actor, subject, lab, wall, number, content, values)
    notices.session_ended(subject, session)
    return session, True


@transaction.atomic
def change_session(*, actor: Any, session: Session, changes: Mapping[str, Any]) -> Session:
    """Change what is sent and nothing else.

    What names the folder on disk (subject, date, number) stays: another value is kept in a flag. Raises Invalid, Forbidden.
    """
    related = ("subject__lab", "lab", "location")
    session = locked(Session.objects.shown().select_related(*related), session.pk)
    right = Right.JUDGE if set(changes) <= GRADES else Right.REGISTER
    authorise_session(actor, session, act="change sessions", to=right)
    content = read_content(changes)
    doubts = [*content.doubts, *_contradictions(session, content), *_moves(actor, session, changes)]
    columns = {**content.columns, **_lab_change(actor, session, changes, doubts)}
    lab = columns.get("lab", session.lab)
    columns |= _start_change(session, changes.get("start_time"), lab.timezone, doubts)
    if "end_time" in changes:
        columns |= _end(changes["end_time"], columns.get("zone", session.zone))
    store(session, columns)
    _set_lists(session, content.lists, replace=True)
    flag(session, [*doubts, *plausibility(session)])
    if "end_time" in changes:
        notices.session_ended(session.subject, session)
    return session


@transaction.atomic
def withdraw_session(*, actor: Any, session: Session) -> None:
    """Take the session, its insertions, fields of view and notes out of every answer; rows and history stay.

    What hangs on it from above (datasets, copies) is withdrawn by the caller in the same transaction.
    Raises NotFound when it is gone already, Forbidden.
    """
    session = locked(Session.objects.shown().select_related("lab"), session.pk)
    if session.registered_by_id != actor.pk or not may(actor, session.lab_id, Right.REGISTER, projects_of(session)):
        authorise_session(actor, session, act="withdraw sessions registered by others", to=Right.MANAGE)
    now = clock.now()
    store(session, {"withdrawn_at": now})
    for hanging in (session.insertions, session.fields_of_view):
        hanging.filter(withdrawn_at__isnull=True).update(withdrawn_at=now)
    kind = ContentType.objects.get_for_model(Session)
    Note.objects.filter(content_type=kind, object_id=session.pk, withdrawn_at__isnull=True).update(withdrawn_at=now)


def _identity(actor: Any, values: Mapping[str, Any], animals: QuerySet[Subject] | None = None) -> tuple[Subject, Lab]:
    labs = [values["lab"]] if values.get("lab") else []
    lab = by_name(Lab.objects.all(), labs[0], field="lab", what="lab") if labs else None
    try:
        subject = resolve_subject(actor=actor, nickname=values["subject"], labs=labs, rows=animals)
    except NotFound as error:
        raise Invalid.of("subject", error.detail) from None
    return subject, lab or subject.lab


def _existing(subject: Subject, wall: datetime, number: int | None) -> Session | None:
    """The row, locked. Without a number, the one that started at this very moment."""
    rows = Session.objects.shown().filter(subject=subject, path_date=wall.date())
    rows = (rows.filter(started_wall=wall) if number is None else rows.filter(number=number)).order_by("number")
    if not rows.exists():  # mostly; the animal is locked, so nobody else makes it now
        return None
    found: Session | None = (
        rows.select_related("subject__lab", "lab", "location").select_for_update(of=("self",)).first()
    )
    return found


def _create(
    actor: Any,
    subject: Subject,
    lab: Lab,
    wall: datetime,
    number: int | None,
    content: Content,
    values: Mapping[str, Any],
) -> Session:
    if number is None:
        taken = (
            Session.objects.shown().filter(subject=subject, path_date=wall.date()).aggregate(last=Max("number"))["last"]
        )
        number = min((taken or 0) + 1, MAX_NUMBER)
    session: Session = Session.objects.create(
        subject=subject,
        lab=lab,
        path_date=wall.date(),
        number=number,
        **_start(wall, lab.timezone),
        **_end(values.get("end_time"), lab.timezone),
        registered_by=actor,
        **content.columns,
    )
    lists = {**content.lists, "users": content.lists.get("users") or [actor]}
    _set_lists(session, lists, replace=False)
    flag(session, [*content.doubts, *plausibility(session)])
    return session


def _fill(session: Session, content: Content, values: Mapping[str, Any], start: datetime | None, lab: Lab) -> None:
    """Fill what is empty; flag what contradicts."""
    doubts = [*content.doubts, *_contradictions(session, content)]
    columns = {name: value for name, value in content.columns.items() if _is_empty(session, name)}
    if session.ended_wall is None:
        columns |= _end(values.get("end_time"), session.zone)
    if start is not None:
        columns |= _precise_start(session, start, doubts)
    if lab.pk != session.lab_id:
        doubts.append(collision("lab", session.lab.name, lab.name))
    store(session, columns)
    have = {name for name in LISTS if content.lists.get(name) and getattr(session, name).exists()}
    _set_lists(session, {name: rows for name, rows in content.lists.items() if name not in have}, replace=False)
    flag(session, [*doubts, *plausibility(session)])


def _is_empty(session: Session, name: str) -> bool:
    """Whether nothing was said about it so far; zero trials is something."""
    value = getattr(session, name)
    return value == QC.NOT_SET if name == "qc" else value is None or value == ""


def _precise_start(session: Session, start: datetime, doubts: list[Doubt]) -> dict[str, Any]:
    """A precise time takes the place of a mere date; of two precise ones the first stays."""
    wall = as_wall(start, session.zone)
    if is_date_only(start) or wall == session.started_wall or wall.date() != session.path_date:
        return {}
    if is_date_only(session.started_wall):
        return _start(wall, session.zone)
    doubts.append(collision("start_time", session.started_wall, wall))
    return {}


def _start_change(session: Session, start: datetime | None, zone: str, doubts: list[Doubt]) -> dict[str, Any]:
    """The new start, unless it would move the folder or say less than is known."""
    old = session.started_wall
    columns = _start(old, zone) if zone != session.zone else {}
    if start is None:
        return columns
    wall = as_wall(start, zone)
    if wall.date() != session.path_date:
        doubts.append(would_move("start_time", old, wall))
        return columns
    if is_date_only(start) or wall == old:
        return columns
    if not is_date_only(old):
        doubts.append(collision("start_time", old, wall))
    return _start(wall, zone)


def _lab_change(actor: Any, session: Session, changes: Mapping[str, Any], doubts: list[Doubt]) -> dict[str, Any]:
    if not changes.get("lab") or changes["lab"] == session.lab.name:
        return {}
    lab = by_name(Lab.objects.all(), changes["lab"], field="lab", what="lab")
    authorise_of_animal(actor, lab, session.subject_id, act="take in sessions")
    doubts.append(collision("lab", session.lab.name, lab.name))
    return {"lab": lab}


def _moves(actor: Any, session: Session, changes: Mapping[str, Any]) -> list[Doubt]:
    """Changes of subject and number, which are not made. Raises Invalid for an unknown subject."""
    doubts = []
    if "subject" in changes and changes["subject"].lower() != session.subject.nickname.lower():
        _identity(actor, {"subject": changes["subject"]})
        doubts.append(would_move("subject", session.subject.nickname, changes["subject"]))
    number = changes.get("number")
    if number is not None and number != session.number:
        doubts.append(would_move("number", session.number, number))
    return doubts


def _contradictions(session: Session, content: Content) -> list[Doubt]:
    """Another rig or other people than stored."""
    doubts = []
    location = content.columns.get("location")
    if location is not None and session.location is not None and location != session.location:
        doubts.append(collision("location", session.location.name, location.name))
    if sent := sorted(user.username for user in content.lists.get("users", [])):
        stored = sorted(session.users.values_list("username", flat=True))
        if stored and stored != sent:
            doubts.append(collision("users", stored, sent))
    return doubts


def _start(wall: datetime, zone: str) -> dict[str, Any]:
    return {"zone": zone, "started_wall": wall, "started_at": clock.wall_to_utc(wall, zone)}


def _end(moment: datetime | None, zone: str) -> dict[str, Any]:
    if moment is None:
        return {"ended_wall": None, "ended_at": None}
    wall = as_wall(moment, zone)
    return {"ended_wall": wall, "ended_at": clock.wall_to_utc(wall, zone)}


def _set_lists(session: Session, lists: Mapping[str, Sequence[Any]], *, replace: bool) -> None:
    for name, rows in lists.items():
        relation: Any = getattr(session, name)
        if replace:
            relation.set(rows)
        elif rows:
            relation.add(*rows)
