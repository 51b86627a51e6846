"""Whether somebody may do something, and which rule decides: the answer of the very functions that REST and pages ask."""

import json
import sys
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Model, QuerySet

from alyx.core.errors import DomainError
from alyx.core.rest.names import nearest, unknown
from alyx.labs.explaining import why_reads
from alyx.labs.models import Lab, Project, User
from alyx.labs.permissions import Projects, Right, Verdict, verdict, verdict_anywhere
from datasets.models import Dataset, Repository
from datasets.permissions import lab_of, projects_of, projects_of_owner
from datasets.services.note import authorise_note
from sessions.models import ProbeInsertion, Session
from subjects.models import Subject
from subjects.permissions import Act, may_animal, may_breed, verdict_animal
from subjects.rules.permissions import needed

READ = "read"
NO, BAD_WORDS = 1, 2
"""Exit codes; 0 is yes."""


class Command(BaseCommand):
    """Exit code 0: yes, 1: no, 2: a word that is not understood. See docs/permissions.md."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be said."""
        parser.add_argument("user", help="username")
        parser.add_argument("action", help=f"{READ}; {', '.join(Right)}; of a subject: {', '.join(Act)}")
        parser.add_argument(
            "object",
            help="lab:NAME, subject:NICK or subject:LAB/NICK, session:UUID or session:SUBJECT/DATE/NUMBER, dataset:UUID, "
            "insertion:UUID, repository:NAME, project:NAME",
        )
        parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Answer. Raises CommandError for words that are not understood, SystemExit(1) for no."""
        user = _named(User.objects.all(), options["user"], what="user", column="username")
        row = _found(options["object"])
        found = decide(user, _action(options["action"], row), row)
        if options["json"]:
            said = {name: options[name] for name in ("user", "action", "object")}
            self.stdout.write(json.dumps({**said, "allowed": found.allowed, "rule": found.rule}))
        else:
            self.stdout.write(f"{'yes' if found else 'no'}: {found.rule}")
        if not found:
            sys.exit(NO)


def decide(user: User, action: Right | Act | str, row: Model) -> Verdict:
    """Whether the user may do this to the row, and which rule decides. Nobody writes what they do not read: it is not there."""
    reads = why_reads(user, row)
    if action == READ or not reads:
        return reads
    if isinstance(row, Subject) and isinstance(action, Act):
        return _breeding(user, row) if action is Act.BREED else verdict_animal(user, row, action)
    right = Right(action)
    if right is Right.ANNOTATE and not isinstance(row, Lab | Project | Repository):
        return _annotating(user, row)
    return _by_right(user, row, right)


def _by_right(user: User, row: Any, right: Right) -> Verdict:
    if isinstance(row, Repository) and (labs := list(row.labs.all())):
        asked = [verdict(user, lab, right) for lab in labs]
        return next((one for one in asked if not one), asked[0])
    lab, projects = _place(getattr(row, "session", None) or row)
    return verdict(user, lab, right, projects) if lab else verdict_anywhere(user, right)


def _place(row: Any) -> tuple[Lab | None, Projects]:
    """The lab and the projects of what decides: a session, or what is in none."""
    match row:
        case Session():
            return row.lab, projects_of(row)
        case Subject():
            return row.lab, Project.objects.filter(subjects=row.pk)
        case Dataset():
            return lab_of(row), projects_of_owner(row.content_object)
    return (row if isinstance(row, Lab) else None), None


def _breeding(user: User, animal: Subject) -> Verdict:
    """The colony is its lab's, whatever projects the animal is in."""
    if may_breed(user, animal.lab):
        return Verdict(True, f"keeps the colony of lab {animal.lab.name}")
    return Verdict(False, f"that is for {needed(Act.BREED)} in lab {animal.lab.name}")


