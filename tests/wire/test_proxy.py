"""The proxy itself: each kind of fault is what it says, and without one nothing is changed."""

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.wire.driver import Wire, wire
from tests.wire.proxy import ASK_LATER

pytestmark = pytest.mark.once
BODY = b"0123456789" * 1000


class Server(BaseHTTPRequestHandler):
    """Answers and counts."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []

    def do_PUT(self) -> None:
        """Take it."""
        got = self.rfile.read(int(self.headers["Content-Length"]))
        if len(got) == int(self.headers["Content-Length"]):
            self.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def link() -> Iterator[Wire]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with wire("127.0.0.1", server.server_port) as found:
        yield found
    server.shutdown()
    server.server_close()


def put(link: Wire, path: str = "/x", size: int = 5000) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", link.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("PUT", path, body=b"b" * size)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_without_a_fault_nothing_is_changed(link: Wire) -> None:
    assert put(link) == (200, BODY)
    connection = http.client.HTTPConnection("127.0.0.1", link.port, timeout=20)
    for _ in range(3):  # one connection
        connection.request("PUT", "/again", body=b"b")
        assert connection.getresponse().read() == BODY
    connection.close()


@pytest.mark.parametrize(
    ("kind", "facts", "happened"),
    [
        ("drop", {"after": 0}, True),
        ("drop", {"after": 400}, True),
        ("truncate", {"after": 400}, True),
        ("cut", {"after": 300}, False),
        ("half_close", {"after": 300}, False),
    ],
)
def test_a_connection_ends_where_it_was_told_to(link: Wire, kind: str, facts: dict[str, int], happened: bool) -> None:
    link.plant(kind, f"/{kind}{facts['after']}", **facts)
    path = f"/{kind}{facts['after']}"
    if kind == "half_close":
        with contextlib.suppress(OSError, http.client.HTTPException):
            put(link, path)
    else:
        with pytest.raises((OSError, http.client.HTTPException)):
            put(link, path)
    assert put(link) == (200, BODY)
    assert (path in Server.seen) == happened
    assert put(link, path) == (200, BODY), "once"


def test_an_answer_said_in_the_servers_place(link: Wire) -> None:
    link.plant("instead", "/busy", answer=ASK_LATER.format(more="Retry-After: 1\r\n"), times=2)
    assert [put(link, "/busy")[0] for _ in range(3)] == [429, 429, 200]
    assert Server.seen.count("/busy") == 1
    link.plant("after_effect", "/done", skip=1)
    assert [put(link, "/done")[0] for _ in range(3)] == [200, 500, 200]
    assert Server.seen.count("/done") == 3


def test_weather_is_the_same_for_the_same_seed_and_ends_when_healed(link: Wire) -> None:
    def a_day() -> list[int]:
        link.weather(7, 0.5, ["instead", "after_effect"])
        return [put(link)[0] for _ in range(20)]

    first, second = a_day(), a_day()
    assert first == second
    assert {200, 429, 500} <= set(first)
    assert link.heal()["instead"] >= 1
    assert [put(link)[0] for _ in range(5)] == [200] * 5
