"""Pages of the engine."""

from transfers.admin import copies, health, home, item, job, morning, scans, window

__all__ = ["copies", "health", "home", "item", "job", "morning", "scans", "window"]
