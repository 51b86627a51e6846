"""Pages of the engine."""

from transfers.admin import health, home, item, job, morning, scans, window

__all__ = ["health", "home", "item", "job", "morning", "scans", "window"]
