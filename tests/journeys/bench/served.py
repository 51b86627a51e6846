"""An instance of its own for the tablets: gunicorn on a copy of the test database. It can be killed and started again."""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, connections
from psycopg import sql

from alyx.labs.models import User
from demo.served import ROOT, free_port

T = TypeVar("T")
START_S = 120
LOOPBACK = "127.0.0.1"
NAMED = "notebook.test"
"""Another name of it: what a browser finds there it does not trust as it trusts the loopback."""


@dataclass
class Bench:
    """`url` is where it listens, also after a restart."""

    var: Path
    database: str
    """Its DATABASE_URL."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Serve, and wait until it answers."""
        self.spawn()
        self.wait()

    def spawn(self) -> None:
        """Begin to serve."""
        own = {
            "DATABASE_URL": self.database,
            "ALYX_VAR": str(self.var),
            "ALYX_SECRET_KEY": settings.SECRET_KEY,
            "ALYX_THROTTLE": "off",
            "ALYX_WEB_PROCESSES": "1",  # a start costs a second of CPU for each
            "ALYX_HOSTS": f"{LOOPBACK},{NAMED}",
            "PYTHONPATH": str(ROOT),
        }
        environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"} | own
        with (self.var / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"),
                    *("--bind", f"{LOOPBACK}:{self.port}", "alyx.wsgi:application"),
                ],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers."""
        patience = time.monotonic() + START_S
        while not self.answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > patience:
                raise AssertionError(f"the server did not come up:\n{(self.var / 'serve.log').read_text()[-3000:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it does."""
        try:
            with urllib.request.urlopen(f"{self.url}/bench/pulse", timeout=10) as answer:  # noqa: S310  (our own)
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL to all its processes, whatever they are at."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def do(self, act: Callable[[], T]) -> T:
        """Act in the instance's database and commit: tests themselves run in a transaction that nobody else sees."""

        def acted() -> T:
            try:
                return act()
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(acted).result()

    def cookies(self, user: User) -> list[Any]:
        """A login of theirs, for a browser."""

        def login() -> str:
            store = SessionStore()
            store[SESSION_KEY] = str(user.pk)
            store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
            store[HASH_SESSION_KEY] = user.get_session_auth_hash()
            store.save()
            return str(store.session_key)

        return [{"name": settings.SESSION_COOKIE_NAME, "value": self.do(login), "url": self.url}]

    def log_out_everybody(self) -> None:
        """Every login ends, as after its time."""
        self.do(lambda: connection.cursor().execute("DELETE FROM django_session"))


def with_password(user: User, password: str) -> User:
    """One that the instance takes: tests' own hashes are cheap ones that it does not know."""
    hasher = PBKDF2PasswordHasher()
    user.password = hasher.encode(password, hasher.salt())  # a cheaper one would be made anew at the first login
    user.save(update_fields=["password"])
    return user


@contextmanager
def own_database() -> Iterator[str]:
    """A copy of the test database, which the test process uses as well while it lasts; its DATABASE_URL."""
    known: Any = connections["default"].settings_dict
    original, copy = known["NAME"], f"{known['NAME']}_bench_{secrets.token_hex(3)}"
    assert original.startswith("test_")
    password = f":{quote(str(known['PASSWORD']), safe='')}" if known["PASSWORD"] else ""
    host = quote(str(known["HOST"]), safe="") if str(known["HOST"]).startswith("/") else known["HOST"]
    server = f"postgres://{quote(str(known['USER']), safe='')}{password}@{host}:{known['PORT'] or 5432}"
    _let_go()
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [original])
        names = [sql.Identifier(copy), sql.Identifier(original)]
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(names[0])
        )  # nobody pulls the plug
        known["NAME"] = copy
        try:
            yield f"{server}/{copy}"
        finally:
            _let_go()
            known["NAME"] = original
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


def _let_go() -> None:
    """Close every connection of this process, those of the pool too."""
    connections.close_all()
    pools: Any = connections["default"]
    pools.close_pool()
