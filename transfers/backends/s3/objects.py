"""Single objects: seeing, reading, hashing, writing and removing them."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from transfers.backends.base import FREE, BackendFailure, Beat, Evidence, Meter, Reader, unattended
from transfers.backends.parallel import in_order
from transfers.backends.s3.answers import UNREADABLE, broken_off, whole
from transfers.backends.s3.errors import failure_of, is_absent, is_refused_condition, is_unknown_condition, said
from transfers.backends.s3.place import Place
from transfers.rules.errors import ErrorCode, Side

PART_BYTES = 8 << 20
"""The smallest part of a large object, and the largest object that is sent in one request."""
PARTS_AT_MOST = 9_000
MEMORY_BYTES = 128 << 20
"""What the parts under way may hold together."""
KEPT_BYTES = 128 << 20
"""What small objects may hold between their proof and their naming."""
_AHEAD = 4
_READS = 3
OPAQUE = "opaque:"
"""Marks the seal of an object whose ETag is not made of MD5s (encrypted by a key service, or in unknown parts)."""


@dataclass(frozen=True)
class Seen:
    """An object as it is listed: `etag` without quotes; `modified` in ns since 1970."""

    size_bytes: int
    etag: str
    modified_ns: int


def part_bytes(size_bytes: int) -> int:
    """How large the parts of an object of this size are: always the same for the same size."""
    least = -(-size_bytes // PARTS_AT_MOST)
    return max(PART_BYTES, -(-least // (1 << 20)) << 20)


def pieces(size_bytes: int) -> list[tuple[int, int]]:
    """(start, length) of each part."""
    step = part_bytes(size_bytes)
    return [(start, min(step, size_bytes - start)) for start in range(0, size_bytes, step)]


def sha256_of(data: bytes) -> str:
    """As S3 wants it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class Objects:
    """The objects of one place. Failures are of `side`; bytes that are sent and read pass `meter`."""

    def __init__(self, place: Place, side: Side = Side.DESTINATION, meter: Meter = FREE) -> None:
        self.place, self.side, self.meter = place, side, meter

    def ask(self, operation: str, **arguments: Any) -> Any:
        """One request to the bucket. Raises ClientError, BotoCoreError, BackendFailure."""
        call = getattr(self.place.client(self.side), operation)
        try:
            answer = call(Bucket=self.place.bucket, **arguments)
        except UNREADABLE as error:
            raise broken_off(self.place.endpoint) from error
        return whole(operation, answer, self.place.endpoint)

    def pages(self, operation: str, **arguments: Any) -> Iterator[Any]:
        """All pages of a listing. Raises BackendFailure."""
        try:
            pages = self.place.client(self.side).get_paginator(operation)
            for page in pages.paginate(Bucket=self.place.bucket, **arguments):
                yield whole(operation, page, self.place.endpoint)
        except UNREADABLE as error:
            raise failure_of(broken_off(self.place.endpoint), self.side) from error
        except (ClientError, BotoCoreError) as error:
            raise failure_of(error, self.side) from error

    def look(self, key: str) -> Seen | None:
        """What has this key; None: nothing. Raises BackendFailure."""
        try:
            answer = self.ask("head_object", Key=key)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and is_absent(error):
                return None
            raise failure_of(error, self.side) from error
        return Seen(answer["ContentLength"], _bare(answer["ETag"]), _nanoseconds(answer["LastModified"]))

    def beginning(self, key: str, length: int) -> bytes | None:
        """The first bytes of what has this key; None: nothing. Raises BackendFailure."""
        try:
            return bytes(self.ask("get_object", Key=key, Range=f"bytes=0-{length - 1}")["Body"].read())
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and is_absent(error):
                return None
            raise failure_of(error, self.side) from error

    def listed(self, prefix: str, **arguments: Any) -> Iterator[tuple[str, Seen]]:
        """Every object whose key begins so, in the order of keys. Raises BackendFailure."""
        for page in self.pages("list_objects_v2", Prefix=prefix, **arguments):
            for one in page.get("Contents", ()):
                yield one["Key"], Seen(one["Size"], _bare(one["ETag"]), _nanoseconds(one["LastModified"]))

    def read(self, key: str, seen: Seen, start: int, length: int) -> bytes:
        """These bytes of the very object that was seen. Raises BackendFailure: SOURCE_UNSTABLE when it is another by now."""
        if not length:
            return b""
        for left in reversed(range(_READS)):
            self.meter.take(length)
            try:
                found = self.ask(
                    "get_object", Key=key, Range=f"bytes={start}-{start + length - 1}", IfMatch=f'"{seen.etag}"'
                )
                return bytes(found["Body"].read())
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError):
                    if is_absent(error) or is_refused_condition(error) or said(error)[1] == 416:
                        raise BackendFailure(ErrorCode.SOURCE_UNSTABLE, f"{key} was changed", self.side) from error
                    raise failure_of(error, self.side) from error
                if not left:  # a body cut short is asked for again: botocore repeats only whole answers
                    raise failure_of(error, self.side) from error
        raise AssertionError

    def evidence(self, key: str, seen: Seen, beat: Beat = unattended, kept: "Kept | None" = None) -> Evidence:
        """The stored bytes read back and hashed. Those of a small object are put into `kept`. Raises BackendFailure, Stopped."""
        hashes = Hashes()
        todo = pieces(seen.size_bytes)
        if len(todo) <= 1:
            data = self.read(key, seen, 0, seen.size_bytes)
            hashes.update(data)
            if kept is not None and len(data) == seen.size_bytes:
                kept.add(key, data, hashes.evidence(seen.etag))
        else:
            read = in_order(lambda piece: self.read(key, seen, *piece), todo, beat, _AHEAD)
            hashes.update_all(read)
        if hashes.size_bytes != seen.size_bytes:
            raise BackendFailure(ErrorCode.SOURCE_UNSTABLE, f"{key} ended early", self.side)
        return hashes.evidence(seen.etag)

    def put(self, key: str, data: bytes, sha256: str | None = None, **condition: str) -> str:
        """Write an object in one request, its SHA-256 checked by the service; its ETag. `sha256`: in hex, where it is known what
        these bytes have to be.

        Raises BackendFailure, and ConditionRefused when the condition did not hold.
        """
        self.meter.take(len(data))
        checksum = sha256_of(data) if sha256 is None else base64.b64encode(bytes.fromhex(sha256)).decode()
        try:
            return _bare(
                conditionally(
                    lambda **given: self.ask("put_object", Key=key, Body=data, ChecksumSHA256=checksum, **given),
                    condition,
                )["ETag"]
            )
        except (ClientError, BotoCoreError) as error:
            raise failure_of(error, self.side) from error

    def remove(self, prefixes: Iterable[str], wanted: Callable[[str], bool]) -> None:
        """Remove objects of ours with all their versions, so that nothing of them is paid for; where versions may not be
        removed, a later one hides them. Raises BackendFailure."""
        found: list[dict[str, str]] = []
        for prefix in prefixes:
            for page in self.pages("list_object_versions", Prefix=prefix):
                rows = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                found += [{name: row[name] for name in ("Key", "VersionId")} for row in rows if wanted(row["Key"])]
        refused = self._delete(found)
        if refused:
            self._delete([{"Key": key} for key in sorted({one["Key"] for one in refused})])

    def hide(self, key: str, seen: Seen) -> None:
        """Remove the very object that was seen; in a bucket with versions it stays as an older one. Raises BackendFailure:
        SOURCE_UNSTABLE when it is another by now."""
        try:
            conditionally(lambda **given: self.ask("delete_object", Key=key, **given), {"IfMatch": f'"{seen.etag}"'})
        except ConditionRefused as error:
            raise BackendFailure(ErrorCode.SOURCE_UNSTABLE, f"{key} was changed", self.side) from error
        except (ClientError, BotoCoreError) as error:
            raise failure_of(error, self.side) from error

    def _delete(self, objects: list[dict[str, str]]) -> list[dict[str, str]]:
        refused: list[dict[str, str]] = []
        for start in range(0, len(objects), 1000):
            part = objects[start : start + 1000]
            try:
                answer = self.ask("delete_objects", Delete={"Objects": part, "Quiet": True})
            except (ClientError, BotoCoreError) as error:
                raise failure_of(error, self.side) from error
            refused += answer.get("Errors", [])
        return refused


