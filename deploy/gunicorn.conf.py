# ruff: noqa: INP001
"""gunicorn's settings, embedded and in production; `--bind` and the environment say the rest."""

import gc
import os
from pathlib import Path

from alyx.runtime.instance import Instance

worker_class = "gthread"
workers = int(os.environ.get("ALYX_WEB_PROCESSES", "2"))
threads = int(os.environ.get("ALYX_WEB_THREADS", "4"))
timeout = 120
graceful_timeout = 10
keepalive = 5
control_socket_disable = True  # it would be one file per user, shared by all instances
max_requests = 20_000
max_requests_jitter = 2_000
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (one file per worker, made by gunicorn and unlinked at once)
worker_tmp_dir = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None  # a slow disk must not look like a dead worker
accesslog = "-"
access_log_format = (
    '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms %({x-request-id}o)s'  # no query string, no headers: no secrets
)
logconfig_dict = Instance.from_environment().logging()


def post_worker_init(worker: object) -> None:
    """What a worker has loaded lives as long as it does: the collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
