"""When was a role (`worker`, `beat`) last heard? Written by its process every few seconds, read by the health page.

Kept where the messages are kept, so that it is seen by exactly the machines that share the broker: a key in Redis, or a file
below the state folder.
"""

import os
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import redis

EVERY_S = 5
LOST_AFTER_S = 30


class Heartbeat:
    """The pulse of one role."""

    def __init__(self, role: str, folder: Path) -> None:
        self.role = role
        self._file = folder / role

    def beat(self) -> None:
        """Say that the role lives now."""
        if self._redis is not None:
            self._redis.set(self._key, "1", ex=LOST_AFTER_S)
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()

    def lives(self) -> bool:
        """Whether it was heard in the last `LOST_AFTER_S` seconds. A broker that cannot be asked counts as no."""
        if self._redis is not None:
            try:
                return bool(self._redis.exists(self._key))
            except redis.RedisError:
                return False
        try:
            return time.time() - self._file.stat().st_mtime < LOST_AFTER_S
        except FileNotFoundError:
            return False

    def forget(self) -> None:
        """Before a start: what was heard of an earlier run on this machine says nothing of this one."""
        self._file.unlink(missing_ok=True)

    @property
    def _key(self) -> str:
        return f"alyx:heartbeat:{self.role}"

    @cached_property
    def _redis(self) -> Any:
        url = os.environ.get("REDIS_URL")
        if not url:
            return None
        return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
