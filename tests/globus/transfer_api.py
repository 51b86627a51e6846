"""What Globus Transfer answers: submissions, tasks, their lists, and the operations on folders."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

from tests.globus import documents
from tests.globus.documents import Doc, listed, said
from tests.globus.mover import place
from tests.globus.world import LIVE, World

PAGE = 100
MOST_PENDING = 100
LABEL_LENGTH = 128


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.more = status, code, message, more


class TransferApi:
    """The resources below `/v0.10`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.routes: list[tuple[str, re.Pattern[str], Callable[..., Doc]]] = [
            (method, re.compile(rf"/v0\.10/{path}"), answer)
            for method, path, answer in (
                ("GET", "submission_id", self.submission_id),
                ("POST", "(transfer|delete)", self.submit),
                ("GET", "task_list", self.task_list),
                ("GET", "task/([^/]+)", self.task),
                ("POST", "task/([^/]+)/cancel", self.cancel),
                ("GET", "task/([^/]+)/event_list", self.event_list),
                ("GET", "task/([^/]+)/pause_info", self.pause_info),
                ("GET", "task/([^/]+)/(successful_transfers|skipped_errors)", self.outcomes),
                ("GET", "endpoint/([^/]+)", self.endpoint),
                ("GET", "endpoint/([^/]+)/my_effective_pause_rule_list", self.pause_rules),
                ("GET", "operation/endpoint/([^/]+)/ls", self.ls),
                ("GET", "operation/endpoint/([^/]+)/stat", self.stat),
                ("POST", "operation/endpoint/([^/]+)/mkdir", self.mkdir),
                ("POST", "operation/endpoint/([^/]+)/rename", self.rename),
            )
        ]

    def answer(self, method: str, path: str, query: dict[str, str], body: Doc) -> Doc:
        """The body for a request. Raises Refusal."""
        for verb, pattern, give in self.routes:
            found = pattern.fullmatch(path)
            if verb == method and found:
                return give(*map(unquote, found.groups()), query=query, body=body)
        raise Refusal(404, "ClientError.NotFound", f"No resource {method} {path}")

    # --- tasks -------------------------------------------------------------------------------------------------

    def submission_id(self, **_: Any) -> Doc:
        """A new id for a submission."""
        value = str(uuid4())
        self.world.put("submission", value, {"task": None})
        return {"value": value}

    def submit(self, kind: str, body: Doc, **_: Any) -> Doc:
        """A new task, or the one that this submission made before."""
        with self.world.lock:
            known = self.world.get("submission", str(body.get("submission_id")))
            if known is None:
                raise Refusal(400, "ClientError.BadRequest", "submission_id was not given out by this service")
            if known["task"]:
                return documents.accepted(kind, "Duplicate", body["submission_id"], known["task"])
            items = body.get("DATA") or []
            self._check_form(kind, body, items)
            if kind == "transfer" and self.world.fault("pause", body["destination_endpoint"]):
                self.world.change("collection", body["destination_endpoint"], paused="just now")
            task = self.world.new_task(kind.upper(), body, items)
            return documents.accepted(kind, "Accepted", body["submission_id"], task)

    def _check_form(self, kind: str, form: Doc, items: list[Doc]) -> None:
        if not items:
            raise Refusal(400, "ClientError.BadRequest.NoTransferItems", f"A {kind} requires at least one item")
        label = form.get("label") or ""
        if len(label) > LABEL_LENGTH or label != label.strip() or "\n" in label:
            raise Refusal(400, "ClientError.BadRequest", "label is too long, or has white space at its ends")
        live = self.world.live_tasks()
        if len(live) >= MOST_PENDING:
            raise Refusal(400, "ClientError.BadRequest.TooManyTasks", "too many tasks are pending")
        if kind == "delete":
            self._collection(form["endpoint"])
            return
        source, destination = self._collection(form["source_endpoint"]), self._collection(form["destination_endpoint"])
        if all(end["entity_type"].startswith("GCP") for end in (source, destination)):
            raise Refusal(403, "PermissionDenied", "no transfers between two personal endpoints without a subscription")
        wanted = {(item["source_path"], item["destination_path"]) for item in items}
        for task in live:
            if (task["source"], task["destination"]) == (source["id"], destination["id"]) and any(
                (i["source_path"], i["destination_path"]) in wanted
                for _, i in self.world.items(task["id"], "pending", "moved")
            ):
                raise Refusal(409, "Conflict", f"task {task['id']} moves the same paths already")

    def task_list(self, query: dict[str, str], **_: Any) -> Doc:
        """Own tasks by `task_id:` or `label:`, several values separated by commas."""
        rows = [self.world.task(row["id"]) or row for row in self.world.every("task")]
        for part in filter(None, query.get("filter", "").split("/")):
            name, _sep, values = part.partition(":")
            if name not in {"task_id", "label", "status"}:
                raise Refusal(400, "ClientError.BadRequest", f"no filter {name}")
            hidden = name == "task_id" and self.world.fault("blind", values) is not None
            rows = [row for row in rows if not hidden and self._shown(row)[name] in values.split(",")]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 10))
        data = [self._shown(row) for row in rows[offset : offset + limit]]
        for one in data:
            del one["DATA_TYPE"]
        return listed("task_list", data, length=len(data), limit=limit, offset=offset, total=len(rows))

    def _shown(self, row: Doc) -> Doc:
        return documents.task(row, {one["id"]: one for one in self.world.every("collection")})

    def _task(self, key: str) -> Doc:
        row = self.world.task(key)
        if row is None:
            raise Refusal(404, "ClientError.NotFound", f"No task {key}")
        return row

    def task(self, key: str, **_: Any) -> Doc:
        """One task."""
        return self._shown(self._task(key))

    def cancel(self, key: str, **_: Any) -> Doc:
        """Ask a task to end; it may go on for a while."""
        row = self._task(key)
        if row["status"] not in LIVE:
            return said("result", "TaskComplete", "The task completed before it was canceled", f"/task/{key}/cancel")
        linger = self.world.fault("linger", key)
        self.world.change("task", key, cancelled=self.world.now() + (linger["seconds"] if linger else 0))
        code = "CancelAccepted" if linger else "Canceled"
        return said("result", code, "The task is being canceled", f"/task/{key}/cancel")

    def event_list(self, key: str, query: dict[str, str], **_: Any) -> Doc:
        """A task's history, newest first."""
        events = [] if self._task(key)["forgotten"] else self.world.events(key)
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 10))
        data = events[offset : offset + limit]
        return listed("event_list", data, length=len(data), limit=limit, offset=offset, total=len(events))

    def pause_info(self, key: str, **_: Any) -> Doc:
        """Which rules hold a task."""
        row = self._task(key)
        rules = [rule for end in (row["source"], row["destination"]) if end for rule in self._rules(end)]
        none = dict.fromkeys(("source_pause_message", "destination_pause_message", "endpoint_pause_message"))
        return listed("pause_info_limited", [], pause_rules=rules, **none)

    def outcomes(self, key: str, which: str, query: dict[str, str], **_: Any) -> Doc:
        """What was moved, or skipped, in pages. Only of a task that has ended."""
        row = self._task(key)
        what = which.replace("_", " ")
        if row["status"] in LIVE:
            message = f"Task '{key}' is still in progress, {what} are not yet available"
            raise Refusal(400, "ClientError.BadRequest", message)
        if row["forgotten"]:
            raise Refusal(404, "ClientError.NotFound", "the history of the task was deleted")
        hidden = self.world.fault("hide", which) is not None
        found = [] if hidden else self.world.items(key, "moved" if which == "successful_transfers" else "skipped")
        marker = int(query.get("marker", 0))
        page = found[marker : marker + PAGE]
        more = str(marker + PAGE) if marker + PAGE < len(found) else None
        return listed(which, [_outcome(which, item) for _, item in page], marker=marker, next_marker=more)

    # --- collections -------------------------------------------------------------------------------------------

    def _collection(self, key: object) -> Doc:
        try:
            found = self.world.get("collection", str(UUID(str(key))))
        except ValueError:
            found = None
        if found is None:
            raise Refusal(404, "EndpointNotFound", f"No collection {key}")
        return found

    def endpoint(self, key: str, **_: Any) -> Doc:
        """A collection."""
        return documents.endpoint(self._collection(key))

    def _rules(self, key: str) -> list[Doc]:
        message = self._collection(key)["paused"]
        rule = {"DATA_TYPE": "pause_rule_limited", "id": key, "message": message, "endpoint_id": key}
        ways = ("pause_ls", "pause_mkdir", "pause_rename", "pause_task_delete")
        both = {"pause_task_transfer_read": True, "pause_task_transfer_write": True}
        return [rule | both | dict.fromkeys(ways, False)] if message else []

    def pause_rules(self, key: str, **_: Any) -> Doc:
        """The rules of an administrator that hold us."""
        return listed("pause_rule_limited_list", self._rules(key))

    def _open(self, key: str, path: str, what: str) -> Path:
        collection = self._collection(key)
        if not collection["connected"]:
            personal = collection["entity_type"].startswith("GCP")
            code = "GCDisconnected" if personal else "ConnectFailed"
            raise Refusal(502, f"ExternalError.{what}.{code}", "The collection is not connected")
        if collection["lapsed"]:
            raise Refusal(502, f"ExternalError.{what}.LoginFailed", "Login denied")
        if self.world.fault("deny", path):
            raise Refusal(403, "EndpointPermissionDenied", f"Denied by endpoint: {path}")
        try:
            return place(collection, path)
        except ValueError:
            raise Refusal(400, "ClientError.BadRequest", f"path {path}") from None

    def ls(self, key: str, query: dict[str, str], **_: Any) -> Doc:
        """A folder."""
        path = query.get("path", "/")
        folder = self._open(key, path, "DirListingFailed")
        if not folder.exists():
            raise Refusal(404, "ClientError.NotFound", f"Directory {path} not found")
        if not folder.is_dir():
            raise Refusal(502, "ExternalError.DirListingFailed.NotDirectory", f"{path} is not a directory")
        entries = [_entry(file) for file in sorted(folder.iterdir())]
        if query.get("show_hidden") == "0":
            entries = [one for one in entries if not one["name"].startswith(".")]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100_000))
        data = entries[offset : offset + limit]
        page = {"length": len(data), "limit": limit, "offset": offset, "total": len(entries)}
        about = {"path": path, "absolute_path": path, "endpoint": key, "rename_supported": True}
        return listed("file_list", data, **page, **about, symlink_supported=False)

    def stat(self, key: str, query: dict[str, str], **_: Any) -> Doc:
        """One file or folder."""
        path = query.get("path", "/")
        file = self._open(key, path, "StatFailed")
        if not file.exists():
            raise Refusal(404, "NotFound", f"Path not found: {path}")
        return _entry(file)

    def mkdir(self, key: str, body: Doc, **_: Any) -> Doc:
        """A new folder below one that exists."""
        folder = self._open(key, body["path"], "MkdirFailed")
        if folder.exists():
            raise Refusal(502, "ExternalError.MkdirFailed.Exists", f"{body['path']} already exists")
        if not folder.parent.is_dir():
            raise Refusal(404, "ClientError.NotFound", f"{body['path']}: No such file or directory")
        folder.mkdir()
        message, resource = "The directory was created successfully", f"/v0.10/operation/endpoint/{key}/mkdir"
        return said("mkdir_result", "DirectoryCreated", message, resource)

    def rename(self, key: str, body: Doc, **_: Any) -> Doc:
        """Another name, whatever had it before (the worst that a connector may do)."""
        old = self._open(key, body["old_path"], "RenameFailed")
        new = self._open(key, body["new_path"], "RenameFailed")
        if not old.exists() or not new.parent.is_dir():
            raise Refusal(404, "ClientError.NotFound", f"{body['old_path']}: No such file or directory")
        shutil.move(old, new) if not new.is_dir() else self._taken(body["new_path"])
        resource = f"/v0.10/operation/endpoint/{key}/rename"
        return said("result", "FileRenamed", "File or directory renamed successfully", resource)

    def _taken(self, path: str) -> None:
        raise Refusal(502, "ExternalError.RenameFailed.Exists", f"{path} is a directory")


def _entry(file: Path) -> Doc:
    seen = file.stat()
    return documents.file(file.name, seen.st_size, seen.st_mtime, folder=file.is_dir())


def _outcome(which: str, item: Doc) -> Doc:
    paths = {"source_path": item["source_path"], "destination_path": item["destination_path"]}
    if which == "successful_transfers":
        sums = {name: item[name] for name in ("size", "checksum", "checksum_algorithm")}
        return {"DATA_TYPE": "successful_transfer", **paths, **sums}
    said_then = {"error_code": item["error_code"], "error_details": item["error_details"]}
    when = {"error_time": documents.stamp(item["error_time"], " "), "is_directory": False, "is_symlink": False}
    rest = {"external_checksum": item.get("external_checksum"), "is_delete_destination_extra": False}
    rest["checksum_algorithm"] = item.get("checksum_algorithm")
    return {"DATA_TYPE": "skipped_error", **paths, **said_then, **when, **rest}
