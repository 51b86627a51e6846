"""How an instance comes to life when nothing is configured: private PostgreSQL, file-system broker, supervisor."""

import os


def ensure_database() -> None:
    """Set DATABASE_URL to this instance's private PostgreSQL, started when it is not running."""
    if not os.environ.get("DATABASE_URL"):
        raise SystemExit("the embedded PostgreSQL is not built yet: set DATABASE_URL")
