"""System calls that Python does not offer, and what an OSError means for a copy."""

import ctypes
import errno
import os
from collections.abc import Callable

from transfers.backends.base import BackendFailure
from transfers.rules.errors import ErrorCode, Side

_libc = ctypes.CDLL(None, use_errno=True)
_NOREPLACE, _EXCHANGE = 1, 2
_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV})

_CODES = {
    errno.EACCES: ErrorCode.PERMISSION_DENIED,
    errno.EPERM: ErrorCode.PERMISSION_DENIED,
    errno.ENOSPC: ErrorCode.NO_SPACE,
    errno.EDQUOT: ErrorCode.NO_SPACE,
    errno.EROFS: ErrorCode.READ_ONLY,
    errno.EIO: ErrorCode.IO_ERROR,
    errno.ENAMETOOLONG: ErrorCode.NAME_TOO_LONG,
    errno.EISDIR: ErrorCode.NOT_A_FILE,
    errno.ENXIO: ErrorCode.NOT_A_FILE,
    errno.ENOTDIR: ErrorCode.NAME_TAKEN,
    errno.EEXIST: ErrorCode.NAME_TAKEN,
    errno.ELOOP: ErrorCode.PATH_REFUSED,
    errno.ETIMEDOUT: ErrorCode.TIMEOUT,
    errno.EMFILE: ErrorCode.TOO_BUSY,
    errno.ENFILE: ErrorCode.TOO_BUSY,
    errno.ESTALE: ErrorCode.UNREACHABLE,
    errno.ENOTCONN: ErrorCode.UNREACHABLE,
    errno.EHOSTDOWN: ErrorCode.UNREACHABLE,
    errno.EHOSTUNREACH: ErrorCode.UNREACHABLE,
    errno.ENETUNREACH: ErrorCode.UNREACHABLE,
    errno.ENODEV: ErrorCode.UNREACHABLE,
}


def code_of(error: OSError) -> ErrorCode:
    """What an OSError says about the file in question. A missing name (ENOENT) is for the caller to judge."""
    return _CODES.get(error.errno or 0, ErrorCode.UNKNOWN)


def failure_of(error: OSError, side: Side) -> BackendFailure:
    """The same as an exception of the backends."""
    return BackendFailure(code_of(error), f"{errno.errorcode.get(error.errno or 0, '?')}: {error.strerror}", side)


def _renameat2(old_folder: int, old: str, new_folder: int, new: str, flag: int) -> bool:
    """False: the file system cannot do that. Raises OSError otherwise."""
    if not hasattr(_libc, "renameat2"):
        return False
    if _libc.renameat2(old_folder, os.fsencode(old), new_folder, os.fsencode(new), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), new)


def exchange(old_folder: int, old: str, new_folder: int, new: str) -> bool:
    """Swap two names in one step; False where the file system cannot. Raises OSError."""
    return _renameat2(old_folder, old, new_folder, new, _EXCHANGE)


def rename_to_free_name(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename, but never onto something. Raises FileExistsError, other OSError.

    Where the file system knows no such rename: link, then unlink; without links as well, a look before the rename.
    """
    if _renameat2(old_folder, old, new_folder, new, _NOREPLACE):
        return
    if link(old_folder, old, new_folder, new):
        os.unlink(old, dir_fd=old_folder)
        return
    try:
        os.stat(new, dir_fd=new_folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)


def link(old_folder: int, old: str, new_folder: int, new: str) -> bool:
    """A second name for the same bytes; False where the file system has none. Raises OSError."""
    try:
        os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in _UNSUPPORTED or error.errno == errno.EMLINK:
            return False
        raise
    return True


def sync_file_system(fd: int) -> None:
    """Everything written on the file system of `fd` is on its medium afterwards. Raises OSError."""
    if not hasattr(_libc, "syncfs"):
        os.sync()
        return
    if _libc.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _sync_range(fd: int, start: int, length: int, flags: int) -> None:
    call: Callable[..., int] | None = getattr(_libc, "sync_file_range", None)
    if call is not None and length > 0:
        call(fd, ctypes.c_int64(start), ctypes.c_int64(length), flags)


def start_writing(fd: int, start: int, length: int) -> None:
    """Let the system begin to write that range out. A hint: errors show at the sync."""
    _sync_range(fd, start, length, _WRITE)


def finish_writing(fd: int, start: int, length: int) -> None:
    """Wait until that range is written out, so that a later sync is short. A hint: errors show at the sync."""
    _sync_range(fd, start, length, _WAIT_BEFORE | _WRITE | _WAIT_AFTER)


def read_ahead(fd: int, length: int) -> None:
    """Let the system begin to read the first `length` bytes, without waiting for them. A hint."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, length, os.POSIX_FADV_WILLNEED)


def drop_cache(fd: int) -> None:
    """Forget the pages of this (synced) file, so that the next read comes from the medium where that is possible."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
