"""Bodies are bounded before anybody reads them."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from alyx.core.rest.errors import error_body


class BodyLimitMiddleware:
    """Refuses a request whose announced length is above the limit, with 413, and one that announces none, with 411: it
    would be read as empty."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve or refuse."""
        if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
            return JsonResponse(error_body(411, "send the body with its Content-Length, not in chunks"), status=411)
        length = request.headers.get("Content-Length", "0")
        if not length.isdigit() and length:
            return JsonResponse(error_body(400, "Content-Length is not a number"), status=400)
        if int(length or 0) > settings.ALYX_MAX_BODY_BYTES:
            text = f"the body is larger than {settings.ALYX_MAX_BODY_BYTES} bytes; send fewer files in one call"
            return JsonResponse(error_body(413, text), status=413)
        return self.get_response(request)
