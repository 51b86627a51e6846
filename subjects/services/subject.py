"""Making, changing and withdrawing animals."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import DomainError, Forbidden, Invalid
from alyx.core.flags import raise_flags
from alyx.core.rest.names import by_name
from alyx.labs.models import Lab
from alyx.labs.permissions import authorise
from subjects.models import BreedingPair, HandOver, Subject
from subjects.permissions import Act, authorise_animal
from subjects.rules.names import Kind
from subjects.services import notices
from subjects.services.death import death_date_changed
from subjects.services.housing import house, leave_cage
from subjects.services.naming import take_names
from subjects.services.subject_body import Content, date_doubts, person, read_subject
from subjects.services.zygosity import apply_rules

NICKNAME = re.compile(r"[\w.-]+", re.ASCII)
HANGING = {
    "weighing_set": "weighings",
    "wateradministration_set": "water administrations",
    "waterrestriction_set": "water restrictions",
    "surgery_set": "surgeries",
    "otherprocedure_set": "other procedures",
}
"""What an animal that was registered by mistake does not have: relation → word."""


@transaction.atomic
def create_subject(*, actor: Any, values: Mapping[str, Any]) -> Subject:
    """A new animal of a lab; without a nickname it gets the next automatic one of its line, else of its lab.

    `values` are wire fields. Raises Forbidden, Invalid (unknown lab or people; a nickname the lab has already).
    """
    sent = dict(values)
    lab = lab_of(sent.pop("lab"))
    authorise(actor, lab, act="make subjects")
    return add_subject(actor=actor, lab=lab, sent=sent)


def add_subject(*, actor: Any, lab: Lab, sent: Mapping[str, Any]) -> Subject:
    """The animal of `create_subject`, for callers in a transaction who have asked whether the actor may."""
    Lab.objects.select_for_update(no_key=True).get(pk=lab.pk)
    content = read_subject(sent, lab)
    columns = content.columns
    columns.setdefault("responsible_user", actor)
    _fill_from_litter_and_line(columns)
    nickname = columns.pop("nickname", "")
    if not nickname:
        (nickname,) = take_names(Kind.SUBJECT, lab=lab, line=columns.get("line"))
    _check_nickname(nickname)
    _check_export_id(columns)
    try:
        with transaction.atomic():
            subject: Subject = Subject.objects.create(lab=lab, nickname=nickname, **columns)
    except IntegrityError as error:
        raise _taken(error, nickname, lab) from None
    if content.projects is not None:
        subject.projects.set(content.projects)
    _flag(subject, content, sent)
    if sent.get("cage"):
        _move(actor, subject, sent["cage"])
    return subject


@transaction.atomic
def change_subject(*, actor: Any, subject: Subject, changes: Mapping[str, Any]) -> Subject:
    """Change what is sent and nothing else. Raises Forbidden, Invalid.

    Its json is every rig's and client's to write; the rest is for who manages the animal.
    """
    related = ("lab", "responsible_user", "line", "litter")
    subject = locked(Subject.objects.shown().select_related(*related), subject.pk)
    sent = dict(changes)
    authorise_animal(actor, subject, Act.RECORD if sent.keys() <= {"json"} else Act.MANAGE, what="change")
    lab = lab_of(sent.pop("lab")) if "lab" in sent else subject.lab
    if lab != subject.lab:
        authorise(actor, lab, act="take in subjects")
    content = read_subject(sent, lab)
    columns = {**content.columns, **({"lab": lab} if lab != subject.lab else {})}
    _check_rename(subject, columns)
    _check_export_id(columns)
    before, line, died = subject.responsible_user, subject.line_id, subject.died_on
    try:
        with transaction.atomic():
            store(subject, columns)
    except IntegrityError as error:
        raise _taken(error, columns.get("nickname", subject.nickname), lab) from None
    if content.projects is not None:
        subject.projects.set(content.projects)
    if subject.responsible_user != before:
        record_hand_over(actor, subject, before, "")
    if subject.line_id != line:
        apply_rules([subject.pk])
    if subject.died_on != died:
        death_date_changed(subject, actor=actor)
    _flag(subject, content, sent)
    if "cage" in sent and (sent["cage"] or "") != subject.cage_name:
        _move(actor, subject, sent["cage"] or "")
    return subject


@transaction.atomic
def hand_over(*, actor: Any, subject: Subject, to: Any, reason: str = "") -> HandOver | None:
    """Pass an animal to another responsible user (a row, a name, or nobody); None when it is theirs already.

    Raises Forbidden, Invalid.
    """
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), subject.pk)
    authorise_animal(actor, subject, Act.MANAGE, what="hand over")
    before, receiver = subject.responsible_user, person(to, "to")
    if receiver == before:
        return None
    store(subject, {"responsible_user": receiver})
    return record_hand_over(actor, subject, before, reason)


def record_hand_over(actor: Any, subject: Subject, before: Any, reason: str) -> HandOver:
    """The animal has another responsible user than before: who passed it to whom."""
    made = HandOver.objects.create(
        subject=subject, from_user=before, to_user=subject.responsible_user, by=actor, at=clock.now(), reason=reason
    )
    notices.responsible_changed(made)
    return made


@transaction.atomic
def withdraw_subject(*, actor: Any, subject: Subject) -> None:
    """Take an animal out of every answer; its row and history stay. Raises Forbidden, naming what still hangs on it."""
    subject = locked(Subject.objects.shown().select_related("lab", "responsible_user"), subject.pk)
    authorise_animal(actor, subject, Act.WITHDRAW, what="withdraw")
    sessions: Any = getattr(subject, "sessions")  # noqa: B009  (the relation belongs to the sessions app)
    kept = [f"{subject.nickname}/{day}/{number:03d}" for day, number in _shown_sessions(sessions)]
    if kept:
        more = f" and {len(kept) - 10} more" if len(kept) > 10 else ""
        raise Forbidden(f"subject {subject.nickname} has {len(kept)} sessions: {', '.join(kept[:10])}{more}")
    if files := _aggregates(subject.pk):
        raise Forbidden(f"subject {subject.nickname} has {files} datasets of its own")
    if hanging := list(_hanging(subject)):
        raise Forbidden(f"subject {subject.nickname} has {', '.join(hanging)}: withdraw them first")
    store(subject, {"withdrawn_at": clock.now()})


def lab_of(value: Any) -> Lab:
    """The lab of this name, or the lab itself. Raises Invalid."""
    return value if isinstance(value, Lab) else by_name(Lab.objects.all(), value, field="lab", what="lab")


def _fill_from_litter_and_line(columns: dict[str, Any]) -> None:
    """What is not said of a new animal follows from its litter, then from its line."""
    litter = columns.get("litter")
    if litter is not None:
        columns.setdefault("line", litter.line)
        columns.setdefault("born_on", litter.born_on)
    line = columns.get("line")
    if line is not None:
        columns.setdefault("species", line.species)
        columns.setdefault("strain", line.strain)


def _move(actor: Any, subject: Subject, cage: str) -> None:
    try:
        if cage:
            house(actor=actor, subjects=[subject], cage_name=cage)
        else:
            leave_cage(actor=actor, subjects=[subject])
    except DomainError as refused:
        refused.fields = {"cage": [text for texts in refused.fields.values() for text in texts] or [refused.detail]}
        raise
    subject.refresh_from_db(fields=["cage_name"])


def _shown_sessions(sessions: Any) -> Iterator[tuple[Any, int]]:
    yield from (
        sessions.filter(withdrawn_at__isnull=True).order_by("path_date", "number").values_list("path_date", "number")
    )


def _aggregates(key: UUID) -> int:
    """How many datasets belong to the animal itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM datasets_dataset WHERE object_id = %s AND withdrawn_at IS NULL", [key])
        return int(cursor.fetchone()[0])


