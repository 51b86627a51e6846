"""Processor time of processes, as Linux counts it. Standard library only."""

import os
from pathlib import Path


def of_process(pid: int) -> float:
    """Seconds used by the main thread of a process, to the nanosecond where the kernel keeps them; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        return sum(_stat(pid)[:2])


def of_tree(pid: int) -> float:
    """Seconds used by a process with all its threads, by its living descendants, and by those it has outlived."""
    children: dict[int, list[int]] = {}
    for process in _processes():
        children.setdefault(_parent(process), []).append(process)
    total, left = 0.0, [pid]
    while left:
        process = left.pop()
        total += sum(_stat(process))
        left += children.get(process, [])
    return total


def backends(database: str) -> list[int]:
    """The processes of PostgreSQL that serve connections to this database, by their titles."""
    found = []
    for process in _processes():
        try:
            title = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split()
        except OSError:
            continue
        if len(title) > 2 and title[0].startswith("postgres:") and database in title[1:4]:
            found.append(process)
    return found


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _fields(pid: int) -> list[str]:
    """Of `/proc/<pid>/stat`, after the name in brackets: the first is the state."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[float]:
    """Seconds: user, system, and the same of children that have ended."""
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in _fields(pid)[11:15]]
