"""The clients' cache tables as zip files below `ALYX_CACHE_DIR`: what ONE needs to search without the server.

A zip is the truth about itself: `cache_info.json` in it says when it was made and of what rows (a fingerprint), so no other
record can disagree. It appears whole by a rename; a build that dies leaves the old one. Whoever builds holds an
advisory lock, and reads all tables from one snapshot.
"""

import hashlib
import json
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import pyarrow.parquet as pq
from django.conf import settings
from django.db import connection, transaction
from django.utils.crypto import salted_hmac
from pyarrow import RecordBatch

from alyx.core import clock
from alyx.core.reading import Reach, reach_of
from datasets.exports.cache_rows import TABLES, Table, batches, fingerprint
from datasets.models import Tag

INFO = "cache_info.json"
MIN_API_VERSION = "3.0.0"
"""Of ONE: the first that takes text UUIDs, QC and no session paths without patching."""
LAYOUT = 1
"""Counts changes of the columns: the next build then makes tables of unchanged rows anew."""
SMALL = 1_000_000
"""Datasets that a request may wait for: some seconds."""
_DAY_S = 86_400.0

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Scope:
    """Which datasets a set of tables lists: all, those with a public tag, or those with one tag.

    For a reader of some labs and projects (`within`), only theirs.
    """

    tag: Tag | None = None
    public: bool = False
    within: Reach | None = None

    @classmethod
    def of(cls, reader: Any, tag: Tag | None = None) -> "Scope":
        """What this reader gets."""
        reach = reach_of(reader)
        if reach.is_public:
            return cls(tag, public=tag is None)
        return cls(tag, within=None if reach.everything else reach)

    @property
    def condition(self) -> str:
        """Its name among `cache_rows.CONDITIONS`."""
        if self.within is not None:
            return "tag within" if self.tag else "within"
        return "tag" if self.tag else "public" if self.public else "all"

    @property
    def is_public(self) -> bool:
        """Whether everybody may have these tables."""
        return self.within is None and (self.public or bool(self.tag and self.tag.public))

    @property
    def file(self) -> Path:
        """Its zip. A tag's has the tag's UUID as name: a tag may be called anything, and be renamed."""
        name = str(self.tag.pk) if self.tag else self.condition
        if self.within is None:
            return folder() / f"{name}.zip"
        keys = " ".join(str(key) for one in (self._labs, self._projects) for key in [*one, "and"])
        return folder() / f"{name}{_OF_SOME}{hashlib.sha256(keys.encode()).hexdigest()[:32]}.zip"

    @property
    def _labs(self) -> list[UUID]:
        return sorted(self.within.labs) if self.within else []

    @property
    def _projects(self) -> list[UUID]:
        return sorted(self.within.projects) if self.within else []

    @property
    def parameters(self) -> Mapping[str, Any]:
        """For the SQL."""
        return {"tag": self.tag.pk if self.tag else None, "labs": self._labs, "projects": self._projects}

    @property
    def message(self) -> dict[str, Any]:
        """For a job; `from_message` reads it."""
        return {
            "tag": str(self.tag.pk) if self.tag else None,
            "public": self.public,
            "within": None
            if self.within is None
            else {"labs": [str(key) for key in self._labs], "projects": [str(key) for key in self._projects]},
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> "Scope | None":
        """The scope of a job; None when its tag is gone."""
        tag = Tag.objects.filter(pk=message["tag"]).first() if message["tag"] else None
        if message["tag"] and tag is None:
            return None
        keys = message["within"]
        within = None if keys is None else Reach(labs=_keys(keys["labs"]), projects=_keys(keys["projects"]))
        return cls(tag, message["public"], within)

    @property
    def said(self) -> dict[str, Any]:
        """What the metadata say about it. Untagged tables name no tags at all: ONE fails on an empty list."""
        return {"database_tags": [self.tag.name]} if self.tag else {}


def _keys(texts: Sequence[str]) -> frozenset[UUID]:
    return frozenset(UUID(text) for text in texts)


_OF_SOME = "-of-"
EVERYTHING = Scope()
PUBLIC = Scope(public=True)


@dataclass(frozen=True)
class Built:
    """What `build` did."""

    info: Mapping[str, Any]
    is_new: bool


def folder() -> Path:
    """Where the zips lie."""
    return Path(settings.ALYX_CACHE_DIR)


def origin() -> str:
    """The name of this instance, for clients that know several: its address, else one derived from its secret key."""
    return str(settings.ALYX_URL) or f"alyx-{salted_hmac('cache tables', 'origin').hexdigest()[:12]}"


def read_info(scope: Scope) -> dict[str, Any] | None:
    """What the zip says about itself; None when there is none that can be read."""
    try:
        with scope.file.open("rb") as file:
            return info_of(file)
    except FileNotFoundError:
        return None


def info_of(file: IO[bytes]) -> dict[str, Any] | None:
    """What an open zip says about itself; None for one that is damaged."""
    try:
        with zipfile.ZipFile(file) as zipped:
            info: dict[str, Any] = json.loads(zipped.read(INFO))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError):
        return None
    return info


def scopes() -> list[Scope]:
    """Everything, and what somebody has asked for once: those are kept fresh.

    Tables of a reader of some labs are made anew when they are asked for (`is_fresh`).
    """
    keys = [UUID(file.stem) for file in folder().glob("*.zip") if _UUID.fullmatch(file.stem)]
    public = [PUBLIC] if PUBLIC.file.exists() else []
    return [EVERYTHING, *public, *(Scope(tag) for tag in Tag.objects.filter(pk__in=keys).order_by("name"))]


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def published(scope: Scope) -> str | None:
    """The public address of these very tables, when they have been put elsewhere (`say_published`)."""
    if not scope.is_public:
        return None
    try:
        said = json.loads(_notice(scope).read_text())
        return str(said["address"]) if said["of"] == _stamp(scope) else None
    except (FileNotFoundError, ValueError, KeyError):
        return None


