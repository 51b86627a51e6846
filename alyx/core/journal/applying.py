"""Applying entries: each once, each in a transaction of its own together with its answer.

A batch that dies half-way leaves a prefix of it; sent again, what is there is answered as before and the rest is done.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction

from alyx.core import clock
from alyx.core.audit import request_id
from alyx.core.errors import Conflict, DomainError, Doubtful, NotFound
from alyx.core.flags import typing
from alyx.core.journal.kinds import KINDS, Applied, Kind, Result
from alyx.core.journal.models import EntryState, JournalEntry
from alyx.core.journal.pictures import opened

logger = logging.getLogger(__name__)

LATENCY_S = 5
"""So far apart, clocks agree: it is the time that the request took, which differs from one to the next and would swap what they bring."""
WAIT_S = 10
"""How long an entry waits for another sender of the same key, and for rows that others hold."""


@dataclass(frozen=True)
class Sent:
    """An entry as it was read from the wire."""

    key: UUID
    kind: str
    about: UUID | None
    body: dict[str, Any]
    made_at: datetime
    seq: int
    confirmed: bool
    fault: str = ""
    """What is wrong with its envelope: such an entry is kept whole, and not applied."""


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    state: str
    result: Result
    message: str = ""
    fields: dict[str, list[str]] | None = None


def apply_batch(
    *, actor: Any, device: str, sent_at: datetime, entries: Sequence[Sent], received_at: datetime
) -> list[dict[str, Any]]:
    """The answers, in order. Raises OperationalError when the database does not answer: send it again."""
    skew = (received_at - sent_at).total_seconds()
    known = {row.key: row for row in JournalEntry.objects.filter(user=actor, key__in={one.key for one in entries})}
    answers = []
    for one in entries:
        row = known.get(one.key) or _apply_once(actor, device, one, skew, received_at)
        known[one.key] = row
        answers.append(answer_of(row))
    return answers


def answer_of(row: JournalEntry) -> dict[str, Any]:
    """As it goes over the wire; what was undone or discarded is done with."""
    over = row.state in {EntryState.UNDONE, EntryState.DISCARDED}
    return {
        "key": str(row.key),
        "state": "done" if over else row.state,
        "result": {**row.result, "ended": row.state} if over else row.result,
        "message": row.message,
        "fields": row.fields,
        "at": row.at.isoformat(),
    }


def _apply_once(actor: Any, device: str, one: Sent, skew: float, received_at: datetime) -> JournalEntry:
    with transaction.atomic():
        _take_turn(actor, one.key)
        before = JournalEntry.objects.filter(user=actor, key=one.key).first()
        if before is not None:
            return before
        at = min(_shifted(one.made_at, skew if abs(skew) > LATENCY_S else 0.0), received_at)
        kind = KINDS.get(one.kind)
        applied = Applied(
            actor=actor,
            about=one.about,
            body=one.body,
            at=at,
            key=one.key,
            confirmed=one.confirmed,
            made_by=made_by(actor),
            picture=lambda digest: opened(actor, digest),
        )
        outcome = _refused(one, kind) or outcome_of(lambda: kind.apply(applied), one.confirmed)  # type: ignore[union-attr]
        row = JournalEntry(
            user=actor,
            key=one.key,
            device=device,
            seq=one.seq,
            kind=one.kind,
            about=one.about,
            body=one.body,
            made_at=one.made_at,
            skew_s=skew,
            at=at,
            confirmed=one.confirmed,
            state=outcome.state,
            result=outcome.result,
            message=outcome.message,
            fields=outcome.fields or {},
            lab_id=lab_of(kind, one) if outcome.state != EntryState.DONE else None,
        )
        row.save(force_insert=True)
        return row


def _shifted(made_at: datetime, skew: float) -> datetime:
    try:
        return made_at + timedelta(seconds=skew)
    except OverflowError:
        return made_at


def _take_turn(actor: Any, key: UUID) -> None:
    """Wait until nobody else applies this entry; forgotten with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true), pg_advisory_xact_lock(hashtextextended(%s, 6))",
            [f"{WAIT_S}s", f"journal {actor.pk} {key}"],
        )


def _refused(one: Sent, kind: Kind | None) -> Outcome | None:
    if one.fault:
        return Outcome(EntryState.KEPT, {}, one.fault)
    if kind is None:
        return Outcome(EntryState.KEPT, {}, f"this server does not know entries of the kind {one.kind!r}")
    return None


def outcome_of(act: Callable[[], Result], confirmed: bool) -> Outcome:
    """Act inside a savepoint, as a person typing; whatever is refused leaves nothing but its reason.

    Raises OperationalError: that is no answer.
    """
    try:
        with transaction.atomic(), typing(confirmed=confirmed):
            return Outcome(EntryState.DONE, act())
    except Doubtful as doubt:
        return Outcome(EntryState.ASKED, dict(doubt.extra), doubt.detail, doubt.fields)
    except DomainError as error:
        return Outcome(EntryState.KEPT, dict(error.extra), error.detail, error.fields)
    except OperationalError:
        raise
    except Exception:  # a mistake of ours costs the person nothing: the entry is kept, the fault is in the log
        fault = request_id.get() or "without a number"
        logger.exception("an entry of a journal could not be applied")
        return Outcome(EntryState.KEPT, {"fault": fault}, f"the server could not apply this (fault {fault})")


def lab_of(kind: Kind | None, one: Any) -> UUID | None:
    """The lab whose managers see it too, if the kind can tell."""
    if kind is None or kind.lab_of is None:
        return None
    try:
        with transaction.atomic():
            return kind.lab_of(one.about, one.body)
    except OperationalError:
        raise
    except Exception:  # nobody but its author sees the entry then; it must not fail for that
        logger.exception("whose lab an entry of the kind %s is", one.kind)
        return None


def made_by(actor: Any) -> Callable[[UUID], Result]:
    """Finds results of earlier entries of the actor."""

    def found(key: UUID) -> Result:
        row = JournalEntry.objects.filter(user=actor, key=key).first()
        if row is None or row.state != EntryState.DONE:
            raise Conflict(f"the entry it refers to ({key}) was {row.get_state_display() if row else 'never received'}")
        return dict(row.result)

    return found


def again(entry: JournalEntry, *, actor: Any, confirmed: bool, about: UUID | None = None) -> Outcome:
    """Apply a stored entry once more, as who typed it; the row itself is the caller's business."""
    kind = KINDS.get(entry.kind)
    if kind is None:
        raise NotFound(f"this server does not know entries of the kind {entry.kind!r}")
    return outcome_of(lambda: kind.apply(stored(entry, actor=actor, confirmed=confirmed, about=about)), confirmed)


def stored(entry: JournalEntry, *, actor: Any, confirmed: bool = False, about: UUID | None = None) -> Applied:
    """What its handler gets of a stored entry."""
    return replace(
        Applied(actor, about or entry.about, entry.body, entry.at, entry.key, confirmed),
        made_by=made_by(actor),
        picture=lambda digest: opened(entry.user, digest),
    )


def received_now() -> datetime:
    """The server's clock."""
    return clock.now()
