"""Secrets have no place in a repository's JSON: every logged-in user reads it."""

import re
from typing import Any

from alyx.core.errors import Invalid

_SECRET = re.compile(r"secret|passw|token|credential|private.?key|access.?key(?!.?id)", re.IGNORECASE)


def looks_secret(key: str) -> bool:
    """Whether a key's name promises a secret (`Secret access key`; not `Access key ID`, which is a name)."""
    return bool(_SECRET.search(key))


def without_secrets(value: Any) -> Any:
    """The value without whatever looks secret, at any depth. For what was imported."""
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items() if not looks_secret(str(key))}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


def refuse_secrets(value: Any, *, field: str = "json") -> None:
    """Raise Invalid when something in the value looks secret."""
    if isinstance(value, dict):
        for key, item in value.items():
            if looks_secret(str(key)):
                raise Invalid.of(
                    field,
                    f"{key!r} looks like a secret; give it to the server's environment (the repository's credentials "
                    "are named there) and leave it out here, where every user reads it",
                )
            refuse_secrets(item, field=field)
    elif isinstance(value, list):
        for item in value:
            refuse_secrets(item, field=field)
