"""One agent at a time on a repository's disk: a lock that dies with its holder."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".alyx-agent.lock"


class AnotherAgent(Exception):
    """Somebody holds the lock; the message says who."""


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Hold the repository for this process. Raises AnotherAgent, OSError (the root cannot be written)."""
    with (root / NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read(200).strip() or "somebody"
            raise AnotherAgent(f"another copy agent works on {root}: {who}") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
