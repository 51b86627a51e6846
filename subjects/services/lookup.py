"""Which animal a client means by a nickname."""

import uuid
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import QuerySet

from alyx.core.errors import Ambiguous, NotFound
from alyx.core.reading import readable, reads_all
from alyx.core.rest.names import unknown
from alyx.labs.models import Membership
from subjects.models import Subject
from subjects.queries.subject_record import SubjectRow, rows_named

Row = TypeVar("Row")


def resolve_subject(
    *, actor: Any, nickname: str, labs: Sequence[str] = (), rows: "QuerySet[Subject] | None" = None
) -> Subject:
    """The animal of this nickname: in the labs named by the call, else in the caller's, else the only one there is.

    Raises NotFound, or Ambiguous (409) naming the labs.
    """
    shown = Subject.objects.shown() if rows is None else rows
    named = [] if "\x00" in nickname else shown.filter(pk__in=Subject.objects.named(nickname)).select_related("lab")
    return the_one_meant([(one, one.lab_id, one.lab.name) for one in named], actor=actor, nickname=nickname, labs=labs)


def resolve_row(*, actor: Any, nickname: str, labs: Sequence[str], base_url: str) -> SubjectRow:
    """Likewise of those that the actor reads, with all that its record is made of."""
    named = rows_named(nickname, base_url)
    if named and not reads_all(actor, Subject):
        keys = Subject.objects.filter(pk__in=[one.pk for one in named]).values_list("pk", flat=True)
        within = set(readable(actor, keys))
        named = [one for one in named if one.pk in within]
    return the_one_meant([(one, one.lab_id, one.lab_name) for one in named], actor=actor, nickname=nickname, labs=labs)


def the_one_meant(
    named: Sequence[tuple[Row, uuid.UUID, str]], *, actor: Any, nickname: str, labs: Sequence[str]
) -> Row:
    """Of the animals of a nickname, each with key and name of its lab. Raises NotFound, Ambiguous."""
    if not named:
        raise NotFound(unknown(readable(actor, Subject.objects.shown()), "nickname", nickname, what="subject"))
    if len(named) > 1 and labs:
        named = [one for one in named if one[2] in labs] or named
    if len(named) > 1:
        own = _labs_of(actor)
        named = [one for one in named if one[1] in own] or named
    if len(named) > 1:
        where = ", ".join(sorted(lab for _, _, lab in named))
        raise Ambiguous(
            f"several labs have a subject {nickname!r}: {where}; say which by lab", fields={"lab": f"one of {where}"}
        )
    return named[0][0]


def _labs_of(actor: Any) -> set[uuid.UUID]:
    return set(Membership.objects.filter(user=actor).values_list("lab_id", flat=True))
