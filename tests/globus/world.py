"""What the stand-in knows, in one SQLite file: a process that was killed goes on where it was."""

import json
import sqlite3
import threading
import time
from pathlib import Path
from uuid import uuid4

from tests.globus.documents import Doc

LIVE = ("ACTIVE", "INACTIVE")
HOUR = 3600.0
DEADLINE = {"TRANSFER": 24 * HOUR, "DELETE": 24 * HOUR}
"""How long a task may stand still; the service prolongs that of a transfer that moves (here: by the same again)."""
LONGEST = 90 * 24 * HOUR
REMEMBERED = 30 * 24 * HOUR
_SCHEMA = """
CREATE TABLE IF NOT EXISTS doc (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS item (task TEXT, n INTEGER, state TEXT, body TEXT NOT NULL, PRIMARY KEY (task, n));
CREATE TABLE IF NOT EXISTS event (task TEXT, body TEXT NOT NULL);
"""


class World:
    """Collections, tasks, tokens and planted faults. Every change is on disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(folder / "state.db", check_same_thread=False, isolation_level=None)
        self.lock, self.stirred = threading.RLock(), threading.Event()
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")  # processes are killed here, machines are not
        self.db.executescript(_SCHEMA)

    # --- documents ---------------------------------------------------------------------------------------------

    def get(self, kind: str, key: str) -> Doc | None:
        """One document."""
        with self.lock:
            row = self.db.execute("SELECT body FROM doc WHERE kind = ? AND id = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: str, body: Doc) -> Doc:
        """Store one document."""
        with self.lock:
            self.db.execute("INSERT OR REPLACE INTO doc VALUES (?, ?, ?)", (kind, key, json.dumps(body)))
            self.stirred.set()
        return body

    def change(self, kind: str, key: str, **fields: object) -> Doc:
        """Change fields of a document; the new one."""
        with self.lock:
            return self.put(kind, key, (self.get(kind, key) or {}) | fields)

    def every(self, kind: str) -> list[Doc]:
        """All documents of a kind, oldest first."""
        with self.lock:
            rows = self.db.execute("SELECT body FROM doc WHERE kind = ? ORDER BY rowid", (kind,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def drop(self, kind: str) -> None:
        """Forget a kind."""
        with self.lock:
            self.db.execute("DELETE FROM doc WHERE kind = ?", (kind,))

    # --- time --------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """The service's time: ours, shifted by the tests."""
        return time.time() + float((self.get("clock", "shift") or {}).get("seconds", 0))

    # --- faults ------------------------------------------------------------------------------------------------

    def plant(self, fault: Doc) -> None:
        """Have something fail: `what`, `match` (part of the subject), `times` (default: always)."""
        with self.lock:
            self.db.execute("INSERT INTO doc VALUES ('fault', ?, ?)", (uuid4().hex, json.dumps(fault)))

    def fault(self, what: str, subject: str) -> Doc | None:
        """The planted fault that strikes now, if any; it is used up by that."""
        with self.lock:
            rows = self.db.execute("SELECT id, body FROM doc WHERE kind = 'fault' ORDER BY rowid").fetchall()
            for key, body in rows:
                fault: Doc = json.loads(body)
                if fault["what"] != what or fault.get("match", "") not in subject:
                    continue
                if fault.get("times") is not None:
                    fault["times"] -= 1
                    if fault["times"] <= 0:
                        self.db.execute("DELETE FROM doc WHERE kind = 'fault' AND id = ?", (key,))
                    else:
                        self.put("fault", key, fault)
                return fault
        return None

    # --- tasks -------------------------------------------------------------------------------------------------

    def new_task(self, kind: str, form: Doc, items: list[Doc]) -> str:
        """A task, queued. Its submission id is taken from now on."""
        key, now = str(uuid4()), self.now()
        row = {
            "id": key,
            "type": kind,
            "status": "ACTIVE",
            "form": {name: value for name, value in form.items() if name != "DATA"},
            "source": form.get("source_endpoint") or form.get("endpoint"),
            "destination": form.get("destination_endpoint"),
            "asked": now,
            "deadline": now + DEADLINE[kind],
            "ended": None,
            "fatal": None,
            "nice": "Queued",
            "paused": False,
            "forgotten": False,
            "cancelled": False,
            "files": len(items),
            "done": 0,
            "skipped": 0,
            "synced": 0,
            "bytes": 0,
            "faults": 0,
        }
        with self.lock:
            self.db.execute("BEGIN")
            rows = [(key, n, json.dumps(item)) for n, item in enumerate(items)]
            self.db.executemany("INSERT INTO item VALUES (?, ?, 'pending', ?)", rows)
            self.put("task", key, row)
            self.put("submission", str(form["submission_id"]), {"task": key})
            self.db.execute("COMMIT")
        return key

    def live_tasks(self) -> list[Doc]:
        """Tasks that have not ended, oldest first."""
        return [task for task in self.every("task") if task["status"] in LIVE]

    def task(self, key: str) -> Doc | None:
        """A task; its details are forgotten after thirty days."""
        row = self.get("task", key)
        if row and row["ended"] and not row["forgotten"] and self.now() - row["ended"] > REMEMBERED:
            with self.lock:
                self.db.execute("DELETE FROM item WHERE task = ?", (key,))
                self.db.execute("DELETE FROM event WHERE task = ?", (key,))
                row = self.change("task", key, forgotten=True)
        return row

    def items(self, task: str, *states: str) -> list[tuple[int, Doc]]:
        """The task's items in one of these states, numbered."""
        marks = ",".join("?" * len(states))
        with self.lock:
            rows = self.db.execute(
                f"SELECT n, body FROM item WHERE task = ? AND state IN ({marks}) ORDER BY n", (task, *states)
            ).fetchall()
        return [(n, json.loads(body)) for n, body in rows]

    def settle_item(self, task: str, number: int, state: str, **found: object) -> None:
        """What became of an item, together with the task's counts."""
        with self.lock:
            body = self.db.execute("SELECT body FROM item WHERE task = ? AND n = ?", (task, number)).fetchone()[0]
            item = json.loads(body) | found
            self.db.execute("BEGIN")
            self.db.execute(
                "UPDATE item SET state = ?, body = ? WHERE task = ? AND n = ?", (state, json.dumps(item), task, number)
            )
            row = self.get("task", task) or {}
            counts = {"skipped": row["skipped"] + 1} if state == "skipped" else {"done": row["done"] + 1}
            if state == "synced":
                counts["synced"] = row["synced"] + 1
            if state == "moved":
                counts["bytes"] = row["bytes"] + int(item["size"])
                counts["deadline"] = min(row["asked"] + LONGEST, self.now() + DEADLINE["TRANSFER"])
            self.change("task", task, **counts)
            self.db.execute("COMMIT")

    def note(self, task: str, event: Doc) -> None:
        """Add to a task's history; an error counts as a fault."""
        with self.lock:
            self.db.execute("INSERT INTO event VALUES (?, ?)", (task, json.dumps(event)))
            if event["is_error"]:
                row = self.get("task", task) or {}
                self.change("task", task, faults=row["faults"] + 1)

    def events(self, task: str) -> list[Doc]:
        """A task's history, newest first."""
        with self.lock:
            rows = self.db.execute("SELECT body FROM event WHERE task = ? ORDER BY rowid DESC", (task,)).fetchall()
        return [json.loads(row[0]) for row in rows]
