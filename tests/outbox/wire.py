"""A registry that goes down, comes back, answers late or breaks off, and rigs that are killed: real sockets, real processes."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
Moment = Callable[[str], None]


class Line:
    """Stands between a rig and the registry, at an address of its own that can be closed and opened.

    `at` is called with the name of each moment of a call: "arrived" (nothing is done yet), "done" (the registry has answered, the
    rig has not heard of it), "told".
    """

    def __init__(self, registry: str) -> None:
        self.registry = urlsplit(registry)
        self.at: Moment = lambda _: None
        self.is_late = False
        self.seen: list[str] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """What the rig is told."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """The registry is up."""
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                line.carry(self)

            do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815  (the library's names)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def close(self) -> None:
        """The registry is down."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def carry(self, call: BaseHTTPRequestHandler) -> None:
        """One call to the registry and its answer back."""
        body = call.rfile.read(int(call.headers["Content-Length"] or 0))
        self.seen.append(f"{call.command} {call.path}")
        self.at("arrived")
        onward = HTTPConnection(str(self.registry.hostname), self.registry.port, timeout=60)
        headers = {name: value for name, value in call.headers.items() if name.lower() != "host"}
        onward.request(call.command, call.path, body, headers)
        answer = onward.getresponse()
        content = answer.read()
        onward.close()
        self.at("done")
        if self.is_late:
            call.connection.recv(1)  # until the rig hangs up
            return
        call.send_response(answer.status)
        for name in ("Content-Type", "Retry-After", "Idempotency-Repeated"):
            if answer.headers[name]:
                call.send_header(name, answer.headers[name])
        call.send_header("Content-Length", str(len(content)))
        call.end_headers()
        call.wfile.write(content)
        self.at("told")


def a_rig(program: str, *arguments: object, reads: bool = False) -> "subprocess.Popen[str]":
    """A process of a rig; what it prints is read line by line. `reads`: it waits for lines."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", program, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE if reads else None,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(rig: "subprocess.Popen[str]") -> None:
    """Without a chance to tidy up."""
    rig.send_signal(signal.SIGKILL)
