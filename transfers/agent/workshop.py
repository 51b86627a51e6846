"""Where files are made before they are registered: a folder of ours in the root, one place for each original.

    .alyx-agent/<digest of the path>/x.ap.cbin, x.ap.ch     being made, or made and not proved: thrown away after a kill
    .alyx-agent/<digest of the path>/note.json              written when proved: from here on it is finished, never undone

A made file gets its name in the session's folder in one step, whole, and never onto another file. The original goes to the
trash, where the retention of the repository rules; nothing is ever deleted here but what we made and did not prove.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from alyx.core.failpoints import declare, failpoint
from transfers.backends.posix import PosixBackend
from transfers.backends.posix.calls import rename_to_free_name
from transfers.services.scan_page import NotCompressed

NOTED = declare("agent.noted")
PLACED = declare("agent.placed")
SET_ASIDE = declare("agent.set_aside")
FOLDER = ".alyx-agent"
NOTE = "note.json"


@dataclass(frozen=True, slots=True)
class Note:
    """Proved products that wait for their names, or have them and are not registered yet.

    `products`: name → SHA-256, the main one last. `software`, `version`, `facts`: what the datasets will say. `on`: the
    trash's date for the original, as ISO text.
    """

    original: str
    size_bytes: int
    modified_ns: int
    products: dict[str, str]
    software: str
    version: str
    facts: dict[str, Any]
    on: str

    @property
    def folder(self) -> str:
        """Where the original lies."""
        return self.original.rpartition("/")[0]

    def paths(self) -> list[str]:
        """Of the products."""
        return [f"{self.folder}/{name}" for name in self.products]


class Workshop:
    """The place for making, below one repository's root. Held by one agent at a time (`transfers.agent.lock`)."""

    def __init__(self, backend: PosixBackend) -> None:
        self.backend, self.root = backend, Path(backend.root)

    def bench(self, original: str) -> Path:
        """An empty place for what is made of this file. What a killed attempt left there is thrown away."""
        place = self._place(original)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def clear(self, original: str) -> None:
        """Throw away what was made of it and not proved; what is noted stays."""
        place = self._place(original)
        if not (place / NOTE).exists():
            shutil.rmtree(place, ignore_errors=True)

    def note(self, note: Note) -> None:
        """The products are proved and on the medium: from now on a restart goes on, not back."""
        place = self._place(note.original)
        for name in note.products:
            _sync(place / name)
        aside = place / f"{NOTE}.tmp"
        aside.write_text(json.dumps(asdict(note)))
        _sync(aside)
        aside.rename(place / NOTE)
        _sync(place)
        _sync(place.parent)
        failpoint(NOTED)

    def notes(self) -> list[Note]:
        """What is proved and not registered yet."""
        return [Note(**json.loads(file.read_text())) for file in sorted((self.root / FOLDER).glob(f"*/{NOTE}"))]

    def throw_away_halves(self) -> int:
        """What killed attempts left unproved; how many."""
        halves = [place for place in (self.root / FOLDER).glob("*") if place.is_dir() and not (place / NOTE).exists()]
        for place in halves:
            shutil.rmtree(place, ignore_errors=True)
        return len(halves)

    def finish(self, note: Note) -> None:
        """Give the products their names and set the original aside. Repeating goes on where it stopped.

        Raises NotCompressed when another file has taken a name, BackendFailure.
        """
        replaces = Path(note.original).name in note.products
        if replaces:
            self._set_aside(note)
        for name in note.products:
            self._place_product(note, name)
            failpoint(PLACED)
        if not replaces:
            self._set_aside(note)
        failpoint(SET_ASIDE)

    def done(self, note: Note) -> None:
        """Registered: nothing of it is kept here."""
        shutil.rmtree(self._place(note.original), ignore_errors=True)

    def _place(self, original: str) -> Path:
        return self.root / FOLDER / hashlib.sha256(original.encode()).hexdigest()[:32]

    def _set_aside(self, note: Note) -> None:
        """The original, while it is still the file that was compressed; what came in its place is left alone."""
        try:
            seen = (self.root / note.original).lstat()
        except FileNotFoundError:
            return
        if (seen.st_size, seen.st_mtime_ns) == (note.size_bytes, note.modified_ns):
            self.backend.trash(note.original, 0, date.fromisoformat(note.on))

    def _place_product(self, note: Note, name: str) -> None:
        made = self._place(note.original)
        with _opened(made) as here, _opened(self.root / note.folder) as there:
            if not (made / name).exists():
                return
            try:
                rename_to_free_name(here, name, there, name)
            except FileExistsError:
                if not os.path.samestat(os.stat(name, dir_fd=here), os.stat(name, dir_fd=there)):
                    raise NotCompressed(f"another {name} came to lie beside it: move one of them away") from None
                os.unlink(name, dir_fd=here)  # the second name of a link that a kill left
            os.fsync(there)
            os.fsync(here)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield fd
    finally:
        os.close(fd)


def _sync(path: Path) -> None:
    """A file's bytes, or a folder's names, are on the medium afterwards."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
