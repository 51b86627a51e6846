"""What Globus says, or its silence, means for a copy.

Event codes: the service's own list (its developers' forum, April 2020) and Task Events of its documentation.
"""

import re

from globus_sdk import GlobusAPIError, GlobusError, GlobusTimeoutError, NetworkError

from transfers.backends.base import BackendFailure, Failure
from transfers.rules.errors import ErrorCode, Side

C, S = ErrorCode, Side

EVENTS: dict[str, tuple[ErrorCode, Side]] = {
    "ACL_CHANGED": (C.PERMISSION_DENIED, S.BETWEEN),
    "AMBIGUOUS_PATH": (C.PATH_REFUSED, S.SOURCE),
    "AUTH": (C.AUTH_FAILED, S.BETWEEN),
    "CONNECT_FAILED": (C.UNREACHABLE, S.BETWEEN),
    "CONNECTION_BROKEN": (C.UNREACHABLE, S.BETWEEN),
    "CONNECTION_RESET": (C.UNREACHABLE, S.BETWEEN),
    "ENDPOINT_ERROR": (C.IO_ERROR, S.BETWEEN),
    "ENDPOINT_TOO_BUSY": (C.TOO_BUSY, S.BETWEEN),
    "EXPIRED": (C.EXPIRED, S.BETWEEN),
    "EXTERNAL_CHECKSUM_MISMATCH": (C.DIGEST_MISMATCH, S.BETWEEN),
    "FILE_ACCESS": (C.PERMISSION_DENIED, S.BETWEEN),
    "FILE_NOT_FOUND": (C.SOURCE_VANISHED, S.SOURCE),
    "FILE_SIZE_CHANGED": (C.SOURCE_UNSTABLE, S.SOURCE),
    "GC_NOT_CONNECTED": (C.UNREACHABLE, S.BETWEEN),
    "GC_PAUSED": (C.PAUSED, S.BETWEEN),
    "GSI_DN_MISMATCH": (C.AUTH_FAILED, S.BETWEEN),
    "INTERNAL_ERROR": (C.UNREACHABLE, S.BETWEEN),
    "INVALID_PATH_NAME": (C.PATH_REFUSED, S.BETWEEN),
    "INVALID_SERVICE_CREDENTIAL": (C.AUTH_FAILED, S.BETWEEN),
    "INVALID_SYMLINK": (C.NOT_A_FILE, S.SOURCE),
    "IS_A_DIRECTORY": (C.NOT_A_FILE, S.SOURCE),
    "LIMIT_EXCEEDED": (C.TOO_BUSY, S.BETWEEN),
    "NO_CREDENTIALS": (C.AUTH_FAILED, S.BETWEEN),
    "NO_PHYSICALS": (C.UNREACHABLE, S.BETWEEN),
    "NO_SPACE_LEFT": (C.NO_SPACE, S.DESTINATION),
    "NOT_A_DIRECTORY": (C.NAME_TAKEN, S.DESTINATION),
    "NOT_A_FILE": (C.NOT_A_FILE, S.SOURCE),
    "PAUSED": (C.PAUSED, S.BETWEEN),
    "PERMISSION_DENIED": (C.PERMISSION_DENIED, S.BETWEEN),
    "QUOTA_EXCEEDED": (C.NO_SPACE, S.DESTINATION),
    "TIMEOUT": (C.TIMEOUT, S.BETWEEN),
    "VERIFY_CHECKSUM": (C.DIGEST_MISMATCH, S.BETWEEN),
}
"""What an error event, a skipped error, a fatal error or the `nice_status` of a task means."""
QUIET = {None, "", "OK", "Queued", "CANCELED"}
"""Words of a task that are no trouble."""

