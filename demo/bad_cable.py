"""A night over a bad cable: `python -m demo.bad_cable FILE_NAME COMMAND …` runs `manage.py COMMAND …`, and one byte of the
first file of that name that is read to be copied arrives flipped, once. Everything else is what every night is made of.
"""

import os
import sys
from pathlib import Path
from typing import Any


class Cable:
    """Stands between the mover and the operating system; damages one byte once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.damaged = False
        self._copy, self._read = os.copy_file_range, os.pread

    def connect(self) -> None:
        """From now on bytes pass through here."""
        setattr(os, "copy_file_range", self.copy_file_range)  # noqa: B010 mypy knows the real one
        setattr(os, "pread", self.pread)  # noqa: B010

    def copy_file_range(self, source: int, target: int, count: int, *offsets: int) -> int:
        """As the system's, but see above."""
        done = self._copy(source, target, count, *offsets)
        if done and self._hits(source):
            at = (offsets[1] if len(offsets) > 1 else 0) + done // 2
            os.pwrite(target, _flipped(self._read(target, 1, at), 0), at)
        return done

    def pread(self, source: int, length: int, offset: int) -> bytes:
        """As the system's, but see above. Used where the system cannot copy by itself."""
        block = self._read(source, length, offset)
        return _flipped(block, len(block) // 2) if block and self._hits(source) else block

    def _hits(self, source: int) -> bool:
        if self.damaged or Path(f"/proc/self/fd/{source}").readlink().name != self.name:
            return False
        self.damaged = True
        return True


def _flipped(block: bytes, at: int) -> bytes:
    damaged = bytearray(block)
    damaged[at] ^= 0x10
    return bytes(damaged)


def main() -> None:
    """Run the command over the cable; the exit code is 3 when nothing of that name came by."""
    name, *command = sys.argv[1:]
    cable: Any = Cable(name)
    cable.connect()
    sys.argv = ["manage.py", *command]
    import manage  # noqa: PLC0415 after the cable is in place

    manage.main()
    if not cable.damaged:
        raise SystemExit(3)


if __name__ == "__main__":
    main()
