"""An instance of the project served in a process of its own, and its command line."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 240.0
"""A first start makes a database cluster, migrates and loads vocabularies."""
STOP_SECONDS = 60.0


class NotServed(RuntimeError):
    """The instance did not come up, or a command failed; the message holds the end of what it said."""


def free_port(wanted: int | None = None) -> int:
    """`wanted` if nobody listens there, else one the system gives."""
    for port in [wanted, 0] if wanted else [0]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port or 0))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NotServed("no free port on 127.0.0.1")


@dataclass
class Served:
    """`python -m alyx.runtime serve` on a port of 127.0.0.1, with its state in `var`."""

    var: Path
    port: int
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    extra: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    said_before: int = 0

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the server said."""
        return self.var / "serve.log"

    def environment(self) -> dict[str, str]:
        """For the server and its commands: the caller's, with this instance's state folder and admin password."""
        own = {"ALYX_VAR": str(self.var), "ALYX_ADMIN_PASSWORD": self.admin_password, "PYTHONPATH": str(ROOT)}
        return {**os.environ, **own, **self.extra}

    def start(self) -> Self:
        """Serve, and wait until `/healthz` answers 200.

        Raises: NotServed.
        """
        self.var.mkdir(parents=True, exist_ok=True)
        self.said_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "alyx.runtime", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us; we stop it in order
            )
        patience = time.monotonic() + START_SECONDS
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > patience:
                self.stop()
                raise NotServed(f"the server did not come up; the end of {self.log}:\n{self.said()}")
            time.sleep(0.2)
        return self

    def healthy(self) -> bool:
        """Whether `/healthz` answers 200 now."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310 our own address
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def said(self, characters: int = 3000) -> str:
        """The end of what the server has said since it was started."""
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[self.said_before :].decode(errors="replace")[-characters:]

    def stop(self) -> None:
        """End the server and everything it started."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def manage(self, *arguments: str) -> str:
        """What `manage.py` wrote to its standard output.

        Raises: NotServed when it ended with an error.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr)[-3000:]
            raise NotServed(f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{said}")
        return done.stdout

    def manage_json(self, *arguments: str) -> Any:
        """The JSON on the last line that `manage.py` wrote."""
        return json.loads(self.manage(*arguments).strip().splitlines()[-1])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
