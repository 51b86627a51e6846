"""Walking below one root and never out of it.

Every component is opened relative to its parent without following symbolic links, so nobody can swap one in
between. A link is resolved by hand and accepted when it stays inside the root.
"""

import errno
import os
import stat
from types import TracebackType
from typing import Self

from transfers.backends.base import FREE, BackendFailure, Meter
from transfers.backends.paths import CANARY, DEEPEST, OURS, Parts
from transfers.backends.posix.calls import failure_of
from transfers.rules.errors import ErrorCode, Side

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LINKS_AT_MOST = 8
_FOLDERS_OPEN = 256
"""More than one resolution can touch: a folder just asked for is not closed by asking for another one."""


def names_in(folder: int) -> list[str]:
    """The names in an open folder, unordered. Raises OSError."""
    return os.listdir(folder)


class Tree:
    """The folders below one root, held open for the length of one operation. Use as a context manager.

    Raises BackendFailure(UNREACHABLE) on entering when the root cannot be opened, and OSError or
    BackendFailure(PATH_REFUSED) from its methods. `side` says whose failure it is, `meter` what may flow.
    """

    def __init__(self, root: str, side: Side = Side.DESTINATION, meter: Meter = FREE) -> None:
        self.root, self.side, self.meter = root, side, meter
        self.created: set[Parts] = set()
        """Folders in which this operation made a folder: they want a sync."""
        self._open: dict[Parts, int] = {}

    def __enter__(self) -> Self:
        try:
            self._open[()] = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            code = ErrorCode.PERMISSION_DENIED if error.errno == errno.EACCES else ErrorCode.UNREACHABLE
            raise BackendFailure(code, f"{self.root}: {error.strerror}", self.side) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    @property
    def root_fd(self) -> int:
        """The root itself."""
        return self._open[()]

    def folder(self, parts: Parts, *, create: bool = False) -> int:
        """The open folder `parts`. Ask again before each use: the tree closes those not used for long.

        Raises FileNotFoundError when it is not there and not to be created.
        """
        if not parts:
            return self._open[()]
        known = self._open.pop(parts, None)
        if known is not None:
            self._open[parts] = known
            return known
        fd = self._walk(parts, create=create)
        self._remember(parts, fd)
        return fd

    def open(self, parts: Parts) -> tuple[int, os.stat_result]:
        """The regular file `parts`, open for reading, with its stat. The caller closes it.

        Raises FileNotFoundError, NOT_A_FILE, OSError.
        """
        fd = self._open_file(parts)
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode):
            os.close(fd)
            raise BackendFailure(ErrorCode.NOT_A_FILE, "/".join(parts), self.side)
        return fd, seen

    def look(self, parts: Parts) -> os.stat_result:
        """Stat of what the name leads to inside the root. Raises FileNotFoundError only when the name itself is not
        there: a link that leads nowhere is NOT_A_FILE."""
        try:
            seen = os.stat(parts[-1], dir_fd=self.folder(parts[:-1]), follow_symlinks=False)
        except NotADirectoryError:
            seen = None
        if seen is not None and not stat.S_ISLNK(seen.st_mode):
            return seen
        real = self._resolve(parts)
        try:
            return os.stat(real[-1], dir_fd=self.folder(real[:-1]), follow_symlinks=False)
        except FileNotFoundError as error:
            raise BackendFailure(ErrorCode.NOT_A_FILE, f"{'/'.join(parts)} is a dead link", self.side) from error

    def _open_file(self, parts: Parts) -> int:
        try:
            return os.open(parts[-1], _READ, dir_fd=self.folder(parts[:-1]))
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                raise
        real = self._resolve(parts)
        try:
            return os.open(real[-1], _READ, dir_fd=self.folder(real[:-1]))
        except FileNotFoundError as error:
            raise BackendFailure(ErrorCode.NOT_A_FILE, f"{'/'.join(parts)} is a dead link", self.side) from error

    def _walk(self, parts: Parts, *, create: bool) -> int:
        parent = self.folder(parts[:-1], create=create)
        try:
            return os.open(parts[-1], _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not create:
                raise
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                raise
            real = self._resolve(parts)
            if real == parts:
                raise
            return os.dup(self.folder(real, create=create))
        try:
            os.mkdir(parts[-1], dir_fd=parent)
            self.created.add(parts[:-1])
        except FileExistsError:
            pass
        return os.open(parts[-1], _FOLDER, dir_fd=parent)

    def _resolve(self, parts: Parts) -> Parts:
        """The same place without links on the way. Raises PATH_REFUSED when a link leads out of the root."""
        todo, done, links = list(reversed(parts)), list[str](), 0
        while todo:
            name = todo.pop()
            target = None
            if name == "..":
                if not done:
                    raise self._refusal(parts)
                done.pop()
            elif name not in {"", "."}:
                target = self._link_target(tuple(done), name)
                if target is None:
                    done.append(name)
                elif target.startswith("/"):
                    target, done = self._relative(target), []
            links += target is not None
            if links > _LINKS_AT_MOST or len(done) > DEEPEST:
                raise self._refusal(parts)
            todo.extend(reversed(target.split("/")) if target else ())
        if not done or done[0].startswith(OURS):
            raise self._refusal(parts)
        return tuple(done)

    def _link_target(self, folder: Parts, name: str) -> str | None:
        try:
            return os.readlink(name, dir_fd=self.folder(folder))
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def _relative(self, target: str) -> str:
        base = self.root if target.startswith(f"{self.root}/") else os.path.realpath(self.root)
        return os.path.relpath(target, base)

    def _refusal(self, parts: Parts) -> BackendFailure:
        return BackendFailure(ErrorCode.PATH_REFUSED, f"{'/'.join(parts)} leads out of the root", self.side)

    def _remember(self, parts: Parts, fd: int) -> None:
        if len(self._open) >= _FOLDERS_OPEN:
            oldest = next(key for key in self._open if key)
            os.close(self._open.pop(oldest))
        self._open[parts] = fd

    # --- the canary ----------------------------------------------------------------------------------------------

    def read_canary(self) -> str | None:
        """What marks this root; None when nothing does. Raises BackendFailure when that cannot be seen."""
        try:
            fd = os.open(CANARY, _READ, dir_fd=self.root_fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise failure_of(error, self.side) from error
        try:
            return os.read(fd, 200).decode(errors="replace").strip()
        except OSError as error:
            raise failure_of(error, self.side) from error
        finally:
            os.close(fd)

    def check_canary(self, expected: str | None) -> str:
        """The mark, which has to be `expected`. Raises CANARY_MISSING, CANARY_WRONG, and what reading it gives."""
        found = self.read_canary()
        if found is None or expected is None:
            detail = "no marker at the root" if found is None else "the repository has no marker on record"
            raise BackendFailure(ErrorCode.CANARY_MISSING, detail, self.side)
        if found != expected:
            raise BackendFailure(ErrorCode.CANARY_WRONG, f"marked {found!r}, expected {expected!r}", self.side)
        return found
