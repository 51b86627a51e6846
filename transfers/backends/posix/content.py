"""The bytes of one open file: copying them in slices, hashing them in one read."""

import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import FREE, Beat, Evidence, Failure, FileSpec, Meter, unattended
from transfers.backends.judging import check
from transfers.backends.posix.calls import drop_cache, finish_writing, read_ahead, start_writing

SLICE = 64 << 20
"""Bytes copied between two beats."""
BLOCK = 4 << 20
"""Bytes read at once for hashing."""
_SMALL = 256 << 10
_FILES_AHEAD, _READ_AHEAD = 16, 1 << 20

MID_WRITE = declare("posix.mid_write")


@dataclass(frozen=True)
class Opened:
    """A file open for reading, as it was when it was opened."""

    fd: int
    seen: os.stat_result


def ahead(
    specs: Iterable[FileSpec], opener: Callable[[FileSpec], Opened | Failure | None]
) -> Generator[tuple[FileSpec, Opened | Failure | None], None, None]:
    """The files in order, each opened some files before its turn, so that the medium is already bringing its bytes.

    Who takes an open file closes it; those not taken are closed here.
    """
    waiting: deque[tuple[FileSpec, Opened | Failure | None]] = deque()
    try:
        for spec in specs:
            opened = opener(spec)
            if isinstance(opened, Opened):
                read_ahead(opened.fd, min(opened.seen.st_size, _READ_AHEAD))
            waiting.append((spec, opened))
            if len(waiting) > _FILES_AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, opened in waiting:
            if isinstance(opened, Opened):
                os.close(opened.fd)


def seal_of(seen: os.stat_result) -> str:
    """Which bytes at rest these are: the file's number, its size, its last change."""
    return f"{seen.st_ino}:{seen.st_size}:{seen.st_mtime_ns}"


def copy(source: int, target: int, start: int, size: int, beat: Beat, meters: Sequence[Meter] = ()) -> int:
    """Bring bytes `start`..`size` of `source` to the same place in `target`, without touching file positions.

    Returns where it ended: less than `size` when the source is shorter. Large files are written out on the way, so
    that the sync at the end is short. Each slice passes all of `meters`. Raises OSError, Stopped.
    """
    at = start
    while at < size:
        length = min([SLICE, size - at, *(meter.piece(SLICE) for meter in meters)])
        for meter in meters:
            meter.take(length, beat)
        end = _copy_slice(source, target, at, length)
        if size > SLICE:
            start_writing(target, at, end - at)
            finish_writing(target, max(0, at - SLICE), at - max(0, at - SLICE))
            check(beat)
        failpoint(MID_WRITE)
        if end == at:
            break
        at = end
    return at


def _copy_slice(source: int, target: int, at: int, length: int) -> int:
    end = at + length
    if length > _SMALL:
        try:
            while at < end:
                done = os.copy_file_range(source, target, end - at, at, at)
                if not done:
                    break
                at += done
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}:
                raise
    while at < end:
        block = os.pread(source, min(BLOCK, end - at), at)
        if not block:
            break
        view = memoryview(block)
        while view:
            done = os.pwrite(target, view, at)
            at, view = at + done, view[done:]
    return at


def hash_file(fd: int, seen: os.stat_result, beat: Beat = unattended, meter: Meter = FREE) -> Evidence:
    """MD5 and SHA-256 of a file in one read; from the medium when the caller dropped its pages before.

    Large files are hashed by two threads while the next block is read. Raises OSError, Stopped.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size = 0
    if seen.st_size <= BLOCK:
        meter.take(seen.st_size, beat)
        while block := os.pread(fd, seen.st_size + 1, size):
            md5.update(block)
            sha256.update(block)
            size += len(block)
    else:
        with ThreadPoolExecutor(2) as pool:
            pending: list[Future[None]] = []
            for view in _blocks(fd, beat, meter):
                for future in pending:
                    future.result()
                pending = [pool.submit(md5.update, view), pool.submit(sha256.update, view)]
                size += len(view)
                check(beat)
        drop_cache(fd)
    return Evidence(size, md5.hexdigest(), sha256.hexdigest(), level=4, seal=seal_of(seen))


def _blocks(fd: int, beat: Beat, meter: Meter) -> Iterator[memoryview]:
    """The file in blocks. A block stays as it is until the next but one is asked for."""
    buffers = memoryview(bytearray(BLOCK)), memoryview(bytearray(BLOCK))
    at = turn = 0
    while True:
        room = buffers[turn][: meter.piece(BLOCK)]
        meter.take(len(room), beat)
        count = os.preadv(fd, [room], at)
        if not count:
            return
        yield room[:count]
        at, turn = at + count, 1 - turn
