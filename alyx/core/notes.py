"""Notes on any record: text, or a picture that is proved to be one."""

import io
import secrets
import struct
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Model
from PIL import Image, ImageOps

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Forbidden, Invalid
from alyx.core.models import Note

IMAGE_AT_MOST_BYTES = 12 * 1024 * 1024
IMAGE_AT_MOST_PIXELS = 60_000_000
"""Of all frames together."""
KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
"""What Pillow calls it → the ending of its file; what no browser runs."""
UNREADABLE = (OSError, EOFError, ValueError, SyntaxError, LookupError, struct.error, Warning)
"""What Pillow raises for files that are damaged."""
USUAL_WIDTH = 800
"""To how many points across a picture is made smaller when a client says nothing."""


@transaction.atomic
def add_note(
    *,
    actor: Any,
    about: Model,
    text: str = "",
    image: Any = None,
    at_wall: datetime | None = None,
    zone: str = "",
    json: Any = None,
    user: Any = None,
    width: int | None = None,
    pk: UUID | None = None,
) -> Note:
    """A note on a record, by the actor unless `user` wrote it, now unless `at_wall` says when (in `zone`, else the record's).

    `image` is an open file of a JPEG, PNG, WebP or GIF; it is kept under a name that says nothing, made smaller when it is
    wider than `width`. Whoever calls has authorised. Raises Invalid.
    """
    if not text.strip() and image is None:
        raise Invalid.of("text", "say something, or choose a picture")
    zone = zone or _zone_of(about)
    wall = at_wall or clock.utc_to_wall(clock.now(), zone)
    note = Note(
        content_type=ContentType.objects.get_for_model(about),
        object_id=about.pk,
        user=user or actor,
        at_wall=wall,
        zone=zone,
        at=clock.wall_to_utc(wall, zone),
        text=text,
        json=json,
        **({"pk": pk} if pk else {}),
    )
    if image is not None:
        _keep_picture(note, image, width)
    note.save(force_insert=True)  # a `pk` that is taken is no note to be overwritten
    return note


@transaction.atomic
def change_note(*, note: Note, changes: Mapping[str, Any], image: Any = None, width: int | None = None) -> Note:
    """Change what is sent (text, json, user, at_wall) and nothing else; a former picture stays for the history.

    Whoever calls has authorised. Raises Invalid, NotFound.
    """
    note = locked(Note.objects.filter(withdrawn_at__isnull=True), note.pk)
    columns = dict(changes)
    if "at_wall" in columns:
        columns["at"] = clock.wall_to_utc(columns["at_wall"], note.zone)
    if image is not None:
        _keep_picture(note, image, width)
        columns["image"] = note.image.name
    if not columns.get("text", note.text).strip() and not columns.get("image", note.image.name):
        raise Invalid.of("text", "say something, or delete the note")
    store(note, columns)
    return note


@transaction.atomic
def withdraw_note(*, actor: Any, note: Note, may_others: bool = False) -> None:
    """Take a note out of every answer; its picture stays for the history. Its author, superusers, and whoever the caller
    has found to manage what it is about (`may_others`) may. Raises Forbidden."""
    note = locked(Note.objects.filter(withdrawn_at__isnull=True), note.pk)
    if note.user_id != actor.pk and not actor.is_superuser and not may_others:
        raise Forbidden(f"{actor} may not withdraw a note of {note.user}")
    store(note, {"withdrawn_at": clock.now()})


def note_record(note: Note, *, content_type: str, base_url: str) -> dict[str, Any]:
    """A note on the wire, with the name that clients have for the table it is about."""
    return {
        "id": note.pk,
        "user": note.user.username,
        "date_time": note.at_wall,
        "content_type": content_type,
        "object_id": note.object_id,
        "text": note.text,
        "image": f"{base_url}/uploaded/{note.image.name}" if note.image else None,
        "json": note.json,
    }


def notes_of(record: Model) -> list[Note]:
    """The notes on a record, newest first; one query."""
    kind = ContentType.objects.get_for_model(record)
    shown = Note.objects.filter(content_type=kind, object_id=record.pk, withdrawn_at__isnull=True)
    return list(shown.select_related("user"))


def read_picture(image: BinaryIO | Any, width: int | None = None) -> tuple[bytes, str]:
    """The bytes of a picture and the ending of its name. One that is wider than `width` is made smaller, unless it moves.

    Raises Invalid for anything that is not a picture, or too large.
    """
    data = image.read(IMAGE_AT_MOST_BYTES + 1)
    if len(data) > IMAGE_AT_MOST_BYTES:
        raise Invalid.of(
            "image", f"the picture is larger than {IMAGE_AT_MOST_BYTES // 1024 // 1024} MB; send a smaller one"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a picture that Pillow warns about is none of ours
            with Image.open(io.BytesIO(data), formats=list(KINDS)) as opened:
                across, down, kind = *opened.size, str(opened.format)
                frames = getattr(opened, "n_frames", 1)
                if across * down * frames > IMAGE_AT_MOST_PIXELS:
                    points = f"{across} × {down} points" + (f" in {frames} frames" if frames > 1 else "")
                    raise Invalid.of("image", f"the picture has {points}; send a smaller one")
                for frame in (*range(1, frames), 0):  # all of it: what is damaged shows only then
                    opened.seek(frame)
                    opened.load()
                if kind == "MPO":  # a JPEG with a preview behind it, as telephones make them
                    kind = "JPEG"
                if width is not None and across > width and (frames == 1 or kind == "JPEG"):
                    data = _smaller(opened, kind, width)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Invalid.of(
            "image", f"the picture has more than {IMAGE_AT_MOST_PIXELS} points; send a smaller one"
        ) from None
    except UNREADABLE:
        raise Invalid.of("image", "this is not a JPEG, PNG, WebP or GIF picture that can be read") from None
    return data, KINDS[kind]


def _smaller(picture: Image.Image, kind: str, width: int) -> bytes:
    """The picture, `width` points across, its proportions kept, upright, of the same kind."""
    upright = picture
    ImageOps.exif_transpose(upright, in_place=True)
    if upright.mode in {"1", "P"}:  # no shades in between: lines would be lost
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    how = Image.Resampling.NEAREST if upright.mode.startswith("I") else Image.Resampling.LANCZOS
    made = upright.resize((width, max(1, round(upright.height * width / upright.width))), how)
    kept = io.BytesIO()
    made.save(kept, kind, **({"quality": 90} if kind in {"JPEG", "WEBP"} else {}))
    return kept.getvalue()


def _keep_picture(note: Note, image: Any, width: int | None) -> None:
    data, ending = read_picture(image, width)
    note.image.save(f"{secrets.token_hex(16)}.{ending}", ContentFile(data), save=False)


def _zone_of(about: Any) -> str:
    """The wall clock of the record's lab."""
    own = getattr(about, "zone", "")
    lab = getattr(about, "lab", None)
    return str(own or getattr(lab, "timezone", "") or clock.server_zone().key)
