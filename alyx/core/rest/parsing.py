"""Reading JSON bodies: bounded, and nothing in them that cannot be stored."""

import json
from typing import IO, Any, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from alyx.core.json_column import check_json


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; send null")


def decode_json(body: bytes) -> Any:
    """Decode a body. Raises ParseError (400) with a sentence."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        check_json(value)
    except RecursionError:
        raise ParseError("JSON is nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ParseError(f"the body cannot be read as JSON: {error}") from None
    return value


class StrictJSONParser(BaseParser):
    """`application/json`, up to the server's body limit."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        """The decoded body. Raises ParseError, RequestDataTooBig."""
        body = stream.read(settings.ALYX_MAX_BODY_BYTES + 1)
        if len(body) > settings.ALYX_MAX_BODY_BYTES:
            raise RequestDataTooBig
        return decode_json(body)
