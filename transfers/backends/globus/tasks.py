"""How tasks stand, and what became of each file, by the service's own records.

Only the status of a task is final. What it says of files is read once the task has ended; the lists may come later than the
status, so for a quarter of an hour fewer entries than the task counts are not believed. Afterwards a file that is in no
list is unknown.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from globus_sdk import GlobusAPIError, TransferClient

from transfers.backends.base import Evidence, Failure, Moved, Remote, RemoteState
from transfers.backends.globus.collection import Collection
from transfers.backends.globus.errors import QUIET, named, of_event
from transfers.backends.globus.staging import read_name
from transfers.backends.paths import STAGING
from transfers.rules.errors import ErrorCode, Side

LISTS_FOLLOW_WITHIN = timedelta(minutes=15)
_IDS_AT_ONCE = 100
_EVENTS = 1000
_ENDED = {"SUCCEEDED": RemoteState.SUCCEEDED, "FAILED": RemoteState.FAILED}
_FATAL = {"CANCELED": RemoteState.CANCELLED, "EXPIRED": RemoteState.EXPIRED}
_ALGORITHMS = {"MD5": "md5", "SHA256": "sha256", "SHA-256": "sha256"}


@dataclass(frozen=True)
class Standing(Remote):
    """A task. `files`: how many it was given."""

    files: int = 0

    @property
    def unknown(self) -> int:
        """Of how many files nothing is on record."""
        return self.files - len(self.outcomes)


def label_of(handle: str) -> str:
    """How the task of a job is called, so that it can be found without its id."""
    return f"alyx-{handle}"


def standings(collection: Collection, ids: Iterable[str], *, files: bool = True) -> dict[str, Standing]:
    """How these tasks stand: one request for a hundred; `files`: and more for each that has ended. A task that the service
    does not show is left out. Raises BackendFailure."""
    wanted, found = sorted(set(ids)), {}
    with collection.client() as client:
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            for one in _listed(client, {"task_id": wanted[start : start + _IDS_AT_ONCE]}, files=files):
                found[one.id] = one
    return found


def standing_of(collection: Collection, handle: str, *, files: bool = True) -> Standing | None:
    """How the task of a job stands; None: the service knows of none. Raises BackendFailure."""
    with collection.client() as client:
        found = _listed(client, {"label": [label_of(handle)]}, files=files)
    running = [one for one in found if one.state is RemoteState.ACTIVE]
    return next(iter(running or found), None)


def _listed(client: TransferClient, which: dict[str, str | list[str]], *, files: bool) -> list[Standing]:
    answer = client.task_list(limit=1000, filter=which, orderby="request_time DESC")
    now = parsedate_to_datetime(answer.headers["Date"])
    return [_standing(client, document, now, files=files) for document in answer]


def _standing(client: TransferClient, task: Mapping[str, Any], now: datetime, *, files: bool) -> Standing:
    key, count = str(task["task_id"]), int(task["files"])
    state = _ENDED.get(task["status"], RemoteState.ACTIVE)
    if state is RemoteState.ACTIVE:
        return Standing(key, state, detail=_progress(task), problem=_hindrance(task), files=count)
    fatal = task.get("fatal_error") or {}
    word = str(fatal.get("code") or "")
    problem = None if word in QUIET else of_event(word, str(fatal.get("description") or ""))
    if not files:
        return Standing(key, _FATAL.get(word, state), {}, _progress(task), problem, count)
    outcomes = _outcomes(client, task)
    if outcomes is None:
        if now - datetime.fromisoformat(str(task["completion_time"])) < LISTS_FOLLOW_WITHIN:
            waits = "it has ended; its lists of files are not complete yet"
            return Standing(key, RemoteState.ACTIVE, detail=waits, files=count)
        outcomes = _outcomes(client, task, complete=False) or {}
    if problem is not None:
        outcomes = {**_blamed(client, task, word), **outcomes}
    return Standing(key, _FATAL.get(word, state), outcomes, _progress(task), problem, count)


def _progress(task: Mapping[str, Any]) -> str:
    return f"{task['files_transferred']} of {task['files']} files, {task['bytes_transferred']} bytes"


def _hindrance(task: Mapping[str, Any]) -> Failure | None:
    """What holds a task that has not ended."""
    word = task.get("nice_status")
    text = str(task.get("nice_status_details") or task.get("nice_status_short_description") or "")
    if task.get("is_paused"):
        return Failure(ErrorCode.PAUSED, text, Side.BETWEEN)
    if task["status"] == "INACTIVE":
        return Failure(ErrorCode.AUTH_FAILED, f"the task waits for credentials: {text}", Side.BETWEEN)
    return None if word in QUIET else of_event(str(word), text)


def _outcomes(
    client: TransferClient, task: Mapping[str, Any], *, complete: bool = True
) -> dict[str, Moved | Failure] | None:
    """What is on record of each file; None: less than the task counts, and `complete` is wanted."""
    key, moved, skipped = task["task_id"], list[dict[str, Any]](), list[dict[str, Any]]()
    with suppress(GlobusAPIError):  # lists that cannot be read are lists that say nothing
        moved += client.paginated.task_successful_transfers(key).items()
        skipped += client.paginated.task_skipped_errors(key).items()
    counted = task["files_transferred"] + task["subtasks_skipped_errors"]
    if complete and not task["history_deleted"] and len(moved) + len(skipped) < counted:
        return None
    outcomes: dict[str, Moved | Failure] = {}
    for entry in skipped:
        known = read_name(_last(entry["destination_path"]))
        if known:
            outcomes[known[0]] = of_event(str(entry["error_code"]), str(entry.get("error_details") or ""))
    for entry in moved:
        known = read_name(_last(entry["destination_path"]))
        if known and entry.get("size") is not None:
            outcomes[known[0]] = _moved(entry, known[1])
    return outcomes


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _moved(entry: dict[str, Any], demanded: dict[str, str]) -> Moved | Failure:
    """A file of the list: the service compared it with the digest demanded in our submission, and may tell its own."""
    algorithm = _ALGORITHMS.get(str(entry.get("checksum_algorithm") or "").upper())
    reported = {algorithm: str(entry["checksum"]).lower()} if algorithm and entry.get("checksum") else {}
    if any(reported.get(name, digest) != digest for name, digest in demanded.items()):
        return Failure(ErrorCode.DIGEST_MISMATCH, f"the service reports {reported}", Side.BETWEEN)
    digests, size = reported | demanded, int(entry["size"])
    level = 3 if demanded else 2
    return Moved(size, Evidence(size, digests.get("md5"), digests.get("sha256"), level))


def _blamed(client: TransferClient, task: Mapping[str, Any], word: str) -> dict[str, Moved | Failure]:
    """The files that the fatal error names: one mismatch ends a whole task, and only its events tell which."""
    ours = re.compile(rf"{re.escape(STAGING)}/[A-Za-z0-9_-]+/([^\s/]+)")
    blamed: dict[str, Moved | Failure] = {}
    with suppress(GlobusAPIError):
        for event in client.task_event_list(task["task_id"], limit=_EVENTS):
            name = named(str(event.get("details") or ""), ours) if event["code"] == word else None
            known = read_name(name) if name else None
            if known:
                blamed[known[0]] = of_event(word, str(event["details"]))
    return blamed
