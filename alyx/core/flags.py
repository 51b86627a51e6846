"""Raising and deciding review flags."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from alyx.core import clock
from alyx.core.errors import Conflict
from alyx.core.models import FlagState, ReviewFlag


@dataclass(frozen=True)
class Doubt:
    """A finding about a record, before it is a flag."""

    rule: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    proposed_fix: str = ""

    @property
    def fingerprint(self) -> str:
        """The same facts under the same rule are the same finding."""
        return hashlib.md5(
            json.dumps(self.facts, sort_keys=True, default=str).encode(), usedforsecurity=False
        ).hexdigest()


def raise_flags(
    model: type[models.Model], doubts: Sequence[tuple[uuid.UUID, Doubt]], *, lab_id: uuid.UUID | None
) -> None:
    """Open a flag for each (object id, doubt), in one statement; a finding already open stays one flag."""
    if not doubts:
        return
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
