"""ONE whose writes go into an outbox: for `RegistrationClient`, which then does not need the registry to be there.

    one = ONE()
    client = RegistrationClient(keeping(one, outbox))
    path, eid = client.create_new_session("M1", ...)       # `eid` is provisional until the outbox has sent it
    client.register_files(files)                           # [None, ...]: the answers come later, see `outbox.answer`

The client must have been made while the registry was up: it reads types and formats then. Not imported by the package itself,
which needs neither ONE nor requests.
"""

import copy
import json
from typing import Any
from urllib.parse import urlsplit

import requests
from one.webclient import AlyxClient

from rig_outbox.outbox import Outbox

_AWAY = frozenset({502, 503, 504})


class KeepingClient(AlyxClient):  # type: ignore[misc]  # ONE has no types
    """Made by `keeping`."""

    outbox: Outbox

    def get(self, rest_query: str, **options: Any) -> Any:
        """From the registry; when it is away, nothing of a list, and a record that exists and says nothing."""
        try:
            return super().get(rest_query, **options)
        except (requests.ConnectionError, requests.Timeout):
            return _nothing(rest_query)
        except requests.HTTPError as error:
            if error.errno not in _AWAY:
                raise
            return _nothing(rest_query)

    def post(self, rest_query: str, data: Any = None, files: Any = None) -> Any:
        """Kept, unless a file is uploaded."""
        return super().post(rest_query, data, files) if files else self._keep("POST", rest_query, data)

    def put(self, rest_query: str, data: Any = None, files: Any = None) -> Any:
        """Kept, unless a file is uploaded."""
        return super().put(rest_query, data, files) if files else self._keep("PUT", rest_query, data)

    def patch(self, rest_query: str, data: Any = None, files: Any = None) -> Any:
        """Kept, unless a file is uploaded."""
        return super().patch(rest_query, data, files) if files else self._keep("PATCH", rest_query, data)

    def _keep(self, method: str, rest_query: str, data: Any) -> Any:
        """What was sent, with the (provisional) id; an empty list for files, whose answers come later."""
        path, body = urlsplit(rest_query).path.strip("/"), json.loads(json.dumps(data, default=str))
        made = self.outbox.call(method, path, body)
        if path == "register-file":
            return []
        key = made if method == "POST" else path.rpartition("/")[2]
        record = {"id": key, "url": f"{self.base_url}/{path.partition('/')[0]}/{key}"}
        return {**body, **record} if isinstance(body, dict) else record


def keeping(one: Any, outbox: Outbox) -> Any:
    """A copy of a logged-in `OneAlyx` that posts, puts and patches into `outbox`; uploads of images go to the registry at once.

    While the registry is away its subjects, users and so on are taken to exist: what is not so is refused when the outbox
    sends it, and kept aside with the answer.
    """
    client = copy.copy(one.alyx)
    client.__class__, client.outbox = KeepingClient, outbox
    kept = copy.copy(one)
    kept._web_client = client  # noqa: SLF001  (ONE has no other name for it)
    return kept


def _nothing(rest_query: str) -> Any:
    """`/sessions?…` and `/sessions` are lists, `/subjects/M1` is a record."""
    return {} if "/" in urlsplit(rest_query).path.strip("/") else []
