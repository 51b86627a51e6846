"""Raising and deciding review flags.

One door for doubts: what a rig, an import or a job sends is kept and flagged; what a person types is asked back (`typing`).
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from alyx.core import clock
from alyx.core.errors import Conflict, Doubtful
from alyx.core.models import FlagState, ReviewFlag

_typing: ContextVar[bool | None] = ContextVar("typing", default=None)
"""None: not a person's form. Else whether the person has said that what is doubted is right."""


@contextmanager
def typing(*, confirmed: bool = False) -> Iterator[None]:
    """In this block a person types: doubts are asked back as `Doubtful`, once `confirmed` they are nobody's business any more."""
    token = _typing.set(confirmed)
    try:
        yield
    finally:
        _typing.reset(token)


def is_typed() -> bool:
    """Whether a person types this."""
    return _typing.get() is not None


def confirmed() -> bool:
    """Whether a person has said that what is doubted is right."""
    return _typing.get() is True


@dataclass(frozen=True)
class Doubt:
    """A finding about a record, before it is a flag. `fields` are the words of the wire it is about (else those of `facts`)."""

    rule: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    proposed_fix: str = ""
    fields: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The same facts under the same rule are the same finding."""
        return hashlib.md5(
            json.dumps(self.facts, sort_keys=True, default=str).encode(), usedforsecurity=False
        ).hexdigest()


def raise_flags(
    model: type[models.Model],
    doubts: Sequence[tuple[uuid.UUID, Doubt]],
    *,
    lab_id: uuid.UUID | None,
    standing: bool = False,
) -> None:
    """Open a flag for each (object id, doubt), in one statement; a finding already open stays one flag.

    Raises Doubtful instead while a person types, unless they have said that it is right. `standing`: it is about how records
    stand to each other, not about what is typed now, so it is flagged in any case.
    """
    if not doubts or (confirmed() and not standing):
        return
    if is_typed() and not standing:
        raise _asked_back([doubt for _, doubt in doubts])
    content_type = ContentType.objects.get_for_model(model)
    ReviewFlag.objects.bulk_create(
        [
            ReviewFlag(
                content_type=content_type,
                object_id=object_id,
                rule=doubt.rule,
                message=doubt.message,
                facts=json.loads(json.dumps(dict(doubt.facts), default=str)),
                proposed_fix=doubt.proposed_fix,
                fingerprint=doubt.fingerprint,
                lab_id=lab_id,
            )
            for object_id, doubt in doubts
        ],
        ignore_conflicts=True,
    )


def _asked_back(doubts: Sequence[Doubt]) -> Doubtful:
    said: dict[str, list[str]] = {}
    for doubt in doubts:
        sentence = f"{doubt.message}: {doubt.proposed_fix}" if doubt.proposed_fix else doubt.message
        for name in doubt.fields or tuple(doubt.facts):
            said.setdefault(name, []).append(sentence)
    return Doubtful("; ".join(doubt.message for doubt in doubts), fields=said)


@transaction.atomic
def decide_flag(*, actor: Any, flag: ReviewFlag, state: FlagState, decision: str) -> None:
    """Close an open flag as resolved or dismissed, with the reason.

    Raises Conflict when somebody closed it first.
    """
    if state == FlagState.OPEN:
        raise Conflict("a decided flag is not opened again; raise a new one")
    moved = ReviewFlag.objects.filter(pk=flag.pk, state=FlagState.OPEN).update(
        state=state, decided_by=actor, decided_at=clock.AlyxNow(), decision=decision
    )
    if not moved:
        raise Conflict("somebody has decided this flag already")
