"""Logs: one JSON object per line for machines, one plain line for a terminal. Both with the request's id, neither with secrets."""

import json
import logging
import re
import sys
import time
from typing import Any

REQUEST_ID = ("alyx.core.audit", "request_id")
"""Module and name of the context variable that holds the id; read only once that module is loaded."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "server_time"}
_SECRET_NAME = re.compile(r"passw|secret|token|authori[sz]ation|cookie|api_?key|credential", re.IGNORECASE)
_SECRET_TEXT = [
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)", re.IGNORECASE), r"\g<keep>…"),
    (re.compile(r"(?P<keep>\b(?:token|bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\g<keep>…"),
    (
        re.compile(
            r"(?P<keep>[\"']?\b\w*(?:passw|secret|token)\w*[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,&;}\"']+)",
            re.IGNORECASE,
        ),
        r"\g<keep>…",
    ),
]


def without_secrets(text: str) -> str:
    """The text with passwords in URLs, tokens in headers and values of secret-looking names replaced by `…`."""
    for pattern, kept in _SECRET_TEXT:
        text = pattern.sub(kept, text)
    return text


def request_id() -> str:
    """Id of the request or job this thread serves; empty outside one."""
    variable = getattr(sys.modules.get(REQUEST_ID[0]), REQUEST_ID[1], None)
    return variable.get() if variable is not None else ""


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD and not name.startswith("_")}
    return {name: "…" if _SECRET_NAME.search(name) else _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))


class Lines(logging.Formatter):
    """For a terminal: time, level, where, message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it."""
        identity = f" [{request_id()[:8]}]" if request_id() else ""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.name}{identity}: {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_secrets(line)


class Json(logging.Formatter):
    """For a collector: one JSON object per line."""

    @staticmethod
    def converter(timestamp: float | None) -> time.struct_time:
        """Times are UTC."""
        return time.gmtime(timestamp)

    def format(self, record: logging.LogRecord) -> str:
        """Time (UTC), level, logger, message, request id, and whatever was passed as `extra`."""
        fields: dict[str, Any] = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if request_id():
            fields["request_id"] = request_id()
        fields |= _facts(record)
        if record.exc_info:
            fields["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


class WorthALine(logging.Filter):
    """Passes all but the health page, which is asked every few seconds."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it."""
        return ' /healthz"' not in record.getMessage()


def settings(*, level: str, as_json: bool) -> dict[str, Any]:
    """A `logging.config.dictConfig`: everything to standard error, requests' access lines included."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{__name__}.{'Json' if as_json else 'Lines'}"}},
        "filters": {"worth_a_line": {"()": f"{__name__}.WorthALine"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "django": {"level": "INFO", "handlers": [], "propagate": True},
            "django.server": {"level": "INFO", "handlers": [], "propagate": True},
            "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": True, "filters": ["worth_a_line"]},
            "celery.utils.functional": {"level": "INFO"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
        },
    }
