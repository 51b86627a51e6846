"""What an answer of an S3 service, or the lack of one, means for a copy."""

from botocore import exceptions as b
from botocore.exceptions import ClientError

from transfers.backends.base import BackendFailure
from transfers.rules.errors import ErrorCode, Side

C = ErrorCode
_CLOCK = "this machine's clock differs from the service's: set it right"

CODES: dict[str, ErrorCode] = {
    "AccessDenied": C.PERMISSION_DENIED,
    "AllAccessDisabled": C.PERMISSION_DENIED,
    "InvalidObjectState": C.PERMISSION_DENIED,  # in an archive class: to be restored first
    "AccountProblem": C.AUTH_FAILED,
    "AuthorizationHeaderMalformed": C.AUTH_FAILED,  # wrong region
    "ExpiredToken": C.AUTH_FAILED,
    "InvalidAccessKeyId": C.AUTH_FAILED,
    "InvalidToken": C.AUTH_FAILED,
    "NotSignedUp": C.AUTH_FAILED,
    "RequestTimeTooSkewed": C.AUTH_FAILED,
    "SignatureDoesNotMatch": C.AUTH_FAILED,
    "TokenRefreshRequired": C.AUTH_FAILED,
    "InvalidBucketName": C.CANARY_MISSING,
    "NoSuchBucket": C.CANARY_MISSING,
    "PermanentRedirect": C.CANARY_MISSING,  # the bucket is elsewhere
    "BandwidthLimitExceeded": C.TOO_BUSY,
    "RequestLimitExceeded": C.TOO_BUSY,
    "ServiceUnavailable": C.TOO_BUSY,
    "SlowDown": C.TOO_BUSY,
    "Throttling": C.TOO_BUSY,
    "ThrottlingException": C.TOO_BUSY,
    "TooManyRequests": C.TOO_BUSY,
    "ConditionalRequestConflict": C.TOO_BUSY,
    "OperationAborted": C.TOO_BUSY,
    "RequestTimeout": C.TIMEOUT,
    "InternalError": C.UNREACHABLE,
    "EntityTooLarge": C.NO_SPACE,
    "InsufficientStorage": C.NO_SPACE,
    "QuotaExceeded": C.NO_SPACE,
    "XMinioStorageFull": C.NO_SPACE,
    "BadDigest": C.DIGEST_MISMATCH,
    "InvalidDigest": C.DIGEST_MISMATCH,
    "InvalidPart": C.STAGED_LOST,
    "NoSuchUpload": C.STAGED_LOST,
    "NoSuchKey": C.STAGED_LOST,
    "XAmzContentChecksumMismatch": C.DIGEST_MISMATCH,
    "XAmzContentSHA256Mismatch": C.DIGEST_MISMATCH,
    "KeyTooLongError": C.NAME_TOO_LONG,
    "PreconditionFailed": C.DIGEST_MISMATCH,  # what was proved is not there any more
    "NotImplemented": C.UNSUPPORTED,
}
_STATUS: dict[int, ErrorCode] = {
    301: C.CANARY_MISSING,
    401: C.AUTH_FAILED,
    403: C.PERMISSION_DENIED,
    404: C.STAGED_LOST,
    408: C.TIMEOUT,
    413: C.NO_SPACE,
    429: C.TOO_BUSY,
    500: C.UNREACHABLE,
    501: C.UNSUPPORTED,
    502: C.UNREACHABLE,
    503: C.TOO_BUSY,
    504: C.TIMEOUT,
    507: C.NO_SPACE,
}
_SILENT: tuple[tuple[tuple[type[Exception], ...], ErrorCode], ...] = (
    ((b.ReadTimeoutError, b.ConnectTimeoutError), C.TIMEOUT),
    ((b.HTTPClientError, b.ConnectionError, b.IncompleteReadError, b.ChecksumError), C.UNREACHABLE),
    (
        (
            b.NoCredentialsError,
            b.PartialCredentialsError,
            b.CredentialRetrievalError,
            b.ProfileNotFound,
            b.ConfigNotFound,
            b.ConfigParseError,
            b.TokenRetrievalError,
            b.UnauthorizedSSOTokenError,
            b.InvalidConfigError,
        ),
        C.AUTH_FAILED,
    ),
    ((b.ParamValidationError, ValueError), C.PATH_REFUSED),
)
"""Without an answer: the first row whose exceptions fit."""


def said(error: ClientError) -> tuple[str, int]:
    """The service's word and the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", "")), int(
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    )


def is_absent(error: ClientError) -> bool:
    """Whether the key (not the bucket) was not found."""
    word, status = said(error)
    return word in {"NoSuchKey", "NoSuchVersion", "404"} or (status == 404 and word not in CODES)


def is_refused_condition(error: ClientError) -> bool:
    """Whether a condition (`If-Match`, `If-None-Match`) did not hold, or another writer is at it."""
    return said(error)[1] in {409, 412}


def is_unknown_condition(error: ClientError) -> bool:
    """Whether the service does not know such conditions."""
    word, status = said(error)
    return status == 501 or word == "NotImplemented"


def failure_of(error: Exception, side: Side) -> BackendFailure:
    """The same as a failure of the backends. A missing key is for the caller to judge."""
    if isinstance(error, BackendFailure):
        return error
    if isinstance(error, ClientError):
        word, status = said(error)
        code = CODES.get(word) or _STATUS.get(status, C.UNKNOWN)
        message = _CLOCK if word == "RequestTimeTooSkewed" else error.response.get("Error", {}).get("Message", "")
        return BackendFailure(code, f"{word or status}: {message}"[:300], side)
    code = next((code for kinds, code in _SILENT if isinstance(error, kinds)), C.UNKNOWN)
    return BackendFailure(code, f"{type(error).__name__}: {error}"[:300], side)
