"""One instance: the folder of its state, its secret key, where its database and broker are. No Django here."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alyx.runtime import logs

ROOT = Path(__file__).resolve().parent.parent.parent
QUEUES = ("control", "posix", "verify", "s3", "globus", "mail")
"""What one worker consumes by default; in production units of their own may take some (`celery worker -Q posix,verify`)."""
NO_DATABASE = "postgres://nobody@127.0.0.1:9/no-database-was-started-see-alyx.runtime.ensure_database"
_VISIBILITY_TIMEOUT_S = 6 * 3600  # longer than any job: Redis delivers a longer one twice (leases make that harmless)


@dataclass(frozen=True)
class Instance:
    """The state folder of one running copy of the project."""

    var: Path

    @classmethod
    def from_environment(cls) -> "Instance":
        """The instance of `ALYX_VAR` (default: `var/` in the project)."""
        return cls(Path(os.environ.get("ALYX_VAR") or ROOT / "var").resolve())

    def path(self, name: str) -> Path:
        """A folder or file below the state folder."""
        return self.var / name

    def secret_key(self) -> str:
        """`ALYX_SECRET_KEY`, else a key made once and kept in the state folder, readable by its owner only."""
        given = os.environ.get("ALYX_SECRET_KEY")
        if given:
            return given
        file = self.path("secret_key")
        if not file.exists():
            self._make_secret_key(file)
        return file.read_text()

    def _make_secret_key(self, file: Path) -> None:
        """Linked into place whole: of two processes starting at once, both read the first one's key."""
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_name(f"secret_key.{os.getpid()}")
        made.touch(mode=0o600)
        made.write_text(secrets.token_urlsafe(50))
        try:
            file.hardlink_to(made)
        except FileExistsError:
            pass
        finally:
            made.unlink()

    def database_url(self) -> str:
        """`DATABASE_URL`, which `ensure_database` sets for the private PostgreSQL; without either, one that reaches nothing."""
        return os.environ.get("DATABASE_URL") or NO_DATABASE

    def celery_settings(self) -> dict[str, Any]:
        """Celery's settings: Redis where `REDIS_URL` is set, else files below the state folder."""
        redis_url = os.environ.get("REDIS_URL")
        return {
            "broker_url": redis_url or "filesystem://localhost//",
            "broker_transport_options": {"visibility_timeout": _VISIBILITY_TIMEOUT_S} if redis_url else self._folders(),
            "broker_connection_retry_on_startup": True,
            "task_ignore_result": True,  # results are rows of ours
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "worker_prefetch_multiplier": 1,
            "worker_concurrency": int(os.environ.get("ALYX_WORKER_PROCESSES", "2")),
            "worker_hijack_root_logger": False,
            "worker_soft_shutdown_timeout": 10,
            "accept_content": ["json"],
            "task_serializer": "json",
            "task_queues": {name: {} for name in QUEUES},
            "task_default_queue": "control",
            "enable_utc": True,
            "timezone": "UTC",
            "beat_schedule_filename": str(self.path("beat") / "schedule"),
            "beat_max_loop_interval": 5,
        }

    def _folders(self) -> dict[str, Any]:
        folder = self.path("broker")
        names = {
            "data_folder_in": "messages",
            "data_folder_out": "messages",
            "processed_folder": "taken",
            "control_folder": "control",
        }
        for name in set(names.values()):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return {
            **{option: str(folder / name) for option, name in names.items()},
            "store_processed": True,  # makes `processed_folder` used; ours removes the file once read
            "polling_interval": 0.1,
        }

    def logging(self) -> dict[str, Any]:
        """Django's LOGGING: lines on a terminal, else JSON; `ALYX_LOG=json` or `lines` decides otherwise."""
        wanted = os.environ.get("ALYX_LOG") or ("lines" if sys.stderr.isatty() else "json")
        return logs.settings(level=os.environ.get("ALYX_LOG_LEVEL", "INFO").upper(), as_json=wanted == "json")
