"""Calls of the clients over HTTP, against any Alyx-compatible server: `python -m benchmarks.load URL USER PASSWORD [--write]`.

Learns a session, its subject, lab, project and dataset types from the server, then sends each call with N clients for S seconds and
prints latencies, requests a second, and what failed. Reading only, unless `--write` is given: then it also makes sessions of that subject
(deleted at the end), registers files, weighs and changes. With `--pid` (the server, with its descendants) and `--backends` (a database's
name: PostgreSQL's processes for it), of this machine, it also prints milliseconds of processor a request. Standard library only.

A server that throttles must be told not to: ours takes `ALYX_THROTTLE=off`.
"""

import argparse
import hashlib
import http.client
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from fnmatch import fnmatch
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from benchmarks import cpu

Request = tuple[str, str, Any]
"""Method, path, JSON body or None."""


class Refused(RuntimeError):
    """The server answered with an error."""


class Client:
    """One connection, kept alive unless its requests are far apart (`keep=False`): servers close those that idle."""

    def __init__(self, base: str, token: str = "", *, keep: bool = True) -> None:
        self.keep = keep
        parts = urlsplit(base)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection, self.prefix = kind(parts.netloc, timeout=120), parts.path.rstrip("/")
        self.headers = {"Accept": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})

    def send(self, request: Request, form: bool = False) -> bytes:
        """The body of the answer. Raises Refused."""
        method, path, body = request
        content = None if body is None else (urlencode(body) if form else json.dumps(body))
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        headers = self.headers | ({"Content-Type": kind} if content is not None else {})
        self.connection.request(method, self.prefix + path, content, headers)
        answer = self.connection.getresponse()
        said = answer.read()
        if not self.keep:
            self.connection.close()
        if not 200 <= answer.status < 300:
            raise Refused(f"{method} {path}: {answer.status} {said[:300]!r}")
        return said

    def get(self, path: str) -> Any:
        """JSON; of a page, its records."""
        answer = json.loads(self.send(("GET", path, None)))
        return answer["results"] if isinstance(answer, dict) and "results" in answer else answer


class Measured(NamedTuple):
    """Of one call with so many clients: seconds each, seconds in all, seconds of processor, the first error."""

    latencies: list[float]
    wall: float
    processor: float
    failed: int
    error: str


class World:
    """What the calls name, learnt from the server."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.session = self._session()
        self.record = client.get(f"/sessions/{self.session['id']}")
        self.kinds = self._kinds()
        self.mark = f"load {random.randrange(16**12):012x}"

    def _session(self) -> dict[str, Any]:
        """The newest with files on a server."""
        rows: list[dict[str, Any]] = self.client.get("/sessions?limit=50")
        for row in rows:
            if self.client.get(f"/sessions/{row['id']}")["data_dataset_session_related"]:
                return row
        raise SystemExit("none of the newest fifty sessions has datasets: nothing to measure on")

    def _kinds(self) -> list[str]:
        """Types whose pattern takes `<type>.npy`, and no other's does."""
        rows = [row for row in self.client.get("/dataset-types?limit=1000") if row["filename_pattern"]]
        names = [f"{row['name']}.npy" for row in rows]
        return [
            name for name in names if sum(fnmatch(name.lower(), row["filename_pattern"].lower()) for row in rows) == 1
        ]

    def reads(self) -> dict[str, Request]:
        """Each with its request."""
        session, start = self.session, date.fromisoformat(self.session["start_time"][:10])
        dates = f"{start - timedelta(days=2)},{start}"
        kind = quote(self.client.get(f"/datasets?session={session['id']}&limit=1")[0]["dataset_type"])
        paths = {
            "GET sessions, one subject": f"/sessions?subject={quote(session['subject'])}",
            "GET sessions, date range": f"/sessions?date_range={dates}",
            "GET sessions, lab, page 250": f"/sessions?lab={quote(session['lab'])}",
            "GET sessions, dataset_types, page 250": f"/sessions?dataset_types={kind}",
            "GET sessions?django=…": f"/sessions?django=subject__nickname,{quote(session['subject'])},number__gte,1",
            "GET session detail": f"/sessions/{session['id']}",
            "GET datasets of a session": f"/datasets?session={session['id']}",
            "GET datasets, page 250": "/datasets",
            "GET subject": f"/subjects/{quote(session['subject'])}",
            "GET subjects, page 200": "/subjects?limit=200",
        }
        if session["projects"]:
            paths["GET sessions, project, page 250"] = f"/sessions?project={quote(session['projects'][0])}"
        return {name: ("GET", path, None) for name, path in paths.items()}

    def writes(self) -> dict[str, Callable[[], Request]]:
        """Each with what makes its next request."""
        patched = self._new_session()["url"][-36:]
        return {
            "POST session": self._session_call,
            "register-file, 1 file": lambda: self._register(self._new_session(), 1),
            "register-file, 40 files": lambda: self._register(self._new_session(), 40),
            "PATCH session": lambda: ("PATCH", f"/sessions/{patched}", {"narrative": f"note {random.random()}"}),
            "POST weighing": lambda: ("POST", "/weighings", self._weighing()),
        }

    def _session_call(self) -> Request:
        body = {
            "subject": self.session["subject"],
            "type": "Experiment",
            "number": random.randrange(100, 1000),
            "start_time": f"{date(2015, 1, 1) + timedelta(days=random.randrange(3000))}T10:00:00",
            "task_protocol": self.mark,
            "projects": self.session["projects"],
            "lab": self.session["lab"],
        }
        return "POST", "/sessions", body

    def _new_session(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.client.send(self._session_call()))
        return made

    def _register(self, session: dict[str, Any], count: int) -> Request:
        names = [f"alf/probe{at // len(self.kinds):02d}/{self.kinds[at % len(self.kinds)]}" for at in range(count)]
        path = f"{session['subject']}/{session['start_time'][:10]}/{session['number']:03d}"
        body = {
            "path": path,
            "filenames": names,
            "hashes": [hashlib.md5((path + name).encode(), usedforsecurity=False).hexdigest() for name in names],
            "filesizes": [1000 + len(name) for name in names],
            "versions": ["1"] * count,
            "exists": True,
            "server_only": False,
            "default": True,
            "check_protected": True,
            "labs": session["lab"],
        }
        return "POST", "/register-file", body

    def _weighing(self) -> dict[str, Any]:
        moment = date(2015, 1, 1) + timedelta(days=random.randrange(3000))
        clock = f"{random.randrange(24):02d}:{random.randrange(60):02d}:{random.randrange(60):02d}"
        return {
            "subject": self.session["subject"],
            "weight": 20 + random.randrange(1000) / 1000,
            "date_time": f"{moment}T{clock}",
        }

    def clean(self) -> None:
        """Delete the sessions of this script."""
        while rows := self.client.get(f"/sessions?task_protocol={quote(self.mark)}&limit=250"):
            for row in rows:
                self.client.send(("DELETE", f"/sessions/{row['id']}", None))


