"""Pages of the engine."""

from transfers.admin import item, job, window

__all__ = ["item", "job", "window"]
