"""Which collection, which folder of it, and as whom; one client for each credential.

Secrets are never ours to keep: a place names a section of an INI file on this machine (`ALYX_GLOBUS_CREDENTIALS`), which
only its owner may read. A section has `client_id` with either `client_secret` (a confidential client that acts as
itself, on guest collections that let it in) or `refresh_token` (a native app that acts for the person who logged in).
"""

import configparser
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from globus_sdk import (
    ClientCredentialsAuthorizer,
    ConfidentialAppAuthClient,
    GlobusError,
    GlobusHTTPResponse,
    NativeAppAuthClient,
    NetworkError,
    RefreshTokenAuthorizer,
    TransferClient,
)
from globus_sdk.authorizers import GlobusAuthorizer
from globus_sdk.scopes import TransferScopes
from globus_sdk.transport import RetryConfig

from transfers.backends.base import BackendFailure
from transfers.backends.globus.errors import failure_of
from transfers.rules.errors import ErrorCode, Side

FILE = "ALYX_GLOBUS_CREDENTIALS"
_TRIES = 3
_LONGEST_WAIT_S = 10


@dataclass(frozen=True)
class Place:
    """A folder of a collection. `folder` begins and ends with a slash."""

    collection: str
    folder: str = "/"
    credential: str = "default"

    @classmethod
    def of(cls, root: str, credential: str) -> "Place":
        """The place that `globus://<collection id>/folder` names. Raises BackendFailure(PATH_REFUSED)."""
        parts = urlsplit(root)
        try:
            collection = str(UUID(parts.netloc))
        except ValueError:
            collection = ""
        folder = parts.path.strip("/")
        if parts.scheme != "globus" or not collection or ".." in folder.split("/") or parts.query or parts.fragment:
            raise BackendFailure(ErrorCode.PATH_REFUSED, f"not globus://<collection id>/folder: {root!r}")
        return cls(collection, f"/{folder}/" if folder else "/", credential or "default")

    def path(self, below: str) -> str:
        """The collection's name for a path below our folder."""
        return f"{self.folder}{below}"

    def client(self, side: Side = Side.DESTINATION) -> TransferClient:
        """The client of this credential, shared by its threads. Raises BackendFailure (AUTH_FAILED)."""
        known = os.getpid(), self.credential
        with _lock:
            if known not in _clients:
                _clients[known] = _connect(self.credential, side)
            return _clients[known]

    def forget(self) -> None:
        """Make the next client anew: its secret may have been renewed."""
        with _lock:
            _clients.pop((os.getpid(), self.credential), None)


_lock = threading.Lock()
_clients: dict[tuple[int, str], TransferClient] = {}


class _Client(TransferClient):
    """The SDK's own, which takes an answer that broke off within its headers for one without content."""

    def request(self, *args: Any, **more: Any) -> GlobusHTTPResponse:
        """Ask. Raises NetworkError when the answer is no JSON: every answer of Transfer is."""
        answer = super().request(*args, **more)
        if answer.data is None:
            message = "the answer broke off"
            raise NetworkError(message, ValueError(f"{answer.http_status}, without content"))
        return answer


def _connect(credential: str, side: Side) -> TransferClient:
    section = _section(credential, side)
    try:
        return _Client(authorizer=_authorizer(section), app_name="alyx", retry_config=_retries())
    except KeyError as missing:
        detail = f"section [{credential}] lacks {missing}: client_id with client_secret or refresh_token"
        raise BackendFailure(ErrorCode.AUTH_FAILED, detail, side) from None
    except (GlobusError, ValueError) as error:
        raise failure_of(error, side, credential) from error


def _retries() -> RetryConfig:
    """For one client: each registers in it what it tries again."""
    return RetryConfig(max_retries=_TRIES, max_sleep=_LONGEST_WAIT_S)


def _authorizer(section: configparser.SectionProxy) -> GlobusAuthorizer:
    client = section["client_id"]
    if "client_secret" in section:
        app = ConfidentialAppAuthClient(client, section["client_secret"], retry_config=_retries())
        return ClientCredentialsAuthorizer(app, TransferScopes.all)
    return RefreshTokenAuthorizer(section["refresh_token"], NativeAppAuthClient(client, retry_config=_retries()))


def _section(credential: str, side: Side) -> configparser.SectionProxy:
    name = os.environ.get(FILE, "")
    file = Path(name)
    if not name or not file.is_file():
        raise BackendFailure(ErrorCode.AUTH_FAILED, f"{FILE} names no file on this machine", side)
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BackendFailure(ErrorCode.AUTH_FAILED, f"others may read the file of {FILE}: chmod 600 it", side)
    known = configparser.ConfigParser(interpolation=None)
    try:
        known.read_string(file.read_text())
    except (configparser.Error, OSError, UnicodeDecodeError):
        raise BackendFailure(ErrorCode.AUTH_FAILED, f"the file of {FILE} cannot be read as INI", side) from None
    if credential not in known:
        raise BackendFailure(ErrorCode.AUTH_FAILED, f"no section [{credential}] in the file of {FILE}", side)
    return known[credential]
