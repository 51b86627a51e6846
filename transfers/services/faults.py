"""A fault on purpose, for demonstrations and tests: one copy is damaged on its way.

ALYX_FAULTS       `damage_staging:<part of a file name>`: one byte of the first staged file whose final path has this
                  part is turned over after it was copied and before it is read back
ALYX_FAULTS_ONCE  a file to note that in, so that it happens once for several processes; else once in a process
"""

import logging
import os
from pathlib import Path

from datasets.models import Repository
from transfers.backends.base import FileSpec

log = logging.getLogger(__name__)
_done: set[str] = set()


def wanted() -> bool:
    """Whether a fault was asked for."""
    return bool(os.environ.get("ALYX_FAULTS"))


def damage_staging(destination: Repository, handle: str, fence: int, spec: FileSpec) -> None:
    """Do it, if it was asked for and has not happened yet."""
    fault = os.environ.get("ALYX_FAULTS", "")
    name, _, part = fault.partition(":")
    if name != "damage_staging" or part not in spec.final_path or not _first(fault):
        return
    staged = Path(destination.root) / ".alyx-staging" / f"{handle}.{fence}" / spec.key
    with staged.open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 0xFF]) if byte else b"\xff")
    log.warning("fault on purpose: damaged the staged copy of %s", spec.final_path)


def _first(fault: str) -> bool:
    marker = os.environ.get("ALYX_FAULTS_ONCE")
    if fault in _done or (marker and Path(marker).exists()):
        return False
    _done.add(fault)
    if marker:
        Path(marker).touch()
    return True
