"""The outbox: calls on disk in the order they were made, each sent until the registry has answered it.

One SQLite file in WAL mode with synchronous=FULL: `post` returns when the call is on the disk, so a process that is killed at any
point has made a call or has not. What the registry may have done without our hearing of it is sent again with the same key.
"""

import json
import random
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from rig_outbox.sending import Answer, Send, Unreachable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
KEY_LIVES_S = 13 * 86_400.0
"""The registry knows a key for 14 days. A call it may have done longer ago is not sent again by itself."""
KEPT_S = 30 * 86_400.0
"""How long answers are kept."""

_TABLE = """
CREATE TABLE IF NOT EXISTS calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    body TEXT NOT NULL, lane TEXT, state TEXT NOT NULL DEFAULT 'waiting', made_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    maybe_done_since REAL, not_before REAL NOT NULL DEFAULT 0, status INTEGER, answer TEXT, error TEXT, settled_at REAL);
CREATE INDEX IF NOT EXISTS calls_by_state ON calls (state, seq);
"""
_COLUMNS = (
    "seq, id, key, method, path, body, lane, state, made_at, tries, maybe_done_since, not_before, status, answer, error"
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_SESSION = re.compile(r"([^/\\]+)[/\\](\d{4}-\d{2}-\d{2})[/\\](\d{1,3})(?![^/\\])")


class State(str, Enum):  # noqa: UP042  (rigs run Python 3.10)
    """Where a call stands."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Call:
    """One call. `lane` is the session it belongs to: a refused call holds up the later ones of its lane only."""

    seq: int
    id: str
    key: str
    method: str
    path: str
    body: Any
    lane: str | None
    state: State
    made_at: float
    tries: int
    maybe_done_since: float | None
    not_before: float
    status: int | None
    answer: Any
    error: str | None


@dataclass
class Replayed:
    """What a replay did. `held` calls wait behind a refused or failing one of their lane; `trouble` ended the replay early."""

    done: int = 0
    refused: int = 0
    held: int = 0
    trouble: str = ""
    again_in: float | None = None
    lanes: set[str] = field(default_factory=set)


class _Trouble(Exception):
    """The registry, not the call: nothing else would get through now either."""

    def __init__(self, text: str, again_in: float | None = None) -> None:
        super().__init__(text)
        self.again_in = again_in


class Outbox:
    """Calls kept in `folder`, sent by `send` (`Http(url, token)`, `through_alyx_client(alyx)`, or one's own).

    Several processes may post into the same folder; one at a time replays it.
    """

    def __init__(self, folder: Path | str, send: Send | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.folder, self.send, self._now = Path(folder), send, clock
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._database = self._connect("outbox.sqlite3")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_TABLE)

    def _connect(self, name: str) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / name, timeout=30, isolation_level=None, check_same_thread=False)

    # --- what a rig calls ------------------------------------------------------------------------------------------

    def post(self, path: str, body: Any, *, lane: str | None = None) -> str:
        """Keep a POST. Returns its provisional id, a UUID, when it is on the disk.

        The id may stand in the path or body of a later call where the registry's `id` of what this call makes belongs.
        Raises: ValueError, TypeError for a body that is not JSON; sqlite3.Error, OSError when it cannot be written.
        """
        return self.call("POST", path, body, lane=lane)

    def patch(self, path: str, body: Any, *, lane: str | None = None) -> str:
        """Keep a PATCH."""
        return self.call("PATCH", path, body, lane=lane)

    def call(self, method: str, path: str, body: Any, *, lane: str | None = None) -> str:
        """Keep a call of any method. As `post`."""
        text = json.dumps(body, allow_nan=False)
        made = str(uuid.uuid4())
        with self._lock:
            own = lane if lane is not None else self._lane_of(made, path, body, text)
            self._database.execute(
                "INSERT INTO calls (id, key, method, path, body, lane, made_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [made, made, method, path, text, own, self._now()],
            )
        self._wake.set()
        return made

    def answer(self, provisional: str) -> Any:
        """What the registry answered to a call; None as long as it has not."""
        found = self.find(provisional)
        return found.answer if found is not None and found.state is State.DONE else None

    def start(self) -> None:
        """Replay in a thread of its own, at each new call and again until all are answered."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="rig-outbox", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop replaying; what waits stays on disk."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._database.close()

    # --- what a person asks ----------------------------------------------------------------------------------------

    def find(self, provisional: str) -> Call | None:
        """One call."""
        return next(self._calls("id = ?", [provisional]), None)

    def calls(self, state: State) -> list[Call]:
        """The calls in this state, in the order they were made."""
        return list(self._calls("state = ?", [state.value]))

    def counts(self) -> dict[str, int]:
        """How many calls are in each state."""
        with self._lock:
            return dict(self._database.execute("SELECT state, count(*) FROM calls GROUP BY state"))

    def retry(self, provisional: str, body: Any = None) -> None:
        """Send a refused call again, as another call, with another body if one is given. Raises KeyError."""
        self._decide(provisional, State.WAITING, None if body is None else json.dumps(body, allow_nan=False))
        self._wake.set()

    def drop(self, provisional: str) -> None:
        """Give a refused call up, so that its lane goes on. Raises KeyError."""
        self._decide(provisional, State.DROPPED, None)
        self._wake.set()

    def _decide(self, provisional: str, state: State, body: str | None) -> None:
        # What was answered keeps its answer at the registry, so it gets a new key; what may have been done keeps its own.
        with self._lock:
            found = self._database.execute(
                "UPDATE calls SET state = ?, body = coalesce(?, body), key = CASE WHEN status IS NULL THEN key ELSE ? END,"
                " maybe_done_since = NULL, not_before = 0 WHERE id = ? AND state = 'refused'",
                [state.value, body, str(uuid.uuid4()), provisional],
            ).rowcount
        if not found:
            raise KeyError(f"no refused call has the id {provisional}")

    # --- replaying -------------------------------------------------------------------------------------------------

    def replay(self, *, now: bool = True) -> Replayed:
        """Send what waits, in order, until all is answered or the registry cannot be reached.

        Args:
            now: also what was told to wait a little after a failure.

        Returns: what was done. Another process that is replaying is left to it (`trouble` says so).
        """
        if self.send is None:
            raise ValueError("this outbox was opened without a way to send")
        report = Replayed()
        with self._alone() as is_alone:
            if not is_alone:
                report.trouble = "another process is replaying"
                return report
            report.lanes = {call.lane for call in self.calls(State.REFUSED) if call.lane is not None}
            last = 0
            try:
                while (call := next(self._calls("state = 'waiting' AND seq > ? LIMIT 1", [last]), None)) is not None:
                    last = call.seq
                    self._one(call, report, now=now)
            except _Trouble as trouble:
                report.trouble, report.again_in = str(trouble), trouble.again_in
            self._forget()
        return report

    def _one(self, call: Call, report: Replayed, *, now: bool) -> None:
        if call.lane in report.lanes or (not now and call.not_before > self._now()):
            report.held += 1
            self._hold(call, report)
            return
        if call.maybe_done_since is not None and self._now() - call.maybe_done_since > KEY_LIVES_S:
            text = "sent long ago without an answer: look whether it was done, then drop it or retry it"
            self._settle(call, State.REFUSED, None, text)
        else:
            self._sent(call, report)
        if self._state(call) is State.DONE:
            report.done += 1
        elif self._state(call) is State.REFUSED:
            report.refused += 1
            self._hold(call, report)

    @staticmethod
    def _hold(call: Call, report: Replayed) -> None:
        if call.lane is not None:
            report.lanes.add(call.lane)

    def _sent(self, call: Call, report: Replayed) -> None:
        assert self.send is not None  # noqa: S101  (asked in `replay`)
        self._write("tries = tries + 1, maybe_done_since = coalesce(maybe_done_since, ?)", [self._now()], call)
        path, body = self._resolved(call.path), json.loads(self._resolved(json.dumps(call.body)))
        try:
            answer = self.send(call.method, path, body, call.key)
        except Unreachable as error:
            if error.never_sent and call.maybe_done_since is None:
                self._write("maybe_done_since = NULL", [], call)
            self._write("error = ?", [str(error)[:500]], call)
            raise _Trouble(str(error)) from error
        self._heed(call, answer, report)

    def _heed(self, call: Call, answer: Answer, report: Replayed) -> None:
        if 200 <= answer.status < 300:
            self._settle(call, State.DONE, answer, None)
        elif self._is_the_registrys(answer):
            if answer.status in {401, 403, 429} and call.maybe_done_since is None:
                self._write("maybe_done_since = NULL", [], call)
            self._write("error = ?", [_said(answer)], call)
            raise _Trouble(_said(answer), answer.again_in)
        elif answer.status >= 500:  # this call breaks something there: the others of other sessions go on
            self._write("error = ?, not_before = ?", [_said(answer), self._now() + pause(call.tries)], call)
            report.held += 1
            self._hold(call, report)
        else:
            self._settle(call, State.REFUSED, answer, _said(answer))

    @staticmethod
    def _is_the_registrys(answer: Answer) -> bool:
        """Whether it would say the same to any call now, or says itself when to come again."""
        detail = str(answer.body.get("detail", "")) if isinstance(answer.body, dict) else ""
        not_logged_in = answer.status == 401 or (
            answer.status == 403 and ("token" in detail.lower() or "credentials" in detail.lower())
        )
        return answer.status in {408, 425, 429, 502, 503, 504} or answer.again_in is not None or not_logged_in

    def _resolved(self, text: str) -> str:
        """With the registry's ids where provisional ones stand. Raises nothing: a lane holds back what cannot be resolved."""

        def real(match: re.Match[str]) -> str:
            found = self.find(match.group())
            return (_id_in(found.answer) if found is not None and found.state is State.DONE else "") or match.group()

        return _UUID.sub(real, text)

    def _lane_of(self, made: str, path: str, body: Any, text: str) -> str | None:
        """The session a call is about: that of a call it names, or what its path and fields say."""
        for word in _UUID.findall(f"{path} {text}"):
            found = self.find(word)
            if found is not None:
                return found.lane or f"call {found.id}"
        fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        match = _SESSION.search(str(fields.get("path", "")))
        if match:
            return f"{match[1]}/{match[2]}/{int(match[3]):03}"
        if path.strip("/") == "sessions" and fields.get("subject") and fields.get("start_time"):
            number = str(fields.get("number") or 1)
            return f"{fields['subject']}/{str(fields['start_time'])[:10]}/{number.zfill(3)}"
        at_session = _UUID.search(path) or _UUID.search(str(fields.get("session", "")))
        return f"session {at_session.group()}" if at_session else f"call {made}"

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._wake.clear()
            try:
                report = self.replay(now=False)
            except Exception as error:  # noqa: BLE001  (the thread outlives whatever a way to send raises)
                report = Replayed(trouble=f"{type(error).__name__}: {error}")
            failures = failures + 1 if report.trouble else 0
            if report.trouble:  # a new call does not shorten the pause: the registry is down for it too
                self._stop.wait(max(report.again_in or 0.0, pause(failures - 1)))
            else:
                self._wake.wait(FIRST_PAUSE_S if report.held and self._due_soon() else LONGEST_PAUSE_S)

    def _due_soon(self) -> bool:
        return any(call.not_before > 0 for call in self.calls(State.WAITING))

    # --- the file --------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether nobody else replays this folder; the system frees the lock of a process that dies."""
        with closing(sqlite3.connect(self.folder / "replaying.sqlite3", timeout=0, isolation_level=None)) as lock:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                yield False
                return
            yield True
            lock.execute("ROLLBACK")

    def _calls(self, condition: str, values: list[Any]) -> Iterator[Call]:
        order = "" if "LIMIT" in condition else " ORDER BY seq"
        where = condition.replace(" LIMIT", " ORDER BY seq LIMIT")
        with self._lock:
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM calls WHERE {where}{order}", values).fetchall()  # noqa: S608
        for row in rows:
            named = dict(zip(_COLUMNS.split(", "), row, strict=True))
            named["body"], named["state"] = json.loads(named["body"]), State(named["state"])
            named["answer"] = json.loads(named["answer"]) if named["answer"] is not None else None
            yield Call(**named)

    def _state(self, call: Call) -> State:
        found = self.find(call.id)
        return found.state if found is not None else State.DROPPED

    def _settle(self, call: Call, state: State, answer: Answer | None, error: str | None) -> None:
        status, body = (None, None) if answer is None else (answer.status, json.dumps(answer.body))
        values = [state.value, status, body, error, self._now()]
        self._write("state = ?, status = ?, answer = ?, error = ?, settled_at = ?", values, call)

    def _write(self, columns: str, values: list[Any], call: Call) -> None:
        with self._lock:
            self._database.execute(f"UPDATE calls SET {columns} WHERE seq = ?", [*values, call.seq])  # noqa: S608

    def _forget(self) -> None:
        """Old answers, unless a call of their lane still waits and may name them."""
        with self._lock:
            self._database.execute(
                "DELETE FROM calls WHERE state IN ('done', 'dropped') AND settled_at < ? AND NOT EXISTS"
                " (SELECT 1 FROM calls other WHERE other.lane = calls.lane AND other.state IN ('waiting', 'refused'))",
                [self._now() - KEPT_S],
            )


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, a little different for each rig."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures, 20)) * random.uniform(0.75, 1.0)  # noqa: S311


def _id_in(answer: Any) -> str:
    """The id of the record in an answer: its field, or the end of its address."""
    record: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    at_end = _UUID.search(str(record.get("url", "")))
    return str(record.get("id") or (at_end.group() if at_end else ""))


def _said(answer: Answer) -> str:
    detail = answer.body.get("detail", answer.body) if isinstance(answer.body, dict) else answer.body
    return f"{answer.status}: {detail}"[:500]
