"""Paths below a repository's root, and the names there that are ours."""

from transfers.backends.base import BackendFailure
from transfers.rules.errors import ErrorCode, Side

CANARY = ".alyx-canary"
STAGING = ".alyx-staging"
TRASH = ".alyx-trash"
OURS = ".alyx-"
DEEPEST = 24

Parts = tuple[str, ...]


def split(path: str, side: Side = Side.DESTINATION) -> Parts:
    """The components of a relative POSIX path. Raises PATH_REFUSED for anything that is not plainly one."""
    parts = tuple(path.split("/"))
    refused = "\0" in path or any(part in {"", ".", ".."} for part in parts) or parts[0].startswith(OURS)
    if not refused:
        try:
            path.encode()
        except UnicodeEncodeError:
            refused = True
    if refused:
        raise BackendFailure(ErrorCode.PATH_REFUSED, repr(path), side)
    if len(parts) > DEEPEST:
        raise BackendFailure(ErrorCode.NAME_TOO_LONG, f"more than {DEEPEST} folders: {path!r}", side)
    return parts
