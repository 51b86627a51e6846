"""Pages of recordings."""

from sessions.admin import insertion, session, training

__all__ = ["insertion", "session", "training"]
