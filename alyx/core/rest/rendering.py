"""Writing JSON answers."""

import json
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer

from alyx.core.clock import server_zone


def wire_time(at: datetime) -> str:
    """Naive ISO 8601, microseconds kept: a wall clock as it is, an instant in the server's zone."""
    if at.tzinfo is not None:
        at = at.astimezone(server_zone()).replace(tzinfo=None)
    return at.isoformat()


def _other(value: object) -> str:
    return wire_time(value) if isinstance(value, datetime) else str(value)


def encode_json(data: Any) -> bytes:
    """JSON text; integers beyond 64 bits (a client's JSON may hold them) take the slower way."""
    try:
        return orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME, default=_other)
    except orjson.JSONEncodeError:
        return json.dumps(data, default=_other, ensure_ascii=False, allow_nan=False).encode()


class JSONRenderer(BaseRenderer):
    """`application/json`."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """The body; a 204 has none."""
        if renderer_context and renderer_context["response"].status_code == 204:
            return b""
        return encode_json(data)


def json_text(text: str | bytes, status: int = 200) -> HttpResponse:
    """An answer whose JSON was made by PostgreSQL."""
    return HttpResponse(text, content_type="application/json", status=status)
