"""Pages of recordings."""

from sessions.admin import insertion, session, task, training

__all__ = ["insertion", "session", "task", "training"]
