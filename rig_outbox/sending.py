"""How a call reaches the registry: by `Http` alone, or through the client that a rig has already logged in with."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 30.0


class Unreachable(Exception):
    """No answer came: the call may have been done or not, unless `never_sent`. It is sent again, with the same key."""

    def __init__(self, text: str, *, never_sent: bool = False) -> None:
        super().__init__(text)
        self.never_sent = never_sent


@dataclass(frozen=True)
class Answer:
    """What the registry said. `again_in` is its `Retry-After` in seconds, when it sent one."""

    status: int
    body: Any
    again_in: float | None = None


Send = Callable[[str, str, Any, str], Answer]
"""(method, path, body, key) → the answer. Raises Unreachable."""


def _decoded(content: bytes) -> Any:
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")[:2000]


def seconds(header: str | None) -> float | None:
    """`Retry-After` when it is a number of seconds."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET: it is a wrong address, and said so."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Never."""


class Http:
    """Calls by the standard library, with a token of the rig's account.

    Args:
        url: the registry, such as `https://alyx.lab.org`.
        token: what `POST /auth-token` answered, or what an administrator gave.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = TIMEOUT_S) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is not the address of a registry: it begins with neither http:// nor https://")
        self.url, self.timeout_s = url.rstrip("/"), timeout_s
        self._headers: Mapping[str, str] = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        self._open = urllib.request.build_opener(_NoRedirect).open

    def __call__(self, method: str, path: str, body: Any, key: str) -> Answer:
        """Send one call. Raises Unreachable."""
        request = urllib.request.Request(  # noqa: S310  (checked in __init__)
            f"{self.url}/{path.lstrip('/')}",
            data=json.dumps(body).encode(),
            method=method,
            headers={**self._headers, "Idempotency-Key": key},
        )
        try:
            with self._open(request, timeout=self.timeout_s) as answer:
                return Answer(answer.status, _decoded(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _decoded(error.read()), seconds(error.headers.get("Retry-After")))
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            never_sent = isinstance(cause, ConnectionRefusedError | socket.gaierror)
            raise Unreachable(f"{self.url} does not answer: {cause}", never_sent=never_sent) from error


def through_alyx_client(alyx: Any, *, timeout_s: float = TIMEOUT_S) -> Send:
    """Calls in the name of a logged-in `one.webclient.AlyxClient`.

    Its token is read at each call, so a new login is used at once.
    """

    def send(method: str, path: str, body: Any, key: str) -> Answer:
        if not alyx.is_logged_in:
            raise Unreachable("the client is not logged in", never_sent=True)
        token = str(alyx._headers["Authorization"]).split(" ", 1)[1]  # noqa: SLF001  (it has no other name for it)
        return Http(str(alyx.base_url), token, timeout_s=timeout_s)(method, path, body, key)

    return send
