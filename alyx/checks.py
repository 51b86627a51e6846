"""System checks of the settings: what a mistake would break, and how to mend it."""

import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's names)
from django.db import connections

LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
LEAST_KEY_LENGTH = 32
LEAST_BODY_BYTES = 1024 * 1024
LONGEST_MAIL_STEP_S = 30


def _check(*tags: str, **options: bool) -> Callable[[Callable[[], Iterator[CheckMessage]]], object]:
    def decorate(function: Callable[[], Iterator[CheckMessage]]) -> object:
        def run(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
            return list(function())

        run.__doc__ = function.__doc__
        return register(run, *tags, **options)

    return decorate


@_check()
def database() -> Iterator[CheckMessage]:
    """There is one kind of database, used in one way."""
    options = settings.DATABASES["default"].get("OPTIONS", {})
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        yield Error(
            "The database is not PostgreSQL.",
            hint="Locks, constraints and the audit trail need it: set DATABASE_URL=postgres://… or leave it unset.",
            id="alyx.E001",
        )
    elif options.get("server_side_binding"):
        yield Error(
            "server_side_binding is on.", hint="It breaks the audit context: take it out of OPTIONS.", id="alyx.E002"
        )


@_check(Tags.database)
def database_version() -> Iterator[CheckMessage]:
    """Runs when Django checks databases too (migrate, `check --database default`)."""
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        return
    version = connections["default"].pg_version  # type: ignore[attr-defined]
    if version < 150000:
        yield Error(
            f"PostgreSQL {version // 10000} is too old.", hint="Use 15 or newer (NULLS NOT DISTINCT).", id="alyx.E003"
        )


@_check(Tags.security)
def secrets() -> Iterator[CheckMessage]:
    """The key that signs logins belongs to the instance alone."""
    if len(settings.SECRET_KEY) < LEAST_KEY_LENGTH:
        yield Error(
            "ALYX_SECRET_KEY is short enough to guess.",
            hint="Unset it, and one is made and kept in the state folder; or give at least 32 random characters.",
            id="alyx.E010",
        )
    file = settings.INSTANCE.path("secret_key")
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Error(
            f"{file} can be read by others.", hint=f"chmod 600 {file}, and make a new one if it was.", id="alyx.E011"
        )


@_check(Tags.security)
def exposure() -> Iterator[CheckMessage]:
    """What may be reached from other machines is served as if it will be."""
    if "*" in settings.ALLOWED_HOSTS:
        yield Error("ALYX_HOSTS lets any Host header in.", hint="Name the hosts, separated by commas.", id="alyx.E020")
    if settings.DEBUG and hosts_beyond_loopback():
        yield Error(
            "ALYX_DEBUG is on where other machines may connect.",
            hint="Tracebacks would show data and settings: unset ALYX_DEBUG, or ALYX_HOSTS.",
            id="alyx.E021",
        )
    if hosts_beyond_loopback() and not settings.BEHIND_HTTPS:
        yield Warning(
            "Other machines may connect, and not by HTTPS.",
            hint="Passwords and tokens travel in the clear: put a TLS proxy in front (deploy/nginx.conf), set ALYX_HTTPS=on.",
            id="alyx.W022",
        )


@_check(Tags.security)
def limits() -> Iterator[CheckMessage]:
    """A rig's largest registration fits, and nobody tries passwords without end."""
    if settings.ALYX_MAX_BODY_BYTES < LEAST_BODY_BYTES:
        yield Warning(
            "ALYX_MAX_BODY_BYTES is below 1 MiB.",
            hint="A registration of some thousand files would be refused with 413.",
            id="alyx.W030",
        )
    if not settings.THROTTLE and hosts_beyond_loopback():
        yield Warning(
            "ALYX_THROTTLE=off where other machines may connect.",
            hint="Unset it: it is for tests and benchmarks.",
            id="alyx.W031",
        )


@_check()
def mail() -> Iterator[CheckMessage]:
    """Mail that is to leave can leave, and no password travels in the clear."""
    if settings.ALYX_SMTP_TLS not in {"starttls", "tls", "off"}:
        yield Error(
            f"ALYX_SMTP_TLS={settings.ALYX_SMTP_TLS} means nothing.",
            hint="starttls (usually port 587), tls (port 465) or off.",
            id="alyx.E040",
        )
    if "smtp" in settings.EMAIL_BACKEND and not settings.EMAIL_HOST:
        yield Error("Mail goes by SMTP to nowhere.", hint="Set ALYX_SMTP_HOST.", id="alyx.E041")
    if not settings.EMAIL_HOST:
        return
    if settings.ALYX_SMTP_TLS == "off" and settings.EMAIL_HOST_PASSWORD and settings.EMAIL_HOST not in LOOPBACK:
        yield Error(
            "The password of the mail account would travel in the clear.",
            hint="Set ALYX_SMTP_TLS=starttls or tls.",
            id="alyx.E042",
        )
    if bool(settings.EMAIL_HOST_USER) != bool(settings.EMAIL_HOST_PASSWORD):
        yield Error(
            "Of the mail account's user and password one is missing: nothing would be logged in with.",
            hint="Set both ALYX_SMTP_USER and ALYX_SMTP_PASSWORD, or neither.",
            id="alyx.E043",
        )
    if "@localhost" in settings.DEFAULT_FROM_EMAIL:
        yield Warning(
            "Mails would come from notebook@localhost.",
            hint="Set ALYX_MAIL_FROM to an address that the mail server lets this account use.",
            id="alyx.W044",
        )
    if not settings.ALYX_URL:
        yield Warning("Mails would have no links.", hint="Set ALYX_URL=https://….", id="alyx.W045")
    if settings.EMAIL_TIMEOUT > LONGEST_MAIL_STEP_S:
        yield Warning(
            "ALYX_SMTP_TIMEOUT is so long that slow mails would be shown as unsure.",
            hint=f"At most {LONGEST_MAIL_STEP_S} seconds.",
            id="alyx.W046",
        )


def hosts_beyond_loopback() -> bool:
    """Whether a host other than this machine is served."""
    return bool(set(settings.ALLOWED_HOSTS) - LOOPBACK - {"testserver"})
