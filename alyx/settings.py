"""Every setting of the project, all from the environment. A comment says what breaks if one is wrong."""

import os
from datetime import time
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

from alyx.runtime.instance import Instance

django_stubs_ext.monkeypatch()  # `ModelAdmin[Subject]` and its like may be written: mypy reads them, Django ignores them

BASE_DIR = Path(__file__).resolve().parent.parent
INSTANCE = Instance.from_environment()
"""Where this instance keeps its state (`ALYX_VAR`, default `var/`): secret key, private database, broker folders, uploads."""


def _flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, str(default)).lower() in {"1", "true", "yes", "on"}


DEBUG = _flag("ALYX_DEBUG")  # only `make dev` sets it: tracebacks would otherwise reach users
SECRET_KEY = INSTANCE.secret_key()  # made once per instance; a new one invalidates every login and token
ALLOWED_HOSTS = os.environ.get("ALYX_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
BEHIND_HTTPS = _flag(
    "ALYX_HTTPS"
)  # a TLS proxy stands in front: secure cookies, HSTS, its X-Forwarded-Proto is trusted

INSTALLED_APPS = [
    "alyx.apps.House",  # first: its templates override the admin's
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # the files of /docs/
    "alyx.core",
    "alyx.labs",
    "subjects",
    "sessions",
    "datasets",
    "transfers",
]

MIDDLEWARE = [
    "alyx.core.audit.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "alyx.core.rest.content_policy.ContentPolicyMiddleware",
    "alyx.core.rest.body_limit.BodyLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "alyx.core.audit.AuditMiddleware",
]

ROOT_URLCONF = "alyx.urls"
WSGI_APPLICATION = "alyx.wsgi.application"
APPEND_SLASH = False  # the clients' paths have no trailing slash, and a redirected POST is lost

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# psycopg 3 with its pool; server-side binding would break the audit context and stays off.
DATABASES: dict[str, Any] = {"default": dj_database_url.parse(INSTANCE.database_url())}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # else each connection that PostgreSQL cut costs a request
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
    "min_size": 0,
    "max_size": int(os.environ.get("ALYX_POOL", "16")),
    "timeout": 10,  # seconds a request waits for a connection before it is a 500
}
# Every trigger of ours asks for this setting first. Unset, the asking fails inside, and a bulk change takes many times longer.
# Compiling a statement takes longer than any of ours runs (160 of 230 ms of the morning page's dearest).
# Statements that are prepared (`alyx.core.prepared`, and those inside triggers) find rows by keys: one plan fits all parameters.
DATABASES["default"]["OPTIONS"]["options"] = (
    f"{DATABASES['default']['OPTIONS'].get('options', '')}"
    " -c pgtrigger.ignore={} -c plan_cache_mode=force_generic_plan -c jit=off"
).strip()
# Counters of requests are each process's own; attempts to log in are counted for all processes of this machine together.
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "logins": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": INSTANCE.path("logins"),
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "labs.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"

LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = "alyx.formats"  # ISO dates on pages and in forms
USE_I18N = False
USE_TZ = True
TIME_ZONE = os.environ.get(
    "ALYX_TIME_ZONE", "UTC"
)  # zone of records without a lab, and of server-made times on the wire

STATIC_URL = "/static/"
STATIC_ROOT = INSTANCE.path("static")
MEDIA_ROOT = INSTANCE.path("uploads")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_MANIFEST_STRICT = False

ALYX_ACCEL = os.environ.get("ALYX_ACCEL", "").rstrip("/")
"""Where nginx sends files for us: X-Accel-Redirect is this plus the file's full path. Empty: the site sends them itself."""

ALYX_CACHE_DIR = os.environ.get("ALYX_CACHE_DIR") or str(INSTANCE.path("cache"))  # the clients' cache tables
if "://" in ALYX_CACHE_DIR:
    raise ImproperlyConfigured(
        "ALYX_CACHE_DIR must be a folder of this machine; ALYX_CACHE_REPOSITORY names a bucket that has the public tables too"
    )

ALYX_CACHE_REPOSITORY = os.environ.get("ALYX_CACHE_REPOSITORY", "")
"""The name of a public repository of kind S3, into which the cache tables of public data are put as well."""

