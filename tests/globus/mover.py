"""The part of the stand-in that works on tasks: it really copies, checks, retries, skips and fails."""

import hashlib
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.globus import documents
from tests.globus.documents import Doc
from tests.globus.world import World

AT_ONCE = 3
SLICE = 1 << 20
SKIPPABLE = {"FILE_NOT_FOUND", "PERMISSION_DENIED"}


class Fatal(Exception):
    """The task ends here."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(code)
        self.code, self.details = code, details


class Trouble(Exception):
    """An item did not work out now."""

    def __init__(self, code: str, path: str, message: str) -> None:
        super().__init__(code)
        self.code, self.details = code, f"Error (transfer)\nFile: {path}\nMessage: {message}\n"


def place(collection: Doc, path: str) -> Path:
    """Where a path of a collection lies here. Raises ValueError for one that leads out."""
    parts = PurePosixPath("/" + path.removeprefix("/~")).parts[1:]
    if ".." in parts:
        raise ValueError(path)
    return Path(collection["root"]).joinpath(*parts)


def checksum(file: Path, algorithm: str) -> str:
    """The checksum of what is stored, as the service names algorithms (MD5, SHA256)."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm.lower().replace("-", "")).hexdigest()


class Mover(threading.Thread):
    """Works on up to three tasks in turns, a slice at a time."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.world = world
        self.work: dict[str, Iterator[None]] = {}

    def run(self) -> None:
        """For ever."""
        while True:
            if not self._round():
                self.world.stirred.wait(0.02)
                self.world.stirred.clear()

    def _round(self) -> bool:
        ready = [task for task in self.world.live_tasks() if self._ready(task)]
        for task in ready[:AT_ONCE]:
            work = self.work.setdefault(task["id"], self._work(task))
            try:
                next(work)
            except StopIteration:
                self._end(task["id"], "SUCCEEDED", None)
            except Fatal as fatal:
                self._note(task["id"], fatal.code, fatal.details, is_error=True)
                self._end(task["id"], "FAILED", fatal)
        return bool(ready)

    def _ready(self, task: Doc) -> bool:
        """Whether the task may go on now; ends it when it is over, and says why it stands still."""
        key, now = task["id"], self.world.now()
        if task["cancelled"] and now >= task["cancelled"]:
            self._note(key, "CANCELED", "", is_error=True)
            self._end(key, "FAILED", Fatal("CANCELED", "The task was canceled"))
        elif now > task["deadline"]:
            self._note(key, "EXPIRED", "", is_error=True)
            self._end(key, "FAILED", Fatal("EXPIRED", "The deadline has passed"))
        else:
            return self._goes_on(task)
        return False

    def _goes_on(self, task: Doc) -> bool:
        ends = [self._collection(end) for end in (task["source"], task["destination"]) if end]
        paused = next((end["paused"] for end in ends if end["paused"]), None)
        offline = next((end for end in ends if not end["connected"]), None)
        inactive = next((end for end in ends if end["lapsed"]), None)
        if inactive:
            status, nice = "INACTIVE", "NO_CREDENTIALS"
        elif paused:
            status, nice = "ACTIVE", "PAUSED"
        elif offline:
            status, nice = "ACTIVE", "GC_NOT_CONNECTED"
        else:
            status, nice = "ACTIVE", "OK" if task["nice"] not in SKIPPABLE | {"QUOTA_EXCEEDED"} else task["nice"]
        if (task["status"], task["nice"], task["paused"]) != (status, nice, bool(paused)):
            if nice != "OK":
                self._note(task["id"], nice, str(paused or ""), is_error=not paused)
            self.world.change("task", task["id"], status=status, nice=nice, paused=bool(paused))
        return not (inactive or paused or offline)

    def _collection(self, key: str) -> Doc:
        return self.world.get("collection", key) or {}

    def _note(self, task: str, code: str, details: str, *, is_error: bool = False) -> None:
        self.world.note(task, documents.event(code, details, self.world.now(), is_error=is_error))

    def _end(self, task: str, status: str, fatal: Fatal | None) -> None:
        said = {"code": fatal.code, "description": fatal.details} if fatal else None
        if fatal is None:
            self._note(task, "SUCCEEDED", "")
        self.world.change("task", task, status=status, fatal=said, ended=self.world.now(), paused=False)
        self.work.pop(task, None)

    # --- one task ----------------------------------------------------------------------------------------------

    def _work(self, task: Doc) -> Iterator[None]:
        key = task["id"]
        self._note(key, "STARTED", "")
        while pending := self.world.items(key, "pending"):
            for number, item in pending:
                self._fail_if_told(key)
                try:
                    yield from (
                        self._delete(task, number, item) if task["type"] == "DELETE" else self._move(task, number, item)
                    )
                except Trouble as trouble:
                    self._suffer(task, number, trouble)
                yield
        self._fail_if_told(key)

    def _fail_if_told(self, key: str) -> None:
        row = self.world.get("task", key) or {}
        told = self.world.fault("fail", f"after {row['done']}")
        if told:
            raise Fatal(told["code"], told.get("details", "The service failed the task"))

    def _suffer(self, task: Doc, number: int, trouble: Trouble) -> None:
        self._note(task["id"], trouble.code, trouble.details, is_error=True)
        if trouble.code in SKIPPABLE and task["form"].get("skip_source_errors"):
            found = {"error_code": trouble.code, "error_details": trouble.details, "error_time": self.world.now()}
            self.world.settle_item(task["id"], number, "skipped", **found)
            return
        self.world.change("task", task["id"], nice=trouble.code)  # it stays active and is tried again
        time.sleep(0.02)

    def _delete(self, task: Doc, number: int, item: Doc) -> Iterator[None]:
        file = place(self._collection(task["source"]), item["path"])
        if file.is_dir():
            shutil.rmtree(file)
        elif file.exists():
            file.unlink()
        elif not task["form"].get("ignore_missing"):
            raise Fatal("FILE_NOT_FOUND", item["path"])
        self.world.settle_item(task["id"], number, "deleted")
        yield

    def _move(self, task: Doc, number: int, item: Doc) -> Iterator[None]:
        source = place(self._collection(task["source"]), item["source_path"])
        target = place(self._collection(task["destination"]), item["destination_path"])
        if self.world.fault("deny", item["source_path"]):
            raise Trouble("PERMISSION_DENIED", item["source_path"], "Path not allowed")
        if not source.is_file():
            raise Trouble("FILE_NOT_FOUND", item["source_path"], "No such file or directory")
        algorithm = str(item.get("checksum_algorithm") or "MD5")
        synced = task["form"].get("sync_level") in {3, "checksum"} and target.is_file()
        if synced and checksum(source, algorithm) == checksum(target, algorithm):
            self.world.settle_item(task["id"], number, "synced")
            return
        self._make_room(task, source.stat().st_size)
        yield from self._copy(item, source, target)
        sums = {"checksum": checksum(target, algorithm), "checksum_algorithm": algorithm}
        if task["form"].get("verify_checksum") and checksum(source, algorithm) != sums["checksum"]:
            raise Trouble("VERIFY_CHECKSUM", item["destination_path"], "Checksums of source and destination differ")
        if item.get("external_checksum") and item["external_checksum"].lower() != sums["checksum"]:
            details = (
                f"File: {item['destination_path']}\nExpected: {item['external_checksum']}\nFound: {sums['checksum']}"
            )
            told = "" if self.world.fault("mute", item["destination_path"]) else details
            raise Fatal("EXTERNAL_CHECKSUM_MISMATCH", told)
        self.world.settle_item(task["id"], number, "moved", size=target.stat().st_size, **sums)

    def _make_room(self, task: Doc, size: int) -> None:
        free = self._collection(task["destination"])["free"]
        if free is None:
            return
        if size > free:
            if task["form"].get("fail_on_quota_errors"):
                raise Fatal("QUOTA_EXCEEDED", f"{size} bytes needed, {free} free")
            raise Trouble("QUOTA_EXCEEDED", "", f"{size} bytes needed, {free} free")
        self.world.change("collection", task["destination"], free=free - size)

    def _copy(self, item: Doc, source: Path, target: Path) -> Iterator[None]:
        """Slice by slice, seen under its final name from the first one on."""
        before = source.stat()
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as reading, target.open("wb") as writing:
            while True:
                data = reading.read(SLICE)
                writing.write(data)
                writing.flush()
                if len(data) < SLICE:
                    break
                drag = self.world.fault("drag", item["source_path"])
                if drag:
                    time.sleep(drag["seconds"])
                yield
        if self.world.fault("change", item["source_path"]):
            with source.open("ab") as more:
                more.write(b"more")
        if self.world.fault("tear", item["destination_path"]):
            with target.open("r+b") as torn:
                first = torn.read(1)
                torn.seek(0)
                torn.write(bytes([first[0] ^ 1]))
        after = source.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Trouble("FILE_SIZE_CHANGED", item["source_path"], "The file changed while it was read")
