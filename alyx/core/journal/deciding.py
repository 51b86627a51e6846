"""The journal's own kinds: undo an entry, say that a doubted one is right, apply a kept one again, discard one with a reason."""

from typing import Any
from uuid import UUID

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Conflict, DomainError, Doubtful, Invalid, NotFound
from alyx.core.journal.applying import Outcome, again, stored
from alyx.core.journal.kinds import KINDS, Applied, Result, as_uuid, register
from alyx.core.journal.models import EntryState, JournalEntry

OPEN = (EntryState.ASKED, EntryState.KEPT)


class StillKept(DomainError):
    """It cannot be applied this time either."""

    status = 409
    code = "kept"


def _target(applied: Applied) -> JournalEntry:
    """The entry that is decided on, locked: one's own. Raises Invalid, NotFound."""
    key = applied.said("of", UUID)
    mine = JournalEntry.objects.filter(user=applied.actor, key=key)
    found = mine.values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(f"no entry {key} of yours has been received")
    return locked(mine, found)


def _decide(row: JournalEntry, applied: Applied, state: EntryState, why: str = "", **more: Any) -> None:
    store(
        row,
        {"state": state, "decided_by": applied.actor, "decided_at": clock.AlyxNow(), "decision": why[:2000], **more},
    )


def undo(applied: Applied) -> Result:
    """Take back what an entry did; one that was never applied is discarded, one that is over stays so. Raises Conflict."""
    row = _target(applied)
    of = {"of": str(row.key)}
    if row.state in OPEN:
        _decide(row, applied, EntryState.DISCARDED, "undone")
        return {**of, "ended": "discarded"}
    if row.state != EntryState.DONE:
        return {**of, "ended": row.state}
    kind = KINDS.get(row.kind)
    if kind is None or kind.undo is None:
        raise Conflict(f"a {kind.label if kind else row.kind} cannot be undone; correct it instead")
    result = kind.undo(stored(row, actor=applied.actor, confirmed=applied.confirmed), dict(row.result))
    _decide(row, applied, EntryState.UNDONE, str(applied.body.get("why") or ""))
    return {**of, "ended": "undone", **(result or {})}


def confirm(applied: Applied) -> Result:
    """Apply an entry that was asked back: the person has said that it is right."""
    return _settled(applied, _target(applied), confirmed=True)


def apply_again(applied: Applied) -> Result:
    """Apply an entry that was kept once more, with `about` to another animal; with `confirmed` also what is doubted."""
    row = _target(applied)
    about = applied.body.get("about")
    if about is not None and as_uuid(about) is None:
        raise Invalid.of("about", f"{about!r} is no id"[:200])
    return _settled(applied, row, confirmed=applied.confirmed or row.confirmed, about=as_uuid(about))


def _settled(applied: Applied, row: JournalEntry, *, confirmed: bool, about: UUID | None = None) -> Result:
    of = {"of": str(row.key)}
    if row.state == EntryState.DONE:
        return {**of, "result": row.result}
    if row.state not in OPEN:
        raise Conflict(f"this entry was {row.get_state_display()}")
    outcome: Outcome = again(row, actor=applied.actor, confirmed=confirmed, about=about)
    if outcome.state == EntryState.DONE:
        columns = {
            "result": outcome.result,
            "message": "",
            "fields": {},
            "confirmed": confirmed,
            "about": about or row.about,
        }
        _decide(row, applied, EntryState.DONE, "confirmed" if confirmed else "applied again", **columns)
        return {**of, "result": outcome.result}
    refusal = Doubtful if outcome.state == EntryState.ASKED else StillKept
    raise refusal(outcome.message, fields=outcome.fields, extra={**outcome.result, **of})


def discard(applied: Applied) -> Result:
    """Done with, for a reason; what it said stays on record. Raises Conflict when it was applied: undo that."""
    row = _target(applied)
    why = applied.said("why", str).strip()
    if not why:
        raise Invalid.of("why", "say why it is discarded")
    if row.state == EntryState.DONE:
        raise Conflict("this entry was applied; undo it instead")
    if row.state in OPEN:
        _decide(row, applied, EntryState.DISCARDED, why)
    return {"of": str(row.key), "ended": row.state}


def declare() -> None:
    """Register them."""
    register("journal.undo", undo, label="undo")
    register("journal.confirm", confirm, label="“it is right”")
    register("journal.again", apply_again, label="apply again")
    register("journal.discard", discard, label="discard")
