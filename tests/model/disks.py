"""Disks with names, inodes, faults and a trash.

Bytes are short strings: equal length with another letter is "same size, other digest", '#' is damage, and the digest
of a string is the string itself.
"""

from dataclasses import dataclass, field
from typing import Protocol

from tests.model.safeguards import Broken, Promise
from transfers.rules.errors import ErrorCode
from transfers.rules.evidence import Presence, Reading


class DiskError(Exception):
    """An operation gave an error, which says nothing about what is there."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code)
        self.code = code


class Process(Protocol):
    """Who may hold a file open."""

    alive: bool


@dataclass(slots=True, eq=False)
class Inode:
    """The bytes themselves. `harmed_at`: the last step at which the environment changed them. `writer`: who has
    them open for writing (an flock: gone when that process is dead)."""

    data: str
    harmed_at: int = -1
    writer: Process | None = None


@dataclass(eq=False)
class Disk:
    """One repository's storage: names to inodes, and what is wrong with it just now."""

    name: str
    names: dict[str, Inode] = field(default_factory=dict)
    reachable: bool = True
    mounted: bool = True
    sick: set[str] = field(default_factory=set)
    """Names that answer with an error."""
    flipped_at: int = -1
    """The last step at which the environment changed reachable, mounted or sick."""
    touched_at: dict[str, int] = field(default_factory=dict)
    """The last step at which the environment changed a name (put, removed, harmed)."""
    corrupt_next_write: bool = False
    trashed: int = 0

    # --- looking ------------------------------------------------------------------------------------------------

    def canary(self) -> bool:
        """Whether the repository's own mark can be read."""
        return self.reachable and self.mounted

    def _reach(self, name: str) -> None:
        if not self.reachable:
            raise DiskError(ErrorCode.UNREACHABLE)
        if name in self.sick:
            raise DiskError(ErrorCode.IO_ERROR)

    def _write_reach(self, name: str) -> None:
        self._reach(name)
        if not self.mounted:
            raise DiskError(ErrorCode.CANARY_MISSING)

    def presence(self, name: str) -> Presence:
        """Ask for a name. On a wrong mount nothing is there. Raises DiskError."""
        self._reach(name)
        return Presence.PRESENT if self.mounted and name in self.names else Presence.ABSENT

    def open(self, name: str) -> Inode:
        """The inode of a name; raises DiskError, FileNotFoundError."""
        if self.presence(name) is Presence.ABSENT:
            raise FileNotFoundError(name)
        return self.names[name]

    def read(self, name: str) -> Reading:
        """One whole read. Raises DiskError, FileNotFoundError."""
        data = self.open(name).data
        return Reading(size_bytes=len(data), md5=data)

    # --- writing: each is one atomic act of the file system -------------------------------------------------------

    def create(self, name: str, writer: Process) -> Inode:
        """A new empty file that `writer` holds open. Two writers of one staging name break a promise."""
        self._write_reach(name)
        if name in self.names:
            raise Broken(Promise.ONE_WRITER, f"two writers opened {name}")
        self.names[name] = Inode("", writer=writer)
        return self.names[name]

    def append(self, inode: Inode, data: str) -> None:
        """Write through an open file: works whatever the file is called by now."""
        if not self.reachable:
            raise DiskError(ErrorCode.UNREACHABLE)
        if data and self.corrupt_next_write:
            data, self.corrupt_next_write = "#" * len(data), False
        inode.data += data

    def link(self, old: str, new: str) -> None:
        """A second name for a file; FileExistsError if the new name is taken, FileNotFoundError if the old is gone."""
        self._write_reach(old)
        if old not in self.names:
            raise FileNotFoundError(old)
        if new in self.names:
            raise FileExistsError(new)
        self.names[new] = self.names[old]

    def rename(self, old: str, new: str) -> None:
        """Replace `new` by `old` atomically. Bytes that thereby lose their last name are lost, which breaks a promise."""
        self._write_reach(old)
        if old not in self.names:
            raise FileNotFoundError(old)
        displaced = self.names.get(new)
        self.names[new] = self.names.pop(old)
        if displaced is not None and not any(inode is displaced for inode in self.names.values()):
            raise Broken(Promise.NEVER_LOST, f"{displaced.data!r} at {new} was overwritten without trash")

    def unlink(self, name: str) -> None:
        """Remove a name; nothing if it is gone."""
        self._write_reach(name)
        self.names.pop(name, None)

    def under(self, folder: str) -> list[str]:
        """The names in a folder."""
        return [name for name in self.names if name.startswith(folder)]

    # --- the environment ----------------------------------------------------------------------------------------

    def put(self, name: str, data: str, step: int) -> None:
        """A client writes a file of its own (a new inode)."""
        self.names[name] = Inode(data, harmed_at=step)
        self.touched_at[name] = step

    def harm(self, name: str, data: str | None, step: int) -> None:
        """The environment changes a file in place, or removes it (None)."""
        inode = self.names[name]
        for other in [
            other for other, same in self.names.items() if same is inode and (data is not None or other == name)
        ]:
            self.touched_at[other] = step
        if data is None:
            del self.names[name]
        else:
            inode.data, inode.harmed_at = data, step

    def flip(self, step: int, *, reachable: bool | None = None, mounted: bool | None = None) -> None:
        """The whole disk goes away or comes back."""
        self.reachable = self.reachable if reachable is None else reachable
        self.mounted = self.mounted if mounted is None else mounted
        self.flipped_at = step