class Processor:
    """Seconds of processor that the server has used: processes with their descendants, and the backends of a database."""

    def __init__(self, pids: Sequence[int], database: str) -> None:
        self.pids, self.database = pids, database
        self.backends: dict[int, float] = {}

    def spent(self) -> float:
        """So far. Ask often: what a backend used after the last look before it ended is not seen."""
        if self.database:
            self.backends |= {pid: cpu.of_process(pid) for pid in cpu.backends(self.database)}
        return sum(map(cpu.of_tree, self.pids)) + sum(self.backends.values())


def run(base: str, token: str, requests: Sequence[Iterator[Request]], seconds: float, processor: Processor) -> Measured:
    """As many clients as there are streams of requests, each for so long or until its stream ends."""
    latencies: list[float] = []
    errors: list[str] = []
    deadline = time.monotonic() + seconds

    def work(stream: Iterator[Request]) -> None:
        client = Client(base, token)
        for request in stream:
            began = time.monotonic()
            if began > deadline:
                return
            try:
                client.send(request)
                latencies.append(time.monotonic() - began)
            except (Refused, OSError, http.client.HTTPException) as error:
                errors.append(str(error))
                client = Client(base, token)

    workers = [threading.Thread(target=work, args=(stream,)) for stream in requests]
    before, began = processor.spent(), time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        while worker.is_alive():
            worker.join(0.2)
            processor.spent()
    wall = time.monotonic() - began
    return Measured(sorted(latencies), wall, processor.spent() - before, len(errors), errors[0] if errors else "")


def streams(make: Request | Callable[[], Request], clients: int, ahead: int) -> list[Iterator[Request]]:
    """A stream for each client: endless for a read, made beforehand for a write, so that only the call itself is measured."""
    if isinstance(make, tuple):
        return [iter(lambda: make, None) for _ in range(clients)]
    return [iter([make() for _ in range(ahead)]) for _ in range(clients)]


def line(name: str, clients: int, one: Measured, *, has_processor: bool) -> str:
    """A row of the table."""
    if not one.latencies:
        return f"| {name} | {clients} | – | – | 0 | | {one.failed} failed: {one.error} |"
    at = {
        share: one.latencies[min(int(len(one.latencies) * share), len(one.latencies) - 1)] * 1e3
        for share in (0.5, 0.95)
    }
    processor = f"{one.processor * 1e3 / len(one.latencies):.1f}" if has_processor else ""
    note = f"{one.failed} failed: {one.error}" if one.failed else ""
    rate = len(one.latencies) / one.wall
    return f"| {name} | {clients} | {at[0.5]:.0f} | {at[0.95]:.0f} | {rate:.1f} | {processor} | {note} |"


def main() -> int:
    """Log in, learn, load, print; 0 when nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each call and number of clients")
    parser.add_argument(
        "--ahead", type=int, default=50, help="requests that write, for each client: at most so many are sent"
    )
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--pid", type=int, action="append", default=[], help="a process of the server; may be repeated")
    parser.add_argument("--backends", default="", help="the server's database: counts PostgreSQL's processes for it")
    given = parser.parse_args()
    login = Client(given.url).send(
        ("POST", "/auth-token", {"username": given.user, "password": given.password}), form=True
    )
    token = json.loads(login)["token"]
    world = World(Client(given.url, token, keep=False))

    processor = Processor(given.pid, given.backends)
    calls: dict[str, Any] = dict(world.reads())
    if given.write:
        calls |= world.writes()
    print(f"{len(world.record['data_dataset_session_related'])} datasets in the session's record\n")
    print("| call | clients | p50 ms | p95 ms | requests/s | CPU ms a request | |\n|---|---|---|---|---|---|---|")
    failed = 0
    for name, make in calls.items():
        for request in streams(make, 1, 2)[:1]:  # warm
            for _ in range(2):
                world.client.send(next(request))
        for clients in given.clients:
            one = run(given.url, token, streams(make, clients, given.ahead), given.seconds, processor)
            failed += one.failed
            print(line(name, clients, one, has_processor=bool(given.pid or given.backends)), flush=True)
    if given.write:
        world.clean()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
