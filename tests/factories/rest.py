"""Calling the REST interface as somebody, without a socket."""

import json
from typing import Any

from django.test import Client

from alyx.labs.models import User
from alyx.labs.tokens import issue_token


class Rest:
    """JSON calls with a token. `get("sessions", subject="M1")` returns the response; `.json()` is the body."""

    def __init__(self, user: User | None = None, key: str = "") -> None:
        key = key or (issue_token(actor=user, user=user).key if user else "")
        self.client = Client(headers={"Authorization": f"Token {key}"} if key else {}, raise_request_exception=False)

    def get(self, path: str, /, **parameters: Any) -> Any:
        """GET with query parameters."""
        return self.client.get(f"/{path}", parameters)

    def found(self, path: str, /, **parameters: Any) -> Any:
        """The results of a list that must answer 200."""
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.content
        return answer.json()["results"]

    def send(self, verb: str, path: str, body: Any = None) -> Any:
        """A call with a JSON body."""
        data = body if isinstance(body, bytes | str) else json.dumps(body if body is not None else {})
        return self.client.generic(verb, f"/{path}", data, content_type="application/json")

    def post(self, path: str, body: Any = None) -> Any:
        """POST."""
        return self.send("POST", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        """PUT."""
        return self.send("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> Any:
        """PATCH."""
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """DELETE."""
        return self.client.delete(f"/{path}")