@contextmanager
def say_published(scope: Scope, address: str) -> Iterator[None]:
    """Clients are told the address when the body, which puts the tables there, went well; not when they were made anew meanwhile."""
    of = _stamp(scope)
    yield
    with _replacing(_notice(scope)) as file:
        file.write(json.dumps({"of": of, "address": address}).encode())


def _notice(scope: Scope) -> Path:
    return scope.file.with_suffix(".published.json")


def _stamp(scope: Scope) -> str:
    found = scope.file.stat()
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"


def is_fresh(scope: Scope) -> bool:
    """Whether the zip is there and need not be looked at again: what the job keeps fresh, and what was made just now."""
    try:
        made = scope.file.stat().st_mtime
    except FileNotFoundError:
        return False
    return scope.within is None or time.time() - made < _FRESH_S


_FRESH_S = 600.0


def is_small() -> bool:
    """Whether the registry's tables are made while a request waits. By PostgreSQL's own estimate, which costs nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'datasets_dataset'::regclass")
        return bool(cursor.fetchone()[0] < SMALL)


def build(
    scope: Scope = EVERYTHING, *, wait: bool = True, progress: Progress = lambda what, done, total: None
) -> Built | None:
    """Make the tables of this scope, unless they would say what they say already.

    Args:
        scope: of which datasets.
        wait: for another builder of the same tables; else the answer is None when there is one.
        progress: told the table, rows written and rows expected.
    """
    folder().mkdir(parents=True, exist_ok=True)
    with _only_builder(scope, wait=wait) as alone:
        if not alone:
            return None
        before = read_info(scope)
        with _snapshot():
            rows = f"{LAYOUT} {origin()} {scope.said} {fingerprint(scope.condition, scope.parameters)}"
            if before is not None and before.get("fingerprint") == rows:
                return Built(before, is_new=False)
            about = {
                "date_created": _date_created(before),
                "origin": origin(),
                "min_api_version": MIN_API_VERSION,
                **scope.said,
            }
            with _replacing(scope.file) as file, zipfile.ZipFile(file, "w") as zipped:
                tables = {table.name: _write(zipped, table, scope, about, progress) for table in TABLES}
                info = {**about, "tables": tables, "fingerprint": rows}
                zipped.writestr(INFO, json.dumps(info, indent=1))
    return Built(info, is_new=True)


def _date_created(before: Mapping[str, Any] | None) -> str:
    """Now, naive UTC by the minute, and later than the tables before: ONE takes less than a minute for the same."""
    now = clock.now().replace(tzinfo=None, second=0, microsecond=0)
    if before is not None:
        now = max(now, datetime.fromisoformat(before["date_created"]) + timedelta(minutes=1))
    return now.isoformat(sep=" ", timespec="minutes")


def _write(
    zipped: zipfile.ZipFile, table: Table, scope: Scope, about: Mapping[str, Any], progress: Progress
) -> dict[str, int]:
    """One table, batch by batch, straight into the zip; how many rows and bytes it has."""
    schema, rows, expected = table.schema(about), 0, _expected(table)
    coded = [name for name in schema.names if name not in table.unique_columns]
    progress(table.name, 0, expected)
    # Stored as it is: Parquet's own compression has done the work.
    with (
        zipped.open(name := f"{table.name}.pqt", "w", force_zip64=True) as file,
        pq.ParquetWriter(file, schema, compression="snappy", use_dictionary=coded) as writer,
    ):
        for arrays in batches(table, scope.condition, scope.parameters):
            writer.write_batch(RecordBatch.from_arrays(arrays, schema=schema))
            rows += len(arrays[0])
            progress(table.name, rows, max(rows, expected))
    progress(table.name, rows, rows)
    return {"nrecs": rows, "size": zipped.getinfo(name).file_size}


def _expected(table: Table) -> int:
    relation = {"sessions": "lab_sessions_session", "insertions": "lab_sessions_probeinsertion"}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = %s::regclass",
            [relation.get(table.name, "datasets_dataset")],
        )
        return int(cursor.fetchone()[0])


@contextmanager
def _only_builder(scope: Scope, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of this scope's builder; False when somebody else holds it and we do not wait."""
    name = f"cache tables {scope.file.name}"
    verb = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {verb}(hashtextextended(%s, 0))", [name])
        alone = cursor.fetchone()[0] is not False
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


@contextmanager
def _snapshot() -> Iterator[None]:
    """All tables as of one moment. Inside a transaction of the caller's, its own view holds."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL work_mem = '64MB'")
        cursor.execute("SET LOCAL jit = off")  # compiling takes longer than the query
        cursor.execute("SET LOCAL enable_hashagg = off")  # groups come sorted, and rows in them as they were sorted
        yield


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A new file that becomes `target` when all went well, else nothing."""
    _sweep(target.parent)
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=_PART, dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)  # a proxy may read it
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


_PART = ".part"


def _sweep(place: Path) -> None:
    """Remove what builders left that died a day ago or earlier."""
    for part in place.glob(f"*{_PART}"):
        try:
            if part.stat().st_mtime < time.time() - _DAY_S:
                part.unlink()
        except FileNotFoundError:
            continue
