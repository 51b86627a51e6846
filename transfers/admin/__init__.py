"""Pages of the engine."""

from transfers.admin import home, item, job, window

__all__ = ["home", "item", "job", "window"]
