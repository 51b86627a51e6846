"""Bugs that a server could have, planted in the real application: what each does to an answer. To see that the checks find them.

    python -m gunicorn 'tests.clients.planted:application()'

`PLANTED` names a file; while it holds the name of a bug, the answers of this process have it, and `FILE.shown` appears when
one of them did.
"""

import json
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "PLANTED"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Bug:
    """What is wrong. `spoil` changes an answer's JSON in place or returns another; `where` matches "METHOD /path"."""

    where: str
    spoil: Callable[[Any], Any]
    status: int | None = None

    def concerns(self, request: str) -> bool:
        """Whether this is a request that it spoils."""
        return re.fullmatch(self.where, request) is not None


def without_filter(endpoint: str, name: str) -> Bug:
    """The filter works, and is missing in the schema."""

    def spoil(schema: Any) -> None:
        listed = schema["paths"][f"/{endpoint}"]["get"]
        listed["parameters"] = [one for one in listed["parameters"] if one["name"] != name]

    return Bug("GET /api/schema", spoil)


def records(answer: Any) -> Iterator[dict[str, Any]]:
    """Those of a page, or the one."""
    yield from answer.get("results", [answer])


def each(change: Callable[[dict[str, Any]], object], *, under: str = "") -> Callable[[Any], None]:
    """In every record, or in every one nested in it `under` a name."""

    def spoil(answer: Any) -> None:
        for record in records(answer):
            for one in record.get(under, []) if under else [record]:
                change(one)

    return spoil


def _null_pattern(record: dict[str, Any]) -> None:
    if record["filename_pattern"] == "":
        record["filename_pattern"] = None


def _zoned(record: dict[str, Any]) -> None:
    record["start_time"] += "Z"


def _without_microseconds(record: dict[str, Any]) -> None:
    record["start_time"] = record["start_time"][:19]


def _another(answer: dict[str, Any]) -> None:
    new = str(uuid.uuid4())
    answer.update(id=new, url=answer["url"].replace(answer["id"], new))


def _as_bool(record: dict[str, Any]) -> None:
    record["default_revision"] = record["default_revision"] == "True"


SESSION, SESSIONS = r"GET /sessions/[0-9a-f-]{36}", r"GET /sessions"
NESTED = "data_dataset_session_related"

BUGS: Mapping[str, Bug] = {
    "a filter of sessions is missing in the schema": without_filter("sessions", "histology"),
    "a filter of sessions that ONE sends is missing in the schema": without_filter("sessions", "task_protocol"),
    "a filter of insertions is missing in the schema": without_filter("insertions", "atlas_acronym"),
    "a filter of datasets is missing in the schema": without_filter("datasets", "probe_insertion"),
    "pages cannot be asked for by the schema": without_filter("sessions", "offset"),
    "filename_pattern is null": Bug("GET /dataset-types", each(_null_pattern)),
    "data_url of a session's datasets is null": Bug(SESSION, each(lambda one: one.update(data_url=None), under=NESTED)),
    "data_url of a session's datasets is dropped": Bug(SESSION, each(lambda one: one.pop("data_url"), under=NESTED)),
    "data_url of file records is null": Bug(
        r"GET /datasets", each(lambda one: one.update(data_url=None), under="file_records")
    ),
    "data_url of file records is dropped": Bug(
        r"GET /datasets(/.*)?", each(lambda one: one.pop("data_url"), under="file_records")
    ),
    "register-file answers an object": Bug("POST /register-file", lambda answer: {"results": answer}),
    "register-file answers in another order": Bug("POST /register-file", lambda answer: answer[::-1]),
    "a session that is there is made again": Bug("POST /sessions", _another, 201),
    "pages end too early": Bug(SESSIONS, lambda answer: answer.update(next=None)),
    "the count is that of the page": Bug(SESSIONS, lambda answer: answer.update(count=len(answer["results"]))),
    "times have a zone": Bug(SESSIONS, each(_zoned)),
    "microseconds are lost": Bug(r"PUT /sessions/[0-9a-f-]{36}", each(_without_microseconds)),
    "the hash of a file is left out": Bug(SESSION, each(lambda one: one.update(hash=None), under=NESTED)),
    "default_revision is a boolean": Bug(SESSION, each(_as_bool, under=NESTED)),
    "logging in answers more than the token": Bug("POST /auth-token", lambda answer: answer.update(expires=None)),
    "a stale token is a 401": Bug(SESSIONS, lambda answer: None, 401),
    "an unknown repository is a 500": Bug("POST /register-file", lambda answer: {"detail": "server error"}, 500),
    "check-protected refuses by its status": Bug("GET /check-protected", lambda answer: None, 403),
    "weighings answer more than they should": Bug(r"POST /weighings", lambda answer: answer.update(id=1)),
}


class Planted:
    """The application with the bug that the file names."""

    def __init__(self, real: Application, file: Path) -> None:
        self.real, self.file = real, file

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        bug = BUGS.get(self.file.read_text())
        if bug is None or not bug.concerns(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"):
            return self.real(environ, start_response)
        told: list[Any] = []
        answer = self.real(environ, lambda status, headers, error=None: told.extend([status, headers]))
        try:
            content = json.loads(b"".join(answer))
        finally:
            getattr(answer, "close", lambda: None)()
        content = bug.spoil(content) or content
        body = json.dumps(content).encode()
        status, headers = told
        headers = [(name, value) for name, value in headers if name.lower() not in {"content-length", "etag"}]
        self.file.with_suffix(".shown").touch()
        start_response(
            f"{bug.status} Planted" if bug.status else status, [*headers, ("Content-Length", str(len(body)))]
        )
        return [body]


def application() -> Planted:
    """For gunicorn."""
    from alyx.wsgi import application as real

    return Planted(real, Path(os.environ[FILE]))
