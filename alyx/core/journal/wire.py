"""Reading what tablets send. An entry that has a key is never turned away: what is wrong with it is said, and it is kept."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from alyx.core.errors import Invalid
from alyx.core.journal.applying import Sent
from alyx.core.journal.kinds import as_uuid

MOST_ENTRIES = 200
LONGEST_KIND = LONGEST_DEVICE = 64
MOST_SEQ = 2**63 - 1


def read_batch(said: Any, *, user: UUID, now: datetime) -> tuple[str, datetime, list[Sent]]:
    """Device, the tablet's time, entries. Raises Invalid: nothing of the batch was done."""
    if not isinstance(said, dict):
        raise Invalid("send an object: {device, sent_at, entries}")
    device, entries = said.get("device"), said.get("entries")
    if not isinstance(device, str) or not 1 <= len(device) <= LONGEST_DEVICE:
        raise Invalid.of("device", f"send the tablet's own id, 1 to {LONGEST_DEVICE} characters")
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        raise Invalid.of("entries", f"send a list of at most {MOST_ENTRIES} entries")
    sent_at = _instant(said.get("sent_at"))
    if sent_at is None:
        raise Invalid.of(
            "sent_at", "send the tablet's time as ISO 8601 with its zone, such as 2026-03-09T14:02:03.123Z"
        )
    return device, sent_at, [_entry(one, number, user, now) for number, one in enumerate(entries)]


def _entry(said: Any, number: int, user: UUID, now: datetime) -> Sent:
    name = f"entries[{number}]"
    if not isinstance(said, dict):
        raise Invalid.of(name, "is no object")
    key = as_uuid(said.get("key"))
    if key is None:
        raise Invalid.of(f"{name}.key", "send a UUID: without it the entry cannot be recognised when it comes again")
    if as_uuid(said.get("user")) != user:
        raise Invalid.of(f"{name}.user", f"is not who is logged in ({user})")
    faults = []
    kind, body, about, seq = said.get("kind"), said.get("body"), said.get("about"), said.get("seq")
    if not isinstance(kind, str) or not 1 <= len(kind) <= LONGEST_KIND:
        faults.append(f"kind: {kind!r} is no kind of entry"[:200])
        kind = "malformed"
    if not isinstance(body, dict):
        faults.append("body: is no object")
        body = {"malformed": body}
    if about is not None and as_uuid(about) is None:
        faults.append(f"about: {about!r} is no id"[:200])
        body = {**body, "malformed_about": about}
    made_at = _instant(said.get("made_at"))
    if made_at is None:
        faults.append("made_at: is no time with a zone")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= MOST_SEQ:
        faults.append("seq: is no whole number")
        seq = 0
    return Sent(key, kind, as_uuid(about), body, made_at or now, seq, said.get("confirmed") is True, "; ".join(faults))


def _instant(text: Any) -> datetime | None:
    """An aware time; None when the text is none."""
    try:
        found = parse_datetime(text) if isinstance(text, str) else None
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
