"""`/data/<lab>/Subjects/…`: the bytes of server repositories that lie on this machine.

Clients download without the registry's help: they build the address from the session's path and put the dataset's UUID
into the file name. So the UUID finds the dataset, the path must be one of its copies' names, and what is sent is the
file which the registry says is there, or nothing.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db.models import F
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_safe

from alyx.core.rest.errors import error_body
from alyx.labs.authentication import token_of
from alyx.labs.login import TooManyAttempts, check_password
from datasets.models import SERVER_ROLES, FileRecord, RepositoryKind, Tag
from datasets.rules.alf import without_uuid
from datasets.rules.copies import EXISTS

_UUID = re.compile(r"\.([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?=\.[^./]+$|$)")
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_CHUNK = 1 << 20
_KIND = "application/octet-stream"
_PASSWORD_SECONDS = 300
"""How long a right password is remembered: ONE sends it with every file, and a password hash costs 0.2 s of CPU."""


@require_safe
def serve_data(request: HttpRequest, path: str) -> HttpResponseBase:
    """A file of a server repository, whole or a range of it."""
    dataset_id = _dataset_of(path)
    try:
        if not (_may_read(request) or (dataset_id and _is_public(dataset_id))):
            return _who_are_you()
    except TooManyAttempts as error:
        return JsonResponse(error_body(429, str(error)), status=429, headers={"Retry-After": str(error.seconds)})
    if dataset_id is None:
        return _nothing("the file name carries no dataset UUID")
    reason = "the registry knows no copy of it here"
    for record in _copies(dataset_id, path):
        handle = _open(record)
        if isinstance(handle, int):
            return _answer(request, record, handle)
        reason = handle
    return _nothing(reason)


def _dataset_of(path: str) -> UUID | None:
    match = _UUID.search(path)
    return UUID(match[1]) if match else None


def _is_public(dataset_id: UUID) -> bool:
    return Tag.objects.filter(public=True, datasets=dataset_id).exists()


def _copies(dataset_id: UUID, path: str) -> Iterator[FileRecord]:
    """Copies of the dataset's current version at servers of this machine whose address ends in this path."""
    records = (
        FileRecord.objects.filter(
            dataset=dataset_id,
            dataset__withdrawn_at__isnull=True,
            state__in=sorted(EXISTS),
            content_version=F("dataset__content_version"),
            repository__role__in=SERVER_ROLES,
            repository__kind=RepositoryKind.POSIX,
        )
        .exclude(repository__root="")
        .select_related("repository", "dataset")
        .order_by("-state", "repository__name")
    )
    wanted = f"/{without_uuid(path)}"
    for record in records:
        folder = (record.repository.data_url or "").rstrip("/").rpartition("/data/")[2]
        if wanted in (
            f"/{folder}/{record.relative_path}",
            f"/{record.repository.name}/{folder}/{record.relative_path}",
        ):
            yield record


def _open(record: FileRecord) -> int | str:
    """An open descriptor of the copy, or why there is none. No link is followed, so nothing outside the root is read."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    *folders, name = record.stored_path.split("/")
    if ".." in folders or name == "..":
        return "its path climbs out of the repository"
    opened: list[int] = []
    try:
        opened.append(os.open(record.repository.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for folder in folders:
            opened.append(os.open(folder, flags | os.O_DIRECTORY, dir_fd=opened[-1]))
        handle = os.open(name, flags | os.O_NONBLOCK, dir_fd=opened[-1])
    except OSError as error:
        return f"the registry says it is here, but it cannot be opened ({error.strerror})"
    finally:
        for descriptor in opened:
            os.close(descriptor)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_size != record.dataset.size_bytes:
        os.close(handle)
        return (
            f"the file here has {found.st_size} bytes, the registry says {record.dataset.size_bytes}; it is not served"
        )
    return handle


def _answer(request: HttpRequest, record: FileRecord, handle: int) -> HttpResponseBase:
    size = os.fstat(handle).st_size
    tag = f'"{record.dataset.hash}"' if record.dataset.hash else ""
    if settings.ALYX_ACCEL:
        os.close(handle)
        return _sealed(_by_proxy(record), tag)
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
    response = _sealed(_body(request, handle, begin, end, status), tag)
    response.headers["Content-Length"] = str(end - begin)
    response.headers["Accept-Ranges"] = "bytes"
    if status == 206:
        response.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    return response


def _by_proxy(record: FileRecord) -> HttpResponseBase:
    """nginx sends the file, ranges included; what we checked it checks again (no links)."""
    response = HttpResponse(content_type=_KIND)
    response.headers["X-Accel-Redirect"] = settings.ALYX_ACCEL + quote(f"{record.repository.root}/{record.stored_path}")
    return response


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


def _may_read(request: HttpRequest) -> bool:
    """Whoever can log in reads: by token, by account or token as Basic password, or by the admin's session."""
    if request.user.is_authenticated:
        return True
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in {"token", "bearer"}:
        return token_of(credentials.strip()) is not None
    return scheme.lower() == "basic" and _is_account(request, credentials)


def _is_account(request: HttpRequest, credentials: str) -> bool:
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    if "\x00" in name or not secret:
        return False
    if (token := token_of(secret)) is not None:
        return token.user.get_username() == name or not name
    key = f"basic:{salted_hmac('datasets.serving', credentials, algorithm='sha256').hexdigest()}"
    known: Any = cache.get(key)
    if known is None:
        known = check_password(request, name, secret)
        cache.set(key, known, _PASSWORD_SECONDS if known else 10)
    return bool(known)


def _who_are_you() -> JsonResponse:
    """401, which makes downloading clients send their name and password; they know no token here."""
    text = "log in: a token, or HTTP Basic with your account's name and its password or a token as password"
    answer = JsonResponse(error_body(401, text), status=401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="alyx data", charset="UTF-8"'
    return answer


def _nothing(reason: str) -> JsonResponse:
    return JsonResponse(error_body(404, f"this file is not served: {reason}"), status=404)