def _annotating(user: User, row: Any) -> Verdict:
    """Who works with the animal, and who may annotate what was recorded."""
    try:
        authorise_note(user, row)
    except DomainError as refused:
        return Verdict(False, refused.detail)
    if isinstance(row, Subject) and may_animal(user, row, Act.RECORD):
        return verdict_animal(user, row, Act.RECORD)
    return _by_right(user, row, Right.ANNOTATE)


# What the words mean.


def _action(word: str, row: Model) -> Right | Act | str:
    known: dict[str, Right | Act | str] = {READ: READ, **{str(right): right for right in Right}}
    if isinstance(row, Subject):
        known.update({str(act): act for act in Act})
    if word not in known:
        what = "of a subject" if isinstance(row, Subject) else "of this object"
        raise _bad(f"there is no action {word!r} {what}{nearest(word, known)}; known: {', '.join(known)}")
    return known[word]


def _found(text: str) -> Any:
    kind, mark, word = text.partition(":")
    if not mark or kind not in KINDS:
        raise _bad(
            f"there is no kind of object {kind!r}{nearest(kind, KINDS)}; say one of {', '.join(KINDS)}, as in lab:NAME"
        )
    return KINDS[kind](word)


def _named(rows: QuerySet[Any], word: str, *, what: str, column: str = "name") -> Any:
    row = rows.filter(**{column: word}).first() if "\x00" not in word else None
    if row is None:
        raise _bad(unknown(rows, column, word, what=what))
    return row


def _keyed(rows: QuerySet[Any], word: str, *, what: str) -> Any:
    try:
        row = rows.filter(pk=UUID(word)).first()
    except ValueError:
        raise _bad(f"{word!r} is no id of a {what}: that is a UUID") from None
    if row is None:
        raise _bad(f"there is no {what} with the id {word}")
    return row


def _subject(word: str) -> Subject:
    lab, mark, nickname = word.rpartition("/")
    rows = Subject.objects.shown().select_related("lab", "responsible_user")
    if mark:
        rows = rows.filter(lab=_named(Lab.objects.all(), lab, what="lab"))
    found: list[Subject] = list(rows.named(nickname)) if "\x00" not in nickname else []
    if not found:
        raise _bad(unknown(rows, "nickname", nickname, what="subject"))
    if len(found) > 1:
        labs = ", ".join(sorted(one.lab.name for one in found))
        raise _bad(f"there are several subjects named {nickname!r}, in the labs {labs}: say subject:LAB/{nickname}")
    return found[0]


def _session(word: str) -> Session:
    rows = Session.objects.shown().select_related("lab", "subject")
    if "/" not in word:
        return _keyed(rows, word, what="session")  # type: ignore[no-any-return]
    head, _, number = word.rpartition("/")
    animal, _, day = head.rpartition("/")
    try:
        wanted: dict[str, Any] = {"path_date": date.fromisoformat(day), "number": int(number)}
    except ValueError:
        raise _bad(f"{word!r} is no session: say session:SUBJECT/2026-03-09/001") from None
    subject = _subject(animal)
    of_animal = rows.filter(subject=subject)
    found = of_animal.filter(**wanted).first()
    if found is None:
        known = [f"{one.path_date}/{one.number:03d}" for one in of_animal.order_by("-path_date", "number")[:1000]]
        raise _bad(f"there is no session {word!r}{nearest(f'{day}/{number}', known)}")
    return found


def _bad(text: str) -> CommandError:
    return CommandError(text, returncode=BAD_WORDS)


KINDS: dict[str, Callable[[str], Any]] = {
    "lab": lambda word: _named(Lab.objects.all(), word, what="lab"),
    "subject": _subject,
    "session": _session,
    "dataset": lambda word: _keyed(
        Dataset.objects.shown().select_related("session__lab", "content_type"), word, what="dataset"
    ),
    "insertion": lambda word: _keyed(
        ProbeInsertion.objects.filter(withdrawn_at__isnull=True).select_related("session__lab"), word, what="insertion"
    ),
    "repository": lambda word: _named(Repository.objects.all(), word, what="repository"),
    "project": lambda word: _named(Project.objects.all(), word, what="project"),
}
