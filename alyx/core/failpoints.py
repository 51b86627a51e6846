"""Places where a test may kill the process, to show that nothing but time is lost. No Django.

A module declares its places when it is imported (`MID_WRITE = declare("posix.mid-write")`) and passes them by
`failpoint(MID_WRITE)`. With nothing in the environment that costs one comparison.

ALYX_FAILPOINTS       comma-separated names; `name:3` kills at the third passing in this process
ALYX_FAILPOINTS_ONCE  a file to note each kill in: a restarted process does not die again at a place noted there
"""

import os
import signal
from pathlib import Path

DECLARED: set[str] = set()
"""All places declared by the modules imported so far."""

_armed: dict[str, int] = {}
_passed: dict[str, int] = {}


def declare(name: str) -> str:
    """Make `name` known to the kill matrix; returns it. Raises ValueError when it is declared twice."""
    if name in DECLARED:
        message = f"failpoint {name} is declared twice"
        raise ValueError(message)
    DECLARED.add(name)
    return name


def arm(text: str) -> None:
    """Read a list as in ALYX_FAILPOINTS; an empty one disarms. Raises ValueError when it cannot be read."""
    _armed.clear()
    _passed.clear()
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, _, count = part.partition(":")
        _armed[name] = int(count or 1)


def failpoint(name: str) -> None:
    """Die here by SIGKILL if asked to; else do nothing."""
    if _armed and name in _armed:
        _pass(name)


def _pass(name: str) -> None:
    _passed[name] = _passed.get(name, 0) + 1
    if _passed[name] != _armed[name]:
        return
    once = os.environ.get("ALYX_FAILPOINTS_ONCE")
    if once and not _note(Path(once), name):
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _note(file: Path, name: str) -> bool:
    """Note a kill; False when it had been noted before."""
    if file.exists() and name in file.read_text().split():
        return False
    with file.open("a") as notes:
        notes.write(f"{name}\n")
        notes.flush()
        os.fsync(notes.fileno())
    return True


arm(os.environ.get("ALYX_FAILPOINTS", ""))