def _hanging(subject: Subject) -> Iterator[str]:
    for relation, word in HANGING.items():
        if count := getattr(subject, relation).shown().count():
            yield f"{count} {word}"
    parent = Q(father=subject) | Q(mother1=subject) | Q(mother2=subject)
    if count := BreedingPair.objects.filter(parent).count():
        yield f"{count} breeding pairs"


def _check_nickname(nickname: str) -> None:
    if not NICKNAME.fullmatch(nickname) or nickname in {".", ".."}:
        raise Invalid.of("nickname", "a nickname has letters, digits, _, - and . only: it is the name of a folder")


def _check_export_id(columns: Mapping[str, Any]) -> None:
    if "_" in columns.get("export_id", ""):
        raise Invalid.of("export_id", "a name in releases has no underscore: names of files are cut there")


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


def _taken(error: IntegrityError, nickname: str, lab: Lab) -> Invalid:
    if "subject_export_id_unique" in str(error):
        return Invalid.of("export_id", "another animal has this name in releases")
    return Invalid.of("nickname", f"lab {lab.name} has a subject named {nickname!r} already (case does not matter)")


def _flag(subject: Subject, content: Content, sent: Mapping[str, Any]) -> None:
    """Keep beside what is doubtful."""
    doubts = [*content.doubts, *date_doubts(subject, sent)]
    raise_flags(Subject, [(subject.pk, doubt) for doubt in doubts], lab_id=subject.lab_id)
