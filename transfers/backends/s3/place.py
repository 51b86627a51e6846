"""Which bucket, where, and with whose keys; one client for each service and key.

Keys are never ours to keep: a place names a profile of the AWS credentials file (`AWS_SHARED_CREDENTIALS_FILE`,
`AWS_CONFIG_FILE`), and boto3 finds, renews and assumes what stands there.
"""

import os
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from transfers.backends.base import BackendFailure
from transfers.backends.s3.errors import failure_of
from transfers.rules.errors import ErrorCode, Side

SURROUNDINGS = "default"
"""The credential that means: what boto3 finds by itself (environment, default profile, role of the machine)."""
WORKERS = 8
"""Requests under way at once."""
_TRIES = 3
_ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """A folder of a bucket. `endpoint` "": Amazon's own; `credential` "": anonymous, for public buckets."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    credential: str = ""

    @classmethod
    def of(cls, root: str, **service: str) -> "Place":
        """The place that `s3://bucket/folder` names. Raises BackendFailure(PATH_REFUSED)."""
        parts = urlsplit(root)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise BackendFailure(ErrorCode.PATH_REFUSED, f"not s3://bucket/folder: {root!r}")
        folder = parts.path.strip("/")
        return cls(parts.netloc, f"{folder}/" if folder else "", **service)

    def key(self, path: str) -> str:
        """The key of a path below the root."""
        return f"{self.prefix}{path}"

    def client(self, side: Side = Side.DESTINATION) -> Any:
        """The client of this place, shared by its threads. Raises BackendFailure(AUTH_FAILED) for an unknown profile."""
        known = self._service()
        with _lock:
            if known not in _clients:
                try:
                    _clients[known] = self._connect()
                except (BotoCoreError, ClientError, ValueError) as error:
                    raise failure_of(error, side) from error
            return _clients[known]

    def forget(self) -> None:
        """Make the next client anew: its keys may have been renewed."""
        with _lock:
            _clients.pop(self._service(), None)

    def _service(self) -> tuple[int, str, str, str]:
        return os.getpid(), self.endpoint, self.region, self.credential

    def _connect(self) -> Any:
        named = self.credential not in {"", SURROUNDINGS}
        session = boto3.Session(profile_name=self.credential if named else None, region_name=self.region or "us-east-1")
        config = Config(
            signature_version="s3v4" if self.credential else UNSIGNED,
            s3={"addressing_style": "path" if self.endpoint else "auto"},
            retries={"mode": "standard", "max_attempts": _TRIES},
            connect_timeout=5,
            read_timeout=_ANSWER_SECONDS,
            max_pool_connections=2 * WORKERS,
            tcp_keepalive=True,
            request_checksum_calculation="when_required",  # SHA-256 of ours goes with every body
            response_checksum_validation="when_required",
        )
        client = session.client("s3", endpoint_url=self.endpoint or None, config=config)
        for operation in ("PutObject", "UploadPart"):
            client.meta.events.register(f"before-sign.s3.{operation}", partial(_hashed_once, config))
        return client


def _hashed_once(config: Config, request: Any, **_: Any) -> None:
    """The SHA-256 of the body is a header, and headers are signed: the signature does not need the body hashed once more, as
    botocore does where the connection is not encrypted."""
    if "x-amz-checksum-sha256" in request.headers:
        request.context["client_config"] = config.merge(
            Config(s3={**(config.s3 or {}), "payload_signing_enabled": False})
        )


_lock = threading.Lock()
_clients: dict[tuple[int, str, str, str], Any] = {}
