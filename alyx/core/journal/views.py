"""The journal over HTTP: for pages of ours, by the login of the page."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.http import require_safe
from rest_framework.exceptions import ParseError

from alyx.core.errors import DomainError
from alyx.core.journal import pictures
from alyx.core.journal.applying import apply_batch, received_now
from alyx.core.journal.kinds import KINDS
from alyx.core.journal.models import JournalEntry, waiting
from alyx.core.journal.wire import read_batch
from alyx.core.reading import reach_of
from alyx.core.rest.errors import error_body
from alyx.core.rest.parsing import decode_json

View = Callable[..., HttpResponse]


def bench(*methods: str, login: bool = True) -> Callable[[View], View]:
    """A call of a bench page: JSON errors, 401 without a login, 403 for public accounts, 503 when the database does not answer."""

    def decorate(view: View) -> View:
        def called(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method not in methods:
                answer = _error(405, f"use {' or '.join(methods)}")
                answer.headers["Allow"] = ", ".join(methods)
                return answer
            if login and not request.user.is_authenticated:
                return _error(401, "you are not logged in (any more)")
            if login and reach_of(request.user).is_public:
                return _error(403, "a public account writes nothing")
            try:
                answer = view(request, *args, **kwargs)
            except DomainError as error:
                answer = JsonResponse(
                    error_body(error.status, error.detail, error.fields, **error.extra), status=error.status
                )
            except ParseError as error:
                answer = _error(400, str(error.detail))
            except OperationalError:
                answer = _error(
                    503, "the database did not answer; what you typed is safe on this device and is sent again"
                )
                answer.headers["Retry-After"] = "2"
            answer.headers.setdefault("Cache-Control", "no-store")
            return answer

        return called

    return decorate


def _error(status: int, text: str) -> HttpResponse:
    return JsonResponse(error_body(status, text), status=status)


def said(request: HttpRequest) -> Any:
    """The JSON of the body. Raises ParseError."""
    return decode_json(request.body)


@bench("POST")
def entries(request: HttpRequest) -> HttpResponse:
    """`{device, sent_at, entries: [≤ 200]}` → `{now, answers}`."""
    now = received_now()
    user: Any = request.user
    device, sent_at, sent = read_batch(said(request), user=user.pk, now=now)
    answers = apply_batch(actor=user, device=device, sent_at=sent_at, entries=sent, received_at=now)
    return JsonResponse({"now": now.isoformat(), "user": str(user.pk), "answers": answers})


@bench("PUT")
def picture(request: HttpRequest, digest: str) -> HttpResponse:
    """The bytes of a picture: 201, or 200 when they are here already."""
    new = pictures.keep(actor=request.user, digest=digest, data=request.body)
    return JsonResponse({"sha256": digest}, status=201 if new else 200)


@bench("GET", "HEAD", login=False)
def pulse(request: HttpRequest) -> HttpResponse:
    """Whether the server is there, its time, who is logged in, and a token to post with."""
    return JsonResponse(whoami(request))


def whoami(request: HttpRequest) -> dict[str, Any]:
    """What the journal needs to know of the login."""
    user: Any = request.user
    known = user.is_authenticated
    return {
        "now": received_now().isoformat(),
        "user": str(user.pk) if known else None,
        "name": user.get_username() if known else None,
        "csrf": get_token(request),
    }


@bench("GET")
def kept_entries(request: HttpRequest) -> HttpResponse:
    """What of mine is asked or kept: newest last, at most 500."""
    rows = waiting(request.user)[:500]
    return JsonResponse({"entries": [_shown(row) for row in rows]})


def _shown(row: JournalEntry) -> dict[str, Any]:
    kind = KINDS.get(row.kind)
    return {
        "key": str(row.key),
        "kind": row.kind,
        "label": kind.label if kind else row.kind,
        "about": str(row.about) if row.about else None,
        "body": row.body,
        "made_at": row.made_at.isoformat(),
        "at": row.at.isoformat(),
        "state": row.state,
        "message": row.message,
        "fields": row.fields,
        "result": row.result,
    }


@require_safe
@login_required(login_url=settings.LOGIN_URL)
def kept_page(request: HttpRequest) -> HttpResponse:
    """What could not be applied, and what to do."""
    return page(request, "bench/kept.html", {"title": "Kept entries"})


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A bench page: a shell that holds no records, so that the tablet may keep it. Its header says whose it is."""
    user: Any = request.user
    answer = render(request, template, context)
    answer.headers["X-Bench-User"] = str(user.pk)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
