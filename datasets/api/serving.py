"""`/data/<lab>/Subjects/…`: the bytes of server repositories, from this machine or by an address elsewhere.

Clients download without the registry's help: they build the address from the session's path and put the dataset's UUID
into the file name. So the UUID finds the dataset, the path must be one of its copies' names, and what is sent is the
file which the registry says is there, or nothing. Whoever may read a file in a bucket is sent to an address there that
holds for an hour.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import F
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_safe

from alyx.core.reading import readable
from alyx.core.rest.errors import error_body
from alyx.labs.authentication import token_of
from alyx.labs.login import TooManyAttempts, check_password
from alyx.labs.models import User
from datasets.api.sending import send_file
from datasets.models import SERVER_ROLES, Dataset, FileRecord, RepositoryKind, Tag
from datasets.rules.alf import without_uuid
from datasets.rules.copies import EXISTS

ADDRESSES: dict[str, Callable[[FileRecord, str], str]] = {}
"""For kinds of repositories whose bytes are elsewhere: gives (copy, GET or HEAD) the address, or raises LookupError with the
reason there is none. Filled by whoever knows such places."""

_UUID = re.compile(r"\.([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?=\.[^./]+$|$)")
_PASSWORD_SECONDS = 300
"""How long a right password is remembered: ONE sends it with every file, and a password hash costs 0.2 s of CPU."""
NO_COPY = "the registry knows no copy of it here"


@require_safe
def serve_data(request: HttpRequest, path: str) -> HttpResponseBase:
    """A file of a server repository, whole or a range of it."""
    dataset_id = _dataset_of(path)
    try:
        caller = _caller(request)
    except TooManyAttempts as error:
        return JsonResponse(error_body(429, str(error)), status=429, headers={"Retry-After": str(error.seconds)})
    if caller is None and not (dataset_id and _is_public(dataset_id)):
        return _who_are_you()
    if dataset_id is None:
        return _nothing("the file name carries no dataset UUID")
    if caller is not None and not _reads(caller, dataset_id):
        return _nothing(NO_COPY)
    reason = NO_COPY
    for record in _copies(dataset_id, path):
        answer = _answer(request, record)
        if not isinstance(answer, str):
            return answer
        reason = answer
    return _nothing(reason)


def _dataset_of(path: str) -> UUID | None:
    match = _UUID.search(path)
    return UUID(match[1]) if match else None


def _is_public(dataset_id: UUID) -> bool:
    return Tag.objects.filter(public=True, datasets=dataset_id).exists()


def _copies(dataset_id: UUID, path: str) -> Iterator[FileRecord]:
    """Copies of the dataset's current version at servers within reach whose address ends in this path."""
    records = (
        FileRecord.objects.filter(
            dataset=dataset_id,
            dataset__withdrawn_at__isnull=True,
            state__in=sorted(EXISTS),
            content_version=F("dataset__content_version"),
            repository__role__in=SERVER_ROLES,
            repository__kind__in=[RepositoryKind.POSIX, *ADDRESSES],
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


def _answer(request: HttpRequest, record: FileRecord) -> HttpResponseBase | str:
    """The copy, or why it is not there."""
    address_of = ADDRESSES.get(record.repository.kind)
    if address_of is not None:
        try:
            return HttpResponseRedirect(address_of(record, str(request.method)), headers={"Cache-Control": "no-store"})
        except LookupError as error:
            return str(error)
    handle = _open(record)
    if isinstance(handle, str):
        return handle
    tag = f'"{record.dataset.hash}"' if record.dataset.hash else ""
    return send_file(request, handle, path=f"{record.repository.root}/{record.stored_path}", tag=tag)


def _reads(caller: User, dataset_id: UUID) -> bool:
    return readable(caller, Dataset.objects.filter(pk=dataset_id)).exists() or _is_public(dataset_id)


def _caller(request: HttpRequest) -> User | None:
    """Who has logged in: by token, by account or token as Basic password, or by the admin's session.

    A public account has no more than anybody: files tagged public. Raises TooManyAttempts.
    """
    user = _logged_in(request)
    return None if user is None or user.is_public_user else user


def _logged_in(request: HttpRequest) -> User | None:
    if request.user.is_authenticated:
        return request.user
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in {"token", "bearer"}:
        token = token_of(credentials.strip())
        return token.user if token else None
    return _by_basic(request, credentials) if scheme.lower() == "basic" else None


def _by_basic(request: HttpRequest, credentials: str) -> User | None:
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if "\x00" in name or not secret:
        return None
    if (token := token_of(secret)) is not None:
        return token.user if name in {token.user.get_username(), ""} else None
    key = f"basic:{salted_hmac('datasets.serving', credentials, algorithm='sha256').hexdigest()}"
    known: Any = cache.get(key)
    if known is None:
        known = check_password(request, name, secret)
        cache.set(key, known, _PASSWORD_SECONDS if known else 10)
    return User.objects.filter(username=name, is_active=True).first() if known else None


def _who_are_you() -> JsonResponse:
    """401, which makes downloading clients send their name and password; they know no token here."""
    text = "log in: a token, or HTTP Basic with your account's name and its password or a token as password"
    answer = JsonResponse(error_body(401, text), status=401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="alyx data", charset="UTF-8"'
    return answer


def _nothing(reason: str) -> JsonResponse:
    return JsonResponse(error_body(404, f"this file is not served: {reason}"), status=404)
