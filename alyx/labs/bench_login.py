"""Logging in again on a bench page, without leaving it; at the same bounded rate as elsewhere."""

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.views import APIView

from alyx.core.errors import DomainError, Invalid
from alyx.core.journal.views import bench, said, whoami
from alyx.labs.login import AccountRate, AddressRate
from alyx.labs.models import User


class WrongPassword(DomainError):
    """Name and password are no account's; which of them is wrong is not said."""

    status = 400
    code = "wrong_password"


class TooMany(DomainError):
    """Too many attempts, right ones included."""

    status = 429
    code = "throttled"


@bench("POST", login=False)
def bench_login(request: HttpRequest) -> HttpResponse:
    """`{username, password}` → who is logged in now, and a new token to post with; 400 when they are wrong, 429 when too many."""
    body = said(request)
    if not isinstance(body, dict):
        raise Invalid("send an object: {username, password}")
    username, password = (_text(body, name) for name in ("username", "password"))
    _bound(request)
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        raise WrongPassword("This name and password are not an account's. Nothing typed is lost: try again.")
    login(request, user)
    return JsonResponse(whoami(request))


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise Invalid.of(name, "is missing")
    return value


def _bound(request: HttpRequest) -> None:
    """Count the attempt. Raises TooMany."""
    if not settings.THROTTLE:
        return
    sent = Request(request, parsers=[JSONParser()])
    rates = [AddressRate(), AccountRate()]
    allowed = [rate.allow_request(sent, APIView()) for rate in rates]  # each counts, whatever the others say
    if not all(allowed):
        seconds = max(int(rate.wait() or 1) for rate in rates)
        raise TooMany(f"Too many attempts to log in. Try again in {seconds} s.")