_WORDS: tuple[tuple[str, ErrorCode], ...] = (
    ("ConsentRequired", C.CONSENT_REQUIRED),
    ("AuthenticationFailed", C.AUTH_FAILED),
    ("LoginFailed", C.AUTH_FAILED),
    ("SessionRequired", C.AUTH_FAILED),
    ("GCDisconnected", C.UNREACHABLE),
    ("GCPaused", C.PAUSED),
    ("ConnectFailed", C.UNREACHABLE),
    ("Paused", C.PAUSED),
    ("NotDirectory", C.NOT_A_FILE),
    ("Timeout", C.TIMEOUT),
    ("PermissionDenied", C.PERMISSION_DENIED),
    ("EndpointNotFound", C.CANARY_MISSING),
    ("EndpointDeleted", C.CANARY_MISSING),
    ("TooMany", C.TOO_BUSY),
    ("Conflict", C.TOO_BUSY),
)
"""Parts of the service's error codes, the first that fits decides."""
_STATUS: dict[int, ErrorCode] = {
    400: C.PATH_REFUSED,
    401: C.AUTH_FAILED,
    403: C.PERMISSION_DENIED,
    404: C.STAGED_LOST,
    408: C.TIMEOUT,
    409: C.TOO_BUSY,
    429: C.TOO_BUSY,
    500: C.UNREACHABLE,
    502: C.UNREACHABLE,
    503: C.TOO_BUSY,
    504: C.TIMEOUT,
}


def of_event(word: str, details: str = "", side: Side | None = None) -> Failure:
    """What an event's code means."""
    code, where = EVENTS.get(word, (C.UNKNOWN, S.BETWEEN))
    return Failure(code, " ".join(f"{word}: {details}".split())[:300], side or where)


def is_absent(error: GlobusAPIError) -> bool:
    """Whether the path (not the collection) was not found."""
    return error.http_status == 404 and not (error.code or "").startswith("Endpoint")


def exists_already(error: GlobusAPIError) -> bool:
    """Whether a folder could not be made since it is there."""
    return (error.code or "").endswith("MkdirFailed.Exists")


def failure_of(error: Exception, side: Side, login: str = "") -> BackendFailure:
    """The same as a failure of the backends. `login`: the client that has to consent. A missing path is for the caller
    to judge."""
    if isinstance(error, BackendFailure):
        return error
    if isinstance(error, GlobusAPIError):
        return _of_answer(error, side, login)
    code = C.UNKNOWN
    if isinstance(error, GlobusTimeoutError):
        code = C.TIMEOUT
    elif isinstance(error, NetworkError):
        code = C.UNREACHABLE
    elif isinstance(error, GlobusError | ValueError | KeyError):
        code = C.AUTH_FAILED if "token" in str(error).lower() else C.UNKNOWN
    return BackendFailure(code, f"{type(error).__name__}: {error}"[:300], side)


def _of_answer(error: GlobusAPIError, side: Side, login: str) -> BackendFailure:
    word = error.code or ""
    if error.info.consent_required or "ConsentRequired" in word:
        scopes = " ".join(error.info.consent_required.required_scopes or ["(not named)"])
        detail = f"consent of {login or 'our client'} is missing; give it with: globus session consent '{scopes}'"
        return BackendFailure(C.CONSENT_REQUIRED, detail, side)
    asked = error.info.authorization_parameters
    if asked:
        detail = f"log in again: {asked.session_message or word}"
        return BackendFailure(C.AUTH_FAILED, detail[:300], side)
    if "oauth2" in str(error.args) or "invalid_" in (error.text or "")[:400]:
        return BackendFailure(C.AUTH_FAILED, f"{error.http_status}: Globus Auth refused the credentials", side)
    code = next((code for part, code in _WORDS if part in word), _STATUS.get(error.http_status, C.UNKNOWN))
    wait = error.headers.get("Retry-After")
    message = " ".join((error.message or "").split())
    told = f"; it asked to wait for {wait} s" if wait else ""
    return BackendFailure(code, f"{word or error.http_status}: {message}"[:250] + told, side)


def named(details: str, names: re.Pattern[str]) -> str | None:
    """The file that an event's text is about."""
    found = names.search(details)
    return found.group(1) if found else None
