"""The few calls on one collection that all else is made of, with the service's errors as ours."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

from globus_sdk import GlobusAPIError, GlobusError, TransferClient

from transfers.backends.base import BackendFailure, Stat
from transfers.backends.globus.errors import exists_already, failure_of, is_absent
from transfers.backends.globus.place import Place
from transfers.rules.errors import ErrorCode, Side

MARKS = ".alyx-marks"
"""A folder whose one folder is named after the canary: contents of files cannot be read through Transfer."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Seen:
    """An entry of a folder. Times to the second: the service gives no more."""

    name: str
    folder: bool
    regular: bool
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, document: Mapping[str, Any], name: str = "") -> Self:
        """From a `file` document."""
        at = datetime.fromisoformat(str(document["last_modified"]))
        kind, size = document["type"], int(document.get("size") or 0)
        return cls(
            name or str(document["name"]), kind == "dir", kind == "file", size, int(at.timestamp()) * 1_000_000_000
        )

    @property
    def seal(self) -> str:
        """Size and time of the last change, in one word."""
        return f"{self.size_bytes}-{self.modified_ns // 1_000_000_000}"

    @property
    def stat(self) -> Stat:
        """As the engine wants it."""
        return Stat(self.size_bytes, self.modified_ns)


class Collection:
    """Our folder of a collection. Paths are below it; every method raises BackendFailure."""

    def __init__(self, place: Place, side: Side = Side.DESTINATION) -> None:
        self.place, self.side = place, side
        self._made: set[str] = set()

    def _ask(self, call: Callable[[TransferClient], Answer]) -> Answer | None:
        """An answer; None when the path is not there."""
        try:
            return call(self.place.client(self.side))
        except GlobusAPIError as error:
            if is_absent(error):
                return None
            raise failure_of(error, self.side, self.place.credential) from error
        except GlobusError as error:
            raise failure_of(error, self.side, self.place.credential) from error

    @contextmanager
    def client(self) -> Iterator[TransferClient]:
        """The client, for calls on tasks."""
        try:
            yield self.place.client(self.side)
        except GlobusError as error:
            raise failure_of(error, self.side, self.place.credential) from error

    def look(self, path: str) -> Seen | None:
        """What has this name."""
        where = self.place.path(path)
        found = self._ask(lambda client: client.operation_stat(self.place.collection, path=where))
        return None if found is None else Seen.of(found.data, path.rsplit("/", 1)[-1])

    def entries(self, folder: str) -> list[Seen] | None:
        """The entries of a folder by name; None when there is no such folder."""
        where = self.place.path(folder)
        found = self._ask(lambda client: client.operation_ls(self.place.collection, path=where, show_hidden=True))
        return None if found is None else sorted((Seen.of(one) for one in found), key=lambda seen: seen.name)

    def make_folder(self, path: str) -> None:
        """A folder with all above it; one that is there already is as good."""
        if not path or path in self._made:
            return
        where = self.place.path(path)
        try:
            made = self._ask(lambda client: client.operation_mkdir(self.place.collection, where))
        except BackendFailure as failure:
            if isinstance(failure.__cause__, GlobusAPIError) and exists_already(failure.__cause__):
                self._made.add(path)
                return
            raise
        if made is None:
            above = path.rpartition("/")[0]
            if not above:
                raise BackendFailure(ErrorCode.CANARY_MISSING, f"no folder {self.place.folder}", self.side)
            self.make_folder(above)
            self.make_folder(path)
        self._made.add(path)

    def forget_folders(self) -> None:
        """Folders that were made may be gone."""
        self._made.clear()

    def rename(self, old: str, new: str) -> bool:
        """Give another name; False when nothing has the old one. The caller has looked that the new one is free."""
        names = self.place.path(old), self.place.path(new)
        return self._ask(lambda client: client.operation_rename(self.place.collection, *names)) is not None

    def document(self) -> dict[str, Any]:
        """The collection's own description."""
        found = self._ask(lambda client: client.get_endpoint(self.place.collection))
        if found is None:
            raise BackendFailure(ErrorCode.CANARY_MISSING, f"no collection {self.place.collection}", self.side)
        return dict(found.data)

    def pauses(self) -> list[str]:
        """What administrators say who paused transfers here."""
        found = self._ask(lambda client: client.my_effective_pause_rule_list(self.place.collection))
        rules = found["DATA"] if found is not None else []
        holding = ("pause_task_transfer_read", "pause_task_transfer_write")
        return [str(rule.get("message") or "") for rule in rules if any(rule.get(way) for way in holding)]

    # --- the mark ----------------------------------------------------------------------------------------------

    def marks(self) -> list[str]:
        """Whose root this is."""
        return [seen.name for seen in self.entries(MARKS) or [] if seen.folder]

    def check_mark(self, canary: str | None) -> str:
        """The mark, when it is the right one. Raises CANARY_MISSING, CANARY_WRONG."""
        found = self.marks()
        if not found or canary is None:
            raise BackendFailure(ErrorCode.CANARY_MISSING, f"no mark in {self.place.path(MARKS)}", self.side)
        if found != [canary]:
            raise BackendFailure(ErrorCode.CANARY_WRONG, f"the root is marked {', '.join(found)}", self.side)
        return canary
