"""Logging in over REST, at a bounded rate per account and per address."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.core.cache import BaseCache, caches
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from alyx.core.errors import Invalid
from alyx.core.rest.parsing import StrictJSONParser
from alyx.core.rest.views import Endpoint
from alyx.labs.models import User
from alyx.labs.serializers import AuthToken, Me
from alyx.labs.tokens import issue_token


class _LoginRate(SimpleRateThrottle):
    scope = "login"
    num_requests: int
    duration: int  # seconds

    @property
    def cache(self) -> BaseCache:  # type: ignore[override]  # asked anew: processes start in any order
        """The counters, which all processes of this machine share."""
        return caches["logins"]

    def subject(self, request: Request) -> str:
        """Whose attempts are counted."""
        raise NotImplementedError

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """The counter's name."""
        counted = hashlib.sha256(self.subject(request).encode(errors="replace")).hexdigest()
        return f"login:{type(self).__name__}:{counted}"


class AddressRate(_LoginRate):
    """Attempts from one address."""

    def subject(self, request: Request) -> str:
        """The peer's address; behind our proxy, the one it saw."""
        if settings.BEHIND_HTTPS:
            return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or request.META["REMOTE_ADDR"]
        return str(request.META["REMOTE_ADDR"])


class AccountRate(_LoginRate):
    """Attempts on one account, wherever they come from."""

    def subject(self, request: Request) -> str:
        """The account named in the body."""
        data = request.data
        return str(data.get("username", "") if hasattr(data, "get") else "")[:150].casefold()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What the rates read of a request, for an account that is not named in its body."""

    META: dict[str, Any]
    headers: Any
    data: dict[str, str]


def check_password(request: HttpRequest, username: str, password: str) -> bool:
    """Whether they are an account's, for clients that send both with every request (HTTP Basic). Wrong ones are counted
    per account and per address at the rate of log-ins; beyond it, right ones are refused as well, so that the answer
    does not tell. Raises TooManyAttempts."""
    sent: Any = _Attempt(request.META, request.headers, {"username": username})
    rates: list[_LoginRate] = [AddressRate(), AccountRate()] if settings.THROTTLE else []
    failed = {rate: (rate.get_cache_key(sent, APIView()), _failures(rate, sent)) for rate in rates}
    if any(len(times) >= rate.num_requests for rate, (_, times) in failed.items()):
        raise TooManyAttempts(60)
    if authenticate(request, username=username, password=password) is not None:
        return True
    for rate, (key, times) in failed.items():
        rate.cache.set(key, [rate.timer(), *times], rate.duration)
    return False


def _failures(rate: _LoginRate, sent: Any) -> list[float]:
    since = rate.timer() - rate.duration
    return [at for at in rate.cache.get(rate.get_cache_key(sent, APIView()), []) if at > since]


class TooManyAttempts(Exception):
    """To be answered by a 429; `seconds` until it makes sense to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts to log in; try again in {seconds} s")
        self.seconds = seconds


class Login(Endpoint):
    """`POST /auth-token`."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (FormParser, StrictJSONParser, MultiPartParser)
    throttle_classes = (AddressRate, AccountRate) if settings.THROTTLE else ()
    serializer_class = AuthToken
    pagination_class = None
    posted = (200,)

    @extend_schema(operation_id="auth_token_create")
    def post(self, request: Request) -> Response:
        """The token of this account: `{"token": …}`. 400 on a wrong name, a wrong password and a deactivated account alike."""
        data: Any = request.data
        serializer = self.get_serializer(data=data if hasattr(data, "get") else {})
        serializer.is_valid(raise_exception=True)
        user = authenticate(**{name: serializer.validated_data[name] for name in ("username", "password")})
        if not isinstance(user, User):
            text = "Unable to log in with provided credentials."
            raise Invalid(text, fields={"non_field_errors": text})
        return Response({"token": issue_token(actor=user, user=user).key})


class WhoAmI(Endpoint):
    """`GET /me`."""

    serializer_class = Me
    pagination_class = None
    is_public = True

    def get(self, request: Request) -> Response:
        """The name of the account whose token this is."""
        return Response({"username": request.user.get_username()})
