"""Pictures of journals: their bytes come first, under their digest, and wait for the entry that names them."""

import hashlib
import io
import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from alyx.core import clock
from alyx.core.errors import Invalid
from alyx.core.notes import read_picture

DIGEST = re.compile(r"[0-9a-f]{64}")
KEPT_FOR = timedelta(days=60)
"""An entry that was kept may be applied again so much later."""


def _place(owner: Any, digest: str) -> Path:
    return Path(settings.MEDIA_ROOT) / "journal" / str(owner.pk) / digest


def keep(*, actor: Any, digest: str, data: bytes) -> bool:
    """Store the bytes durably; whether they are new. Raises Invalid: another digest, or no picture."""
    if not DIGEST.fullmatch(digest):
        raise Invalid.of(
            "sha256", "the address must end with the SHA-256 of the picture, 64 lower-case hexadecimal digits"
        )
    place = _place(actor, digest)
    if place.exists():
        return False
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise Invalid.of(
            "sha256", f"these bytes have the SHA-256 {found}: they were changed on their way; send them again"
        )
    read_picture(io.BytesIO(data), None)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{digest}.{secrets.token_hex(4)}")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(place)
    return True


def opened(owner: Any, digest: str) -> io.BytesIO:
    """The picture, to read. Raises Invalid when it has not arrived."""
    place = _place(owner, digest) if DIGEST.fullmatch(digest) else None
    if place is None or not place.exists():
        raise Invalid.of("picture", "the picture has not arrived, or was no picture that can be read")
    return io.BytesIO(place.read_bytes())


def sweep() -> int:
    """Remove what has waited long enough; how many."""
    old = (clock.now() - KEPT_FOR).timestamp()
    files = [file for file in (Path(settings.MEDIA_ROOT) / "journal").glob("*/*") if file.stat().st_mtime < old]
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)
