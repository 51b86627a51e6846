"""Pages of recordings."""

from sessions.admin import session

__all__ = ["session"]
