"""One instance: the folder of its state, its secret key, where its database and broker are. No Django here."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


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
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(50))
        return file.read_text()

    def database_url(self) -> str:
        """`DATABASE_URL`; for the embedded PostgreSQL it is set by `ensure_database`."""
        return os.environ["DATABASE_URL"]

    def celery_settings(self) -> dict[str, Any]:
        """Celery's settings: Redis where `REDIS_URL` is set, else the file-system broker."""
        return {"broker_url": os.environ.get("REDIS_URL", "memory://")}

    def logging(self) -> dict[str, Any]:
        """Django's LOGGING."""
        return {"version": 1, "disable_existing_loggers": False}
