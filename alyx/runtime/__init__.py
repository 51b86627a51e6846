"""How an instance comes to life when nothing is configured: private PostgreSQL, file-system broker, supervisor.

Only `DATABASE_URL` and `REDIS_URL` decide where database and messages are; this package sets the first where it is not set.
"""

import atexit
import os
import signal
import sys
import threading
from types import FrameType

from alyx.runtime.instance import Instance
from alyx.runtime.postgres import Postgres


def ensure_database() -> None:
    """Set DATABASE_URL to this instance's private PostgreSQL, started when it is not running, unless it is set already.

    The process (and with it the children that get its environment) uses the cluster until it exits; the last user stops it.

    Raises:
        PostgresFailed, NoLauncher: it cannot run here; the message says why.
    """
    if os.environ.get("DATABASE_URL"):
        return
    postgres = Postgres(Instance.from_environment().path("postgres"))
    os.environ["DATABASE_URL"] = postgres.acquire()
    owner = os.getpid()

    def leave() -> None:
        if os.getpid() == owner:
            postgres.release()

    atexit.register(leave)
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    """Leave through the exit handlers."""
    sys.exit(128 + number)
