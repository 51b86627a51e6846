"""The supervisor's own look at `/healthz`: what is silent twice in a row is said, and told by a process of its own."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from alyx.runtime.children import Child
from alyx.runtime.instance import Instance
from alyx.runtime.supervisor import Supervisor


class _Health(BaseHTTPRequestHandler):
    parts: dict[str, str] = {}

    def do_GET(self) -> None:
        body = json.dumps(self.parts).encode()
        self.send_response(200 if set(self.parts.values()) == {"ok"} else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_silence_is_said_once_and_told(port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told"
    supervisor = Supervisor(Instance(tmp_path), "127.0.0.1", port)
    supervisor._ready = True
    supervisor._alarm = Child("alarm", ["-c", f"open({str(told)!r}, 'w').close()"])

    def look() -> str:
        supervisor._next_health = 0.0
        supervisor._watch_health()
        return capsys.readouterr().out

    _Health.parts = {"database": "ok", "tick": "not heard"}
    assert look() == ""
    assert "ALARM: not heard: tick" in look()
    assert supervisor._alarm._process is not None
    assert supervisor._alarm._process.wait(timeout=60) == 0
    assert told.exists()
    _Health.parts = {"database": "ok"}
    assert "all is heard again" in look()
    assert look() == ""
