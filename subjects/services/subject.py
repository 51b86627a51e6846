"""Making, changing and withdrawing animals."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Forbidden, Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.core.rest.names import all_by_name, by_name
from alyx.labs.models import Lab, Project, User
from alyx.labs.permissions import MANAGING_ROLES, authorise, may
from subjects.models import Subject

NICKNAME = re.compile(r"[\w.-]+", re.ASCII)
NOT_KEPT_YET = ("species", "litter", "strain", "source", "line")
"""Fields of the contract without a table so far: what is sent is kept in a flag."""


@transaction.atomic
def create_subject(*, actor: Any, values: Mapping[str, Any]) -> Subject:
    """A new animal of a lab; without a nickname it gets the lab's next automatic one.

    `values` are wire fields. Raises Forbidden, Invalid (unknown names; a nickname the lab has already).
    """
    sent = dict(values)
    lab = by_name(Lab.objects.select_for_update(of=("self",)), sent.pop("lab"), field="lab", what="lab")
    authorise(actor, lab, act="make subjects")
    columns, projects = _columns(sent)
    columns.setdefault("responsible_user", actor)
    nickname = columns.pop("nickname", "") or _next_name(lab)
    _check_nickname(nickname)
    try:
        with transaction.atomic():
            subject: Subject = Subject.objects.create(lab=lab, nickname=nickname, **columns)
    except IntegrityError:
        raise _taken(nickname, lab) from None
    if projects is not None:
        subject.projects.set(projects)
    _flag(subject, sent)
    return subject


@transaction.atomic
def change_subject(*, actor: Any, subject: Subject, changes: Mapping[str, Any]) -> Subject:
    """Change what is sent and nothing else. Raises Forbidden, Invalid."""
    subject = locked(Subject.objects.shown().select_related("lab"), subject.pk)
    authorise(actor, subject.lab, act="change subjects")
    sent = dict(changes)
    columns, projects = _columns(sent)
    if "lab" in sent:
        columns["lab"] = by_name(Lab.objects.all(), sent["lab"], field="lab", what="lab")
        authorise(actor, columns["lab"], act="take in subjects")
    _check_rename(subject, columns)
    try:
        with transaction.atomic():
            store(subject, columns)
    except IntegrityError:
        raise _taken(columns.get("nickname", subject.nickname), subject.lab) from None
    if projects is not None:
        subject.projects.set(projects)
    _flag(subject, sent)
    return subject


@transaction.atomic
def withdraw_subject(*, actor: Any, subject: Subject) -> None:
    """Take an animal out of every answer; its row and history stay. Raises Forbidden, naming what still hangs on it."""
    subject = locked(Subject.objects.shown().select_related("lab"), subject.pk)
    if subject.responsible_user_id != actor.pk or not may(actor, subject.lab_id):
        authorise(actor, subject.lab, act="withdraw subjects of others", roles=MANAGING_ROLES)
    sessions: Any = getattr(subject, "sessions")  # noqa: B009  (the relation belongs to the sessions app)
    kept = [f"{subject.nickname}/{day}/{number:03d}" for day, number in _shown_sessions(sessions)]
    if kept:
        more = f" and {len(kept) - 10} more" if len(kept) > 10 else ""
        raise Forbidden(f"subject {subject.nickname} has {len(kept)} sessions: {', '.join(kept[:10])}{more}")
    if files := _aggregates(subject.pk):
        raise Forbidden(f"subject {subject.nickname} has {files} datasets of its own")
    store(subject, {"withdrawn_at": clock.now()})


def _shown_sessions(sessions: Any) -> Iterator[tuple[Any, int]]:
    yield from (
        sessions.filter(withdrawn_at__isnull=True).order_by("path_date", "number").values_list("path_date", "number")
    )


def _aggregates(key: UUID) -> int:
    """How many datasets belong to the animal itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM datasets_dataset WHERE object_id = %s AND withdrawn_at IS NULL", [key])
        return int(cursor.fetchone()[0])


def _columns(sent: Mapping[str, Any]) -> tuple[dict[str, Any], list[Project] | None]:
    """Our columns for the wire fields, and the projects (None when not sent)."""
    ours = {"birth_date": "born_on", "death_date": "died_on"}
    plain = ("nickname", "sex", "birth_date", "death_date", "protocol_number", "description", "json")
    columns = {ours.get(name, name): sent[name] for name in plain if name in sent}
    if "responsible_user" in sent:
        name = sent["responsible_user"]
        people = User.objects.all()
        columns["responsible_user"] = (
            by_name(people, name, field="responsible_user", what="user", column="username") if name else None
        )
    if "projects" not in sent:
        return columns, None
    return columns, all_by_name(Project.objects.all(), sent["projects"], field="projects", what="project")


def _check_nickname(nickname: str) -> None:
    if not NICKNAME.fullmatch(nickname) or nickname in {".", ".."}:
        raise Invalid.of("nickname", "a nickname has letters, digits, _, - and . only: it is the name of a folder")


def _check_rename(subject: Subject, columns: Mapping[str, Any]) -> None:
    nickname = columns.get("nickname", subject.nickname)
    if nickname == subject.nickname:
        return
    _check_nickname(nickname)
    sessions: Any = getattr(subject, "sessions")  # noqa: B009
    if sessions.exists():
        raise Invalid.of(
            "nickname", "an animal with sessions is not renamed: its nickname is part of the paths of its data"
        )


def _taken(nickname: str, lab: Lab) -> Invalid:
    return Invalid.of("nickname", f"lab {lab.name} has a subject named {nickname!r} already (case does not matter)")


def _next_name(lab: Lab) -> str:
    """`<lab>_0001` and on; withdrawn ones count, so no name comes twice. The caller holds the lab's lock."""
    pattern = re.compile(re.escape(lab.name) + r"_(\d{1,9})", re.IGNORECASE)
    names = Subject.objects.filter(nickname__istartswith=f"{lab.name}_").values_list("nickname", flat=True)
    last = max((int(match.group(1)) for name in names if (match := pattern.fullmatch(name))), default=0)
    return f"{lab.name}_{last + 1:04d}"


def _flag(subject: Subject, sent: Mapping[str, Any]) -> None:
    """Keep beside what is doubtful or has no column yet."""
    doubts = [(subject.pk, doubt) for doubt in _doubts(subject, sent)]
    raise_flags(Subject, doubts, lab_id=subject.lab_id)


def _doubts(subject: Subject, sent: Mapping[str, Any]) -> Iterator[Doubt]:
    born, died = subject.born_on, subject.died_on
    dates = {"birth_date": born, "death_date": died}
    if born and died and died < born and dates.keys() & sent.keys():
        yield Doubt("death-before-birth", f"died {died}, born {born}", dates, "correct one of the two dates")
    today = clock.utc_to_wall(clock.now(), subject.lab.timezone).date() if dates.keys() & sent.keys() else None
    for name, value in dates.items():
        if today and value and name in sent and value > today:
            yield Doubt("date-in-the-future", f"{name} {value} lies in the future", {name: value}, "correct the date")
    if unkept := {name: sent[name] for name in NOT_KEPT_YET if sent.get(name)}:
        listed = ", ".join(f"{name} {value!r}" for name, value in unkept.items())
        yield Doubt(
            "field-not-kept", f"{listed}: this server has no place for it yet", unkept, "enter it when there is one"
        )
