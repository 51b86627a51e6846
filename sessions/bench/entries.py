"""What entries about notes of a session do."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType

from alyx.core import clock
from alyx.core.changes import locked
from alyx.core.errors import Conflict, Forbidden, Invalid, NotFound
from alyx.core.journal.kinds import Applied, Result, register
from alyx.core.journal.merging import apply_edit
from alyx.core.models import Note
from alyx.core.notes import add_note, change_note, withdraw_note
from alyx.core.reading import may_read
from sessions.bench.notes import note_shown
from sessions.models import Session
from sessions.permissions import Right, authorise_session

LONGEST = 20_000


def _session(key: UUID | None, actor: Any) -> Session:
    """Raises NotFound: withdrawn, unknown, or not for this reader."""
    rows = Session.objects.select_related("subject", "lab")
    found = rows.filter(pk=key).first() if key else None
    if found is None or not may_read(actor, found):
        raise NotFound(
            "there is no session of this id that you read; the note is kept, find the right session and write it there"
        )
    if found.withdrawn_at is not None:
        raise Conflict(f"the session {found} was withdrawn; the note is kept")
    return found


def add(applied: Applied) -> Result:
    """A note about the session `about`: `{text?, picture?, note?}`; `note` is the id that the tablet gave it."""
    session = _session(applied.about, applied.actor)
    authorise_session(applied.actor, session, act="write notes", to=Right.ANNOTATE)
    text = applied.said("text", str, "")
    if len(text) > LONGEST:
        raise Invalid.of("text", f"is longer than {LONGEST} characters")
    digest = applied.said("picture", str, "")
    image = applied.picture(digest) if digest else None
    note = _written(applied, session, text, image=image, pk=applied.said("note", UUID, None))
    return {"note": note_shown(note)}


def edit(applied: Applied) -> Result:
    """The text of the note `about`: `{field: "text", value, base, session}`. The first edit makes the note, at the time it began."""
    if applied.said("field", str) != "text":
        raise Invalid.of("field", "only the text of a note can be changed")
    value, base = applied.said("value", str), applied.said("base", str)
    if len(value) > LONGEST:
        raise Invalid.of("value", f"is longer than {LONGEST} characters")
    if not base and not Note.objects.filter(pk=applied.subject_of()).exists():
        session = _session(applied.said("session", UUID), applied.actor)
        authorise_session(applied.actor, session, act="write notes", to=Right.ANNOTATE)
        note = _written(applied, session, value, pk=applied.subject_of())
        return {"field": "text", "value": value, "merged": False, "note": note_shown(note)}
    note = _note(applied)

    def write(text: str) -> None:
        change_note(note=note, changes={"text": text})

    done = apply_edit(field="text", current=note.text, base=base, value=value, write=write)
    return {**done, "note": note_shown(note) | {"text": done["value"]}}


def _written(applied: Applied, session: Session, text: str, **more: Any) -> Note:
    return add_note(
        actor=applied.actor,
        about=session,
        text=text,
        at_wall=clock.utc_to_wall(applied.at, session.zone),
        zone=session.zone,
        **more,
    )


def withdraw(applied: Applied) -> Result:
    """Take the note `about` out of every answer."""
    note = _note(applied)
    withdraw_note(actor=applied.actor, note=note)
    return {"withdrawn": str(note.pk)}


def _unwritten(applied: Applied, result: Result) -> Result:
    """Undo of `add`."""
    note = Note.objects.filter(pk=result["note"]["id"], withdrawn_at__isnull=True).first()
    if note is not None:
        withdraw_note(actor=applied.actor, note=note)
    return {"withdrawn": result["note"]["id"]}


def _note(applied: Applied) -> Note:
    """The note, locked, of a session that the actor writes notes of. Raises NotFound, Forbidden."""
    sessions = ContentType.objects.get_for_model(Session)
    note = locked(Note.objects.filter(content_type=sessions), applied.subject_of())
    if note.withdrawn_at is not None:
        raise Conflict(
            "this note was withdrawn meanwhile; what you typed is kept: write it as a new note, or discard it"
        )
    session = _session(note.object_id, applied.actor)
    authorise_session(applied.actor, session, act="change notes", to=Right.ANNOTATE)
    if note.user_id != applied.actor.pk and not applied.actor.is_superuser:
        raise Forbidden(f"this is a note of {note.user}; write your own beside it")
    return note


def _lab(about: UUID | None, body: Mapping[str, Any]) -> UUID | None:
    """Of the session, or of the session of the note."""
    owner = Note.objects.filter(pk=about).values_list("object_id", flat=True).first() if about else None
    return Session.objects.filter(pk=owner or about).values_list("lab_id", flat=True).first() if about else None


register("session.note", add, undo=_unwritten, lab_of=_lab, label="note")
register("session.note.text", edit, lab_of=_lab, label="changed note")
register("session.note.withdraw", withdraw, lab_of=_lab, label="withdrawal of a note")
