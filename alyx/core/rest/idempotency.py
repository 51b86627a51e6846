"""`Idempotency-Key`: a POST that is sent again is answered again, and done once.

The first call claims its key by a row, in the transaction of its effect: either both are committed with the answer, or none
is, whenever the process dies. A repeat that comes while the first is at work waits for that row, so an outbox whose call timed
out reads the answer it missed.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.clock import AlyxNow
from alyx.core.errors import Conflict, Invalid
from alyx.core.models import AnsweredCall
from alyx.core.rest.errors import error_body

HEADER = "Idempotency-Key"
REPEATED = "Idempotency-Repeated"
"""This header of an answer says that it was stored."""
LONGEST_KEY = 255
LONGEST_PATH = 1000
KEPT_FOR = timedelta(days=14)
WAIT_S = 10
"""How long a repeat waits for the first; then it is told to come again."""
SWEPT_AT_ONCE = 5000

_CLAIM = """
INSERT INTO core_answeredcall (id, user_id, key, path, body_digest, content_type_sent)
VALUES (gen_random_uuid(), %s, %s, %s, %s, '') ON CONFLICT (user_id, key) DO NOTHING RETURNING id
"""
_LOCK_NOT_AVAILABLE = "55P03"


class _NotKept(Exception):
    """Carries an answer out of the transaction, which is rolled back."""

    def __init__(self, answer: HttpResponseBase) -> None:
        super().__init__()
        self.answer = answer


def answered_once(view: Any, act: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The handler of a POST whose caller gave it a key."""

    def post(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key, path = _key(request), request.get_full_path()
        digest = _digest(path, request.data)
        try:
            with transaction.atomic():
                made = _claim(request.user.pk, key, path[:LONGEST_PATH], digest)
                if made is None:
                    return _repeated(request.user.pk, key, path[:LONGEST_PATH], digest)
                answer: HttpResponse = _done(view, lambda: act(request, *args, **kwargs))
                if not _is_kept(answer):
                    raise _NotKept(answer)
                AnsweredCall.objects.filter(pk=made).update(
                    status=answer.status_code,
                    answer=answer.content,
                    content_type_sent=answer.headers.get("Content-Type", "")[:255],
                )
                return answer
        except _NotKept as given:
            return given.answer
        except _StillAnswering:
            text = f"{HEADER} {key!r} is being answered; send the call again in a moment"
            return Response(error_body(409, text), status=409, headers={"Retry-After": "1"})

    return post


class _StillAnswering(Exception):
    """The first call with this key has not ended in time."""


def _key(request: Request) -> str:
    key = request.headers[HEADER].strip()
    if not 1 <= len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise Invalid.of(HEADER, f"send 1 to {LONGEST_KEY} printable ASCII characters, such as a UUID")
    return key


def _digest(path: str, data: Any) -> str:
    """Of what the body says, not of its bytes: a client that sends a form again draws another boundary."""
    whole = hashlib.sha256(path.encode())
    if isinstance(data, QueryDict):
        for name in sorted(data):
            for value in data.getlist(name):
                said = _of_file(value) if isinstance(value, UploadedFile) else str(value)
                whole.update(json.dumps([name, said]).encode())
    else:
        whole.update(json.dumps(data, sort_keys=True).encode())
    return whole.hexdigest()


def _of_file(file: UploadedFile[bytes]) -> list[Any]:
    content = hashlib.sha256()
    for chunk in file.chunks():
        content.update(chunk)
    file.seek(0)
    return [file.name, content.hexdigest()]


def _claim(user: Any, key: str, path: str, digest: str) -> Any:
    """The id of the new row; None when the key was used. Waits for a call that is using it. Raises _StillAnswering."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)", [f"{WAIT_S}s"]
            )
            before = cursor.fetchone()[0]
            cursor.execute(_CLAIM, [user, key, path, digest])
            row = cursor.fetchone()
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise _StillAnswering from None
        raise
    return row[0] if row else None


def _repeated(user: Any, key: str, path: str, digest: str) -> HttpResponseBase:
    """What was answered. Raises Conflict when the key stood for another call."""
    first = AnsweredCall.objects.get(user=user, key=key)
    if first.path != path:
        raise Conflict(f"{HEADER} {key!r} was used for POST {first.path}; give this call a key of its own")
    if first.body_digest != digest:
        raise Conflict(f"{HEADER} {key!r} was used with another body; give this call a key of its own")
    answer = HttpResponse(bytes(first.answer or b""), status=first.status, content_type=first.content_type_sent or None)
    answer.headers[REPEATED] = "true"
    return answer


def _done(view: Any, act: Callable[[], HttpResponseBase]) -> Any:
    """The answer, rendered. A refused call leaves nothing but its answer; a mistake of ours is raised."""
    try:
        with transaction.atomic():
            answer = act()
    except Exception as error:  # noqa: BLE001  (what is not a refusal is raised again by the handler)
        answer = view.handle_exception(error)
    answer = view.finalize_response(view.request, answer, *view.args, **view.kwargs)
    return answer.render() if isinstance(answer, Response) else answer


def _is_kept(answer: Any) -> bool:
    """Not what may go otherwise the next time: a fault here, or an answer that itself says when to try again."""
    return answer.status_code < 500 and "Retry-After" not in answer.headers and not answer.streaming


def sweep() -> int:
    """Forget answers that nobody will ask for any more; how many."""
    old = AnsweredCall.objects.filter(created_at__lt=AlyxNow() - KEPT_FOR).order_by("created_at")
    count, _ = AnsweredCall.objects.filter(pk__in=old.values("pk")[:SWEPT_AT_ONCE]).delete()
    return count