ALYX_MAX_BODY_BYTES = int(os.environ.get("ALYX_MAX_BODY_BYTES", str(16 * 1024 * 1024)))  # a larger request is a 413
DATA_UPLOAD_MAX_MEMORY_SIZE = ALYX_MAX_BODY_BYTES

ALYX_QUERY_SECONDS = float(os.environ.get("ALYX_QUERY_SECONDS", "20"))
"""A statement of a reading call that takes longer is given up, and the caller told to narrow the search; 0: never. Above the 120 s of a
gunicorn worker the caller is cut off instead."""

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
CSRF_TRUSTED_ORIGINS = [origin for origin in os.environ.get("ALYX_ORIGINS", "").split(",") if origin]
if BEHIND_HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = False  # the proxy redirects; a redirected POST from a rig would be lost
    SECURE_HSTS_SECONDS = 31_536_000

ALYX_OPEN_READING = _flag("ALYX_OPEN_READING")
"""Every user reads the records of all labs (as IBL runs it), instead of those of their labs, projects and duties."""

THROTTLE = os.environ.get("ALYX_THROTTLE", "on") != "off"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "alyx.labs.authentication.TokenAuthentication",
        "alyx.labs.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["alyx.labs.authentication.KnownCaller"],
    "DEFAULT_PAGINATION_CLASS": "alyx.core.rest.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["alyx.core.rest.rendering.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "alyx.core.rest.parsing.StrictJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "alyx.core.rest.answers.Answers",
    "EXCEPTION_HANDLER": "alyx.core.rest.errors.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"] if THROTTLE else [],
    "DEFAULT_THROTTLE_RATES": {"user": "3000/min", "login": "30/min"},
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DATETIME_FORMAT": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Alyx-compatible electronic lab notebook and data registry",
    "VERSION": "1",
    "OAS_VERSION": "3.0.3",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": False,
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,  # one component is both body and answer, and nested answers are shorter
    "SORT_OPERATIONS": True,
}

PGHISTORY_APPEND_ONLY = True

CELERY: dict[str, Any] = INSTANCE.celery_settings()  # REDIS_URL, else the file-system broker below `var/`

# Mail: without ALYX_SMTP_HOST each mail is a file in `var/mail`, and nobody gets it.
EMAIL_HOST = os.environ.get("ALYX_SMTP_HOST", "")
EMAIL_BACKEND = os.environ.get(
    "ALYX_EMAIL_BACKEND", f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
)
EMAIL_FILE_PATH = INSTANCE.path("mail")
ALYX_SMTP_TLS = os.environ.get("ALYX_SMTP_TLS", "starttls")  # starttls, tls (from the first byte) or off
EMAIL_USE_TLS, EMAIL_USE_SSL = ALYX_SMTP_TLS == "starttls", ALYX_SMTP_TLS == "tls"
EMAIL_PORT = int(os.environ.get("ALYX_SMTP_PORT", {"tls": "465", "off": "25"}.get(ALYX_SMTP_TLS, "587")))
EMAIL_HOST_USER = os.environ.get("ALYX_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("ALYX_SMTP_PASSWORD", "")
EMAIL_TIMEOUT = int(os.environ.get("ALYX_SMTP_TIMEOUT", "20"))
"""Seconds for each step with the mail server. All steps together must end within a delivery's lease of five minutes, else a mail
that is still leaving is shown as unsure."""
DEFAULT_FROM_EMAIL = os.environ.get(
    "ALYX_MAIL_FROM", "Lab notebook <notebook@localhost>"
)  # servers refuse a foreign one
ALYX_URL = os.environ.get("ALYX_URL", next(iter(CSRF_TRUSTED_ORIGINS), "")).rstrip("/")
"""Where people open the site: mails link there. Default: the first of ALYX_ORIGINS; without either they have no links."""

# When each lab is told, by its own clock.
ALYX_DIGEST_AT = time.fromisoformat(
    os.environ.get("ALYX_DIGEST_AT", "07:00")
)  # the morning digest; water due from then on
ALYX_EVENING_AT = time.fromisoformat(
    os.environ.get("ALYX_EVENING_AT", "18:00")
)  # not weighed today, supplement still due
ALYX_PREFLIGHT_AT = time.fromisoformat(
    os.environ.get("ALYX_PREFLIGHT_AT", "17:00")
)  # repositories looked at before the night, by each one's own clock

LOGGING = INSTANCE.logging()
