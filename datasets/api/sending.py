"""An open file as the answer to a request: whole or a range of it, by nginx where it stands in front."""

import os
import re
from collections.abc import Iterator
from urllib.parse import quote

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_CHUNK = 1 << 20
_KIND = "application/octet-stream"


def send_file(request: HttpRequest, handle: int, *, path: str, tag: str) -> HttpResponseBase:
    """The answer. The handle is closed by it or before.

    Args:
        request: whose headers say which part.
        handle: the open file.
        path: its full path, for nginx, which sends ranges too; what we checked it checks again (no links).
        tag: the ETag in quotes; empty for none.
    """
    size = os.fstat(handle).st_size
    if settings.ALYX_ACCEL:
        os.close(handle)
        response = HttpResponse(content_type=_KIND)
        response.headers["X-Accel-Redirect"] = settings.ALYX_ACCEL + quote(path)
        return _sealed(response, tag)
    if tag and request.headers.get("If-None-Match") == tag:
        os.close(handle)
        return _sealed(HttpResponse(status=304), tag)
    begin, end, status = 0, size, 200
    span = _span(request.headers.get("Range", ""), size)
    if span is not None and request.headers.get("If-Range", tag) == tag:
        (begin, end), status = span, 206
        if begin >= end:
            os.close(handle)
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    part = _sealed(_body(request, handle, begin, end, status), tag)
    part.headers["Content-Length"] = str(end - begin)
    part.headers["Accept-Ranges"] = "bytes"
    if status == 206:
        part.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    return part


def _sealed(response: HttpResponseBase, tag: str) -> HttpResponseBase:
    """Files come from rigs: no browser may take one for a page of ours."""
    response.headers["Content-Disposition"] = "attachment"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, no-transform"
    if tag:
        response.headers["ETag"] = tag
    return response


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last of a single range; None for anything else, which gets the whole file."""
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        return max(size - int(match[2]), 0), size
    return int(match[1]), min(int(match[2]) + 1, size) if match[2] else size


def _body(request: HttpRequest, handle: int, begin: int, end: int, status: int) -> HttpResponseBase:
    if request.method == "HEAD":
        os.close(handle)
        return HttpResponse(content_type=_KIND, status=status)
    if status == 200:
        return FileResponse(os.fdopen(handle, "rb"), content_type=_KIND)
    return StreamingHttpResponse(_Part(handle, begin, end), content_type=_KIND, status=status)


class _Part:
    """Some bytes of an open file, in chunks. Closes the file when the answer is done, sent or not."""

    def __init__(self, handle: int, begin: int, end: int) -> None:
        self.file = os.fdopen(handle, "rb")
        self.file.seek(begin)
        self.left = end - begin

    def __iter__(self) -> Iterator[bytes]:
        while self.left and (chunk := self.file.read(min(_CHUNK, self.left))):
            self.left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Django calls this at the end."""
        self.file.close()
