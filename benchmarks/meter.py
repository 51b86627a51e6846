"""What one call costs the server: statements, processor time of the serving process and of PostgreSQL's.

Requests enter by the WSGI application, with all middleware, authentication and connection pool, as they do behind gunicorn; only HTTP
itself (a few tenths of a millisecond) is left out. `benchmarks.load` measures with it.
"""

import gc
import io
import time
from collections.abc import Callable
from statistics import fmean
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from benchmarks import cpu


class Cost(NamedTuple):
    """Statements (login, BEGIN and COMMIT included); milliseconds of processor. `count_ms`: what of PostgreSQL's is the pages' count."""

    statements: int
    python_ms: float
    postgres_ms: float
    count_ms: float = 0.0

    @property
    def server_ms(self) -> float:
        """Both processes."""
        return self.python_ms + self.postgres_ms

    @property
    def page_ms(self) -> float:
        """PostgreSQL's without the count."""
        return max(self.postgres_ms - self.count_ms, 0.0)


class Call(NamedTuple):
    """A request. `body`, where there is one, is made anew each time, outside of the measured time."""

    path: str
    method: str = "GET"
    body: Callable[[], Any] | None = None


class Meter:
    """Sends calls as one user into this process."""

    def __init__(self, token: str) -> None:
        from django.core.wsgi import get_wsgi_application

        self.application: Any = get_wsgi_application()
        self.token = token
        gc.collect()
        gc.freeze()  # as each process does that serves (deploy/gunicorn.conf.py)

    def cost(self, call: Call, rounds: int) -> Cost:
        """The means of several calls, what garbage collection takes now and then included, after two that warm up."""
        statements, count_ms = self._statements(call)
        taken = [self._timed(call) for _ in range(rounds)]
        return Cost(statements, fmean(one for one, _ in taken), fmean(one for _, one in taken), count_ms)

    def ask(self, call: Call) -> Any:
        """The answer's JSON. Raises AssertionError when it is an error."""
        return orjson.loads(_send(self.application, self._environ(call)))

    def _timed(self, call: Call) -> tuple[float, float]:
        from django.db import connection

        environ, serving = self._environ(call), cpu.backends(str(connection.settings_dict["NAME"]))
        before, python = sum(map(cpu.of_process, serving)), time.process_time()
        _send(self.application, environ)
        python = time.process_time() - python
        return python * 1e3, (sum(map(cpu.of_process, serving)) - before) * 1e3

    def _statements(self, call: Call) -> tuple[int, float]:
        """How many, and what those that count rows cost PostgreSQL."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        spent: list[float] = []

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if not sql.startswith("SELECT COUNT("):
                return execute(sql, params, many, context)
            backend = connection.connection.info.backend_pid
            before = cpu.of_process(backend)
            try:
                return execute(sql, params, many, context)
            finally:
                spent.append(cpu.of_process(backend) - before)

        _send(self.application, self._environ(call))
        environ = self._environ(call)
        with CaptureQueriesContext(connection) as seen, connection.execute_wrapper(watch):
            _send(self.application, environ)
        return len(seen), sum(spent) * 1e3

    def _environ(self, call: Call) -> dict[str, Any]:
        path, _, query = call.path.partition("?")
        body = orjson.dumps(call.body()) if call.body else b""
        return {
            "REQUEST_METHOD": call.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"Token {self.token}",
            "HTTP_HOST": "localhost",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }


def _send(application: Any, environ: dict[str, Any]) -> bytes:
    said: list[str] = []
    answer = application(environ, lambda status, headers, *_: said.append(status))
    try:
        content = b"".join(answer)
    finally:
        answer.close()
    assert said[0].startswith("2"), (
        f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}: {said[0]} {content[:1000]!r}"
    )
    return content
