"""A process that speaks the wire of Globus Transfer (v0.10) and Globus Auth on loopback, and really copies files.

`python -m tests.globus.stand_in <folder> [port]`: the state is in `<folder>`, the port is told in `<folder>/port`. Kill it, start
it again on the same folder and port, and it goes on. Below `/_control/` a test registers collections and plants faults.
"""

import base64
import json
import secrets
import sys
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.globus import documents
from tests.globus.documents import Doc
from tests.globus.mover import Mover
from tests.globus.transfer_api import Refusal, TransferApi
from tests.globus.world import World

TOKEN_SECONDS = 172_800


class Server(ThreadingHTTPServer):
    """The listening part."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, world: World) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.world, self.api = world, TransferApi(world)
        self.recent: deque[float] = deque()

    def too_many(self) -> bool:
        """Whether this call is one too many in this second (only where a test has set a rate)."""
        rate = (self.world.get("clock", "rate") or {}).get("per_second")
        now = time.monotonic()
        while self.recent and now - self.recent[0] > 1:
            self.recent.popleft()
        if rate and len(self.recent) >= rate:
            return True
        self.recent.append(now)
        return False


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Everything goes one way."""
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Calls are counted instead."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The service's time, which tests shift."""
        return super().date_time_string(self.server.world.now() if timestamp is None else int(timestamp))

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        subject, world = f"{self.command} {url.path}", self.server.world
        if url.path.startswith("/_control/"):
            self._answer(
                200, control(world, self.command, url.path.removeprefix("/_control/"), json.loads(body or b"{}"))
            )
            return
        world.put("call", secrets.token_hex(8), {"subject": subject})
        slow = world.fault("slow", subject)
        if slow:
            time.sleep(slow["seconds"])
        if world.fault("cut_before", subject):
            self._hang_up()
            return
        if self.server.too_many():
            self._refuse(Refusal(429, "TooManyRequests", "Slow down"), url.path, {"Retry-After": "1"})
            return
        told = world.fault("refuse", subject)
        if told:
            refusal = Refusal(
                told["status"], told["code"], told.get("message", "Told to refuse"), **told.get("body", {})
            )
            self._refuse(refusal, url.path, told.get("headers", {}))
            return
        status, answer = self._result(url.path, dict(parse_qsl(url.query)), body)
        if world.fault("cut", subject):
            self._hang_up()
        elif world.fault("late_error", subject):
            self._refuse(Refusal(500, "InternalError", "It went wrong after it was done"), url.path, {})
        else:
            self._answer(status, answer)

    def _result(self, path: str, query: dict[str, str], body: bytes) -> tuple[int, Doc]:
        try:
            if path.startswith("/v2/oauth2/token"):
                form = dict(parse_qsl(body.decode()))
                return 200, auth(self.server.world, path, form, self.headers.get("Authorization", ""))
            self._check_token()
            return 200, self.server.api.answer(self.command, path, query, json.loads(body or b"{}"))
        except Refusal as refusal:
            return refusal.status, documents.refused(refusal.code, refusal.message, path, **refusal.more)

    def _check_token(self) -> None:
        held = self.headers.get("Authorization", "").removeprefix("Bearer ")
        known = self.server.world.get("token", held)
        if known is None or known["ends"] < self.server.world.now():
            raise Refusal(401, "AuthenticationFailed", "Token is not valid")

    def _refuse(self, refusal: Refusal, path: str, headers: dict[str, str]) -> None:
        body = documents.refused(refusal.code, refusal.message, path, **refusal.more)
        self._answer(refusal.status, body, headers)

    def _hang_up(self) -> None:
        self.close_connection = True

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def auth(world: World, path: str, form: dict[str, str], authorization: str) -> Doc:
    """The token endpoint of Globus Auth, and introspection. Raises Refusal."""
    client = form.get("client_id", "")
    confidential = authorization.startswith("Basic ")
    if confidential:
        client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    known = world.get("client", client)
    if known is None or (confidential and known["secret"] != secret):
        raise Refusal(401, "Error", "invalid_client", error="invalid_client")
    if path.endswith("/introspect"):
        token = world.get("token", form.get("token", ""))
        alive = token is not None and token["ends"] >= world.now()
        return documents.introspected(client, int(token["ends"])) if token and alive else {"active": False}
    grant = form.get("grant_type")
    by_refresh = grant == "refresh_token" and form.get("refresh_token") == known.get("refresh")
    if not by_refresh and not (grant == "client_credentials" and confidential):
        raise Refusal(400, "Error", "invalid_grant", error="invalid_grant")
    access = secrets.token_urlsafe(24)
    world.put("token", access, {"ends": world.now() + TOKEN_SECONDS})
    return documents.token(access, TOKEN_SECONDS, form.get("refresh_token"))


def control(world: World, method: str, what: str, body: Doc) -> Any:
    """What only tests ask."""
    kind, _, key = what.partition("/")
    if kind == "faults":
        world.plant(body) if method == "POST" else world.drop("fault")
    elif kind in {"collection", "client", "task", "clock"}:
        world.change(kind, key, **body)
    elif kind == "tokens":
        world.drop("token")
    elif kind == "calls":
        return [call["subject"] for call in world.every("call")]
    elif kind == "tasks":
        return world.every("task")
    return {}


def main() -> None:
    """Serve until killed."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    world = World(folder)
    server = Server(port, world)
    Mover(world).start()
    aside = folder / "port.new"
    aside.write_text(str(server.server_port))
    aside.rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
