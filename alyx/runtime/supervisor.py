"""Runs an instance in the foreground: database, schema, web, worker and beat; ends all it started when it ends."""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from types import FrameType

from alyx.runtime.children import Child
from alyx.runtime.heartbeat import Heartbeat
from alyx.runtime.instance import Instance
from alyx.runtime.locks import Hold
from alyx.runtime.postgres import Postgres

_TURN_S = 0.2
_LOOK_AT_DATABASE_EVERY_S = 5.0
_POLITE_S, _FIRM_S = 15.0, 30.0
_HOPELESS_DEATHS = 5
_LOOK_AT_HEALTH_EVERY_S = 60.0


class CannotServe(RuntimeError):
    """The instance does not start; the message says why and what to do."""


class Supervisor:
    """One instance at one address, until SIGTERM or SIGINT."""

    def __init__(self, instance: Instance, host: str, port: int) -> None:
        self.instance = instance
        self.host, self.port = host, port
        self._postgres: Postgres | None = None
        self._children: list[Child] = []
        self._stopping = 0
        self._ready = False
        self._next_look = 0.0
        self._next_health = 0.0
        self._unwell = ""
        self._alarm = Child("alarm", ["manage.py", "transfers", "health", "--alarm"])

    @property
    def url(self) -> str:
        """Where people on this machine find it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104  (compared, not bound)
        return f"http://{host}:{self.port}"

    def run(self) -> int:
        """Serve until told to stop.

        Returns:
            The exit code: 0 after a stop that was asked for.

        Raises:
            CannotServe: the port or the state folder is in use, or a program dies again and again before all is well.
            PostgresFailed, NoLauncher: the private PostgreSQL does not run.
        """
        alone = Hold(self.instance.path("supervisor.lock"))
        if not alone.alone():
            raise CannotServe(
                f"{self.instance.var} is served already: {alone.read()}. Set ALYX_VAR for a second instance."
            )
        alone.note(f"process {os.getpid()} at {self.url}")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            self._refuse_taken_port()
            self._open_database()
            self._prepare()
            self._serve()
        finally:
            self._end()
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping += 1

    def _refuse_taken_port(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise CannotServe(
                    f"cannot listen at {self.host}:{self.port}: {error.strerror}. Try another PORT."
                ) from error

    def _open_database(self) -> None:
        if os.environ.get("DATABASE_URL"):
            return
        self._postgres = Postgres(self.instance.path("postgres"))
        os.environ["DATABASE_URL"] = self._postgres.acquire()

    def _prepare(self) -> None:
        """Bring schema, vocabularies, administrator and static files up to this version."""
        bootstrap = Child("bootstrap", ["manage.py", "bootstrap"])
        self._children = [bootstrap]
        bootstrap.start()
        while bootstrap.running() and not self._stopping:
            time.sleep(_TURN_S / 4)
        if not self._stopping and bootstrap.exit_code() != 0:
            raise CannotServe("preparing the database failed; the reason stands above.")

    def _serve(self) -> None:
        if self._stopping:
            return
        bind = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        self._children = [
            Child("web", ["-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "--bind", bind, "alyx.wsgi:application"]),
            Child(
                "worker",
                ["-m", "celery", "-q", "-A", "alyx.celery", "worker", "--without-gossip", "--without-mingle"],
                signal.SIGQUIT,
            ),
            Child("beat", ["-m", "celery", "-q", "-A", "alyx.celery", "beat", "--pidfile="]),
        ]
        self.instance.path("beat").mkdir(parents=True, exist_ok=True)
        for role in ("worker", "beat"):
            Heartbeat(role, self.instance.path("heartbeat")).forget()
        for child in self._children:
            child.start()
        while not self._stopping:
            self._keep_database()
            self._keep_children()
            self._announce()
            self._watch_health()
            time.sleep(_TURN_S)

    def _keep_children(self) -> None:
        for child in self._children:
            said = child.keep_alive()
            if said:
                _say(said)
            if not self._ready and child.deaths >= _HOPELESS_DEATHS:
                raise CannotServe(f"{child.name} does not start; the reason stands above.")

    def _keep_database(self) -> None:
        """Start our PostgreSQL again if it died; the programs only restart if it had to move to another port."""
        if self._postgres is None or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_AT_DATABASE_EVERY_S
        if self._postgres.alive():
            return
        _say("PostgreSQL ended by itself; started again")
        url = self._postgres.revive()
        if url != os.environ["DATABASE_URL"]:
            os.environ["DATABASE_URL"] = url
            for child in self._children:
                child.send(signal.SIGTERM)

    def _announce(self) -> None:
        if self._ready or not _answers_well(f"{self.url}/healthz"):
            return
        self._ready = True
        where = "its own PostgreSQL" if self._postgres else "the PostgreSQL of DATABASE_URL"
        broker = "Redis" if os.environ.get("REDIS_URL") else "files"
        _say(
            f"ready: {self.url}/  (admin: {self.url}/admin/; {where}; messages by {broker}; state in {self.instance.var})"
        )

    def _watch_health(self) -> None:
        """The dead man's switch: what `/healthz` finds silent is said here, and told to people by a process of its own."""
        if not self._ready or time.monotonic() < self._next_health or self._alarm.running():
            return
        self._next_health = time.monotonic() + _LOOK_AT_HEALTH_EVERY_S
        unwell = _silent_parts(f"{self.url}/healthz")
        if unwell and unwell == self._unwell:  # twice in a row: no hiccup
            _say(f"ALARM: not heard: {unwell}")
            self._alarm.start()
            self._next_health += 9 * _LOOK_AT_HEALTH_EVERY_S
        elif self._unwell and not unwell:
            _say("all is heard again")
        self._unwell = unwell

    def _end(self) -> None:
        """Ask every program to stop, then insist, then the database if nobody else uses it."""
        asked, began = self._stopping, time.monotonic()
        for child in self._children:
            child.send(signal.SIGTERM)
        insisted = False
        while any(child.running() for child in self._children):
            waited = time.monotonic() - began
            if waited > _FIRM_S or self._stopping > asked + 1:
                break
            if waited > _POLITE_S and not insisted:
                insisted = True
                for child in self._children:
                    child.send(child.orphaned)
            time.sleep(_TURN_S / 4)
        for child in (*self._children, self._alarm):
            child.kill()
        if self._postgres is not None:
            self._postgres.release()
        if self._ready:
            _say("stopped")


def _answers_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (our own http address)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _silent_parts(url: str) -> str:
    """The parts that are not heard; empty when all is well."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310  (our own http address)
            return ""
    except urllib.error.HTTPError as answer:
        try:
            parts: dict[str, str] = json.load(answer)
        except ValueError:
            return "web"
        return ", ".join(sorted(name for name, said in parts.items() if said != "ok")) or "web"
    except (urllib.error.URLError, OSError):
        return "web"


def _say(text: str) -> None:
    sys.stdout.write(f"alyx: {text}\n")
    sys.stdout.flush()
