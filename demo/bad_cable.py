"""A bad cable between the two servers of the demo: one byte of one file arrives flipped, once.

The project's own code knows nothing of it. `cable/sitecustomize.py` puts it between Python and the operating system in
every process of the demo's instance, so that it does not matter which of them copies the file.
"""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

NAME, NOTE = "DEMO_BAD_CABLE", "DEMO_BAD_CABLE_NOTE"
FOLDER = Path(__file__).with_name("cable")


def environment(name: str, note: Path) -> Mapping[str, str]:
    """For the processes whose first copy of a file named `name` shall be damaged; `note` appears when that has happened."""
    root = FOLDER.parent.parent
    return {NAME: name, NOTE: str(note), "PYTHONPATH": f"{FOLDER}{os.pathsep}{root}"}


class Cable:
    """Stands between the mover and the operating system."""

    def __init__(self, name: str, note: Path) -> None:
        self.name, self.note = name, note
        self._copy, self._read, self._write = os.copy_file_range, os.pread, os.pwrite
        self._thread = threading.local()

    @classmethod
    def of_environment(cls) -> Self:
        """The one that was asked for."""
        return cls(os.environ[NAME], Path(os.environ[NOTE]))

    def connect(self) -> None:
        """From now on bytes pass through here."""
        for call in ("copy_file_range", "pread", "pwrite"):
            setattr(os, call, getattr(self, call))

    def copy_file_range(self, source: int, target: int, count: int, *offsets: int) -> int:
        """As the system's, but see above."""
        done = self._copy(source, target, count, *offsets)
        if done and self._carries(source) and self._first():
            at = (offsets[1] if len(offsets) > 1 else 0) + done // 2
            self._write(target, _flipped(self._read(target, 1, at)), at)
        return done

    def pread(self, source: int, length: int, offset: int) -> bytes:
        """As the system's; what is written next is what was read here."""
        self._thread.carried = self._carries(source)
        return self._read(source, length, offset)

    def pwrite(self, target: int, block: bytes | memoryview, offset: int) -> int:
        """As the system's, but see above. Used where the system cannot copy by itself."""
        if block and getattr(self._thread, "carried", False) and self._first():
            block = _flipped(bytes(block))
        return self._write(target, block, offset)

    def _carries(self, source: int) -> bool:
        return Path(f"/proc/self/fd/{source}").readlink().name == self.name

    def _first(self) -> bool:
        try:
            self.note.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def _flipped(block: bytes) -> bytes:
    damaged = bytearray(block)
    damaged[len(block) // 2] ^= 0x10
    return bytes(damaged)