class ConditionRefused(Exception):
    """Something else has the key, or not what was expected has it. Nothing was written."""


def conditionally(ask: Callable[..., Any], condition: dict[str, str]) -> Any:
    """Ask with the condition; without it where the service does not know such conditions. Raises ConditionRefused,
    ClientError."""
    try:
        return ask(**condition)
    except ClientError as error:
        if condition and is_unknown_condition(error):
            return ask()
        if condition and is_refused_condition(error):
            raise ConditionRefused from error
        raise


class Kept:
    """Small objects as they were read back for their proof, until they are written to their final keys: they need not be read a
    second time. Bounded; what is not here is read."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[bytes, Evidence]] = {}
        self._room = KEPT_BYTES
        self._lock = threading.Lock()

    def add(self, key: str, data: bytes, evidence: Evidence) -> None:
        """Keep it if there is room."""
        with self._lock:
            self._drop(key)
            if len(data) <= self._room:
                self._found[key] = data, evidence
                self._room -= len(data)

    def take(self, key: str, evidence: Evidence) -> bytes | None:
        """The bytes that gave this evidence, once; None: not kept."""
        with self._lock:
            found = self._drop(key)
        return found[0] if found is not None and found[1] == evidence else None

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._found.clear()
            self._room = KEPT_BYTES

    def _drop(self, key: str) -> tuple[bytes, Evidence] | None:
        found = self._found.pop(key, None)
        self._room += len(found[0]) if found is not None else 0
        return found


class Hashes:
    """MD5 and SHA-256 of what is read, and the ETag that a service gives to these bytes in our parts."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._md5, self._sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self._parts: list[bytes] = []

    def update(self, part: bytes) -> None:
        """The next part."""
        self._md5.update(part)
        self._sha256.update(part)
        if self._parts:
            self._note(part)
        else:  # of the first part both are the same
            self._parts.append(self._md5.digest())
            self.size_bytes += len(part)

    def update_all(self, parts: Iterable[bytes]) -> None:
        """The next parts, by three threads."""
        with ThreadPoolExecutor(3) as pool:
            pending: list[Future[None]] = []
            for part in parts:
                for future in pending:
                    future.result()
                pending = [pool.submit(work, part) for work in (self._md5.update, self._sha256.update, self._note)]
            for future in pending:
                future.result()

    def _note(self, part: bytes) -> None:
        self._parts.append(hashlib.md5(part, usedforsecurity=False).digest())
        self.size_bytes += len(part)

    def evidence(self, etag: str) -> Evidence:
        """What was read from the object with this ETag, which is its seal; marked where it says nothing about the bytes."""
        md5 = self._md5.hexdigest()
        joined = hashlib.md5(b"".join(self._parts), usedforsecurity=False).hexdigest()
        telling = etag in {md5, f"{joined}-{len(self._parts)}"}
        return Evidence(self.size_bytes, md5, self._sha256.hexdigest(), 4, etag if telling else f"{OPAQUE}{etag}")


class ObjectReader(Reader):
    """An object as the source of a copy."""

    def __init__(self, objects: Objects, key: str, seen: Seen) -> None:
        self.objects, self.key, self.seen = objects, key, seen
        self.size_bytes = seen.size_bytes

    def read(self, start: int, length: int) -> bytes:
        return self.objects.read(self.key, self.seen, start, length)

    def unchanged(self) -> bool:
        now = self.objects.look(self.key)
        return now is not None and (now.etag, now.size_bytes) == (self.seen.etag, self.seen.size_bytes)


def _bare(etag: str) -> str:
    return etag.strip('"')


def _nanoseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1_000_000_000)
