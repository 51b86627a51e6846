"""How an error reads on the wire.

The field keys with lists stand at top level (as clients of the peer expect), beside `status_code`, `detail` (always
there, for people) and `errors` (by field). Never a traceback, never HTML to a client.
"""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from alyx.core.audit import request_id
from alyx.core.errors import DomainError
from alyx.core.rest.query_time import is_too_slow, too_slow

logger = logging.getLogger(__name__)


def _plain(value: Any) -> Any:
    """Strings and lists without DRF's ErrorDetail."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


def _sentence(errors: Any) -> str:
    """One human sentence of nested field errors."""
    if isinstance(errors, dict):
        return "; ".join(
            f"{key}: {_sentence(value)}" if key != "non_field_errors" else _sentence(value)
            for key, value in errors.items()
        )
    if isinstance(errors, list):
        return " ".join(_sentence(item) for item in errors)
    return str(errors)


def error_body(status: int, detail: str, errors: dict[str, Any] | None = None, **extra: Any) -> dict[str, Any]:
    """The body of every error answer."""
    errors = errors or {}
    reserved = {"detail", "status_code", "errors"}
    return {
        **{k: v for k, v in errors.items() if k not in reserved},
        **extra,
        "detail": detail,
        "errors": errors,
        "status_code": status,
    }


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook."""
    set_rollback()
    if is_too_slow(error):
        logger.warning("a read took too long: %s", context["request"].get_full_path())
        error = too_slow(context["request"], context["view"])
    if isinstance(error, DomainError):
        return Response(error_body(error.status, error.detail, error.fields, **error.extra), status=error.status)
    known = _known(error)
    return _answer(known) if known else None


def _known(error: Exception) -> exceptions.APIException | None:
    """The error as one of REST framework's, None when it is a mistake of ours (a 500)."""
    if isinstance(error, exceptions.APIException):
        return error
    for ours, theirs in ((Http404, exceptions.NotFound), (PermissionDenied, exceptions.PermissionDenied)):
        if isinstance(error, ours):
            return theirs()
    if isinstance(error, RequestDataTooBig):
        return _TooLarge()
    if isinstance(error, DataError):
        logger.warning("a value PostgreSQL cannot hold: %s", error)
        return exceptions.ParseError("a value is out of the range that can be stored")
    if isinstance(error, OperationalError):
        logger.error("the database did not answer: %s", error)
        return _Unavailable()
    return None


class _TooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "the body is larger than this server takes; send fewer files in one call"


class _Unavailable(exceptions.APIException):
    status_code = 503
    default_detail = "the database did not answer; try again"
    wait = 5


def _is_flat(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _answer(error: exceptions.APIException) -> Response:
    status, detail = error.status_code, _plain(error.detail)
    wait = getattr(error, "wait", None)
    headers = {"Retry-After": str(int(wait) + 1)} if wait else {}
    fields: dict[str, Any] = {}
    if isinstance(detail, dict):
        fields = {name: value if _is_flat(value) else [_sentence(value)] for name, value in detail.items()}
    elif isinstance(detail, list):
        fields = {"non_field_errors": detail}
    return Response(error_body(status, _sentence(detail), fields), status=status, headers=headers)


def server_error(request: HttpRequest) -> JsonResponse:
    """`handler500`: the cause is in the log under the request id."""
    return JsonResponse(error_body(500, f"something broke here; the log knows it as {request_id.get()}"), status=500)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """`handler404`."""
    return JsonResponse(error_body(404, f"there is nothing at {request.path}"), status=404)


def forbidden(request: HttpRequest, exception: Exception) -> JsonResponse:
    """`handler403`."""
    return JsonResponse(error_body(403, "you may not do this"), status=403)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """`handler400`."""
    return JsonResponse(error_body(400, "this request cannot be understood"), status=400)
