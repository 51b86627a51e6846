"""Which animal a client means by a nickname."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from alyx.core.errors import Ambiguous, NotFound
from alyx.core.reading import readable
from alyx.core.rest.names import unknown
from alyx.labs.models import Membership
from subjects.models import Subject


def resolve_subject(
    *, actor: Any, nickname: str, labs: Sequence[str] = (), rows: "QuerySet[Subject] | None" = None
) -> Subject:
    """The animal of this nickname: in the labs named by the call, else in the caller's, else the only one there is.

    Raises NotFound, or Ambiguous (409) naming the labs.
    """
    shown = Subject.objects.shown() if rows is None else rows
    named = (
        [] if "\x00" in nickname else list(shown.filter(pk__in=Subject.objects.named(nickname)).select_related("lab"))
    )
    if not named:
        raise NotFound(unknown(readable(actor, Subject.objects.shown()), "nickname", nickname, what="subject"))
    if len(named) > 1 and labs:
        named = [one for one in named if one.lab.name in labs] or named
    if len(named) > 1:
        own = _labs_of(actor)
        named = [one for one in named if one.lab_id in own] or named
    if len(named) > 1:
        where = ", ".join(sorted(one.lab.name for one in named))
        raise Ambiguous(
            f"several labs have a subject {nickname!r}: {where}; say which by lab", fields={"lab": f"one of {where}"}
        )
    return named[0]


def _labs_of(actor: Any) -> set[uuid.UUID]:
    return set(Membership.objects.filter(user=actor).values_list("lab_id", flat=True))
