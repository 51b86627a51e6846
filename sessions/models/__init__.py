"""What was recorded: tables."""

from sessions.models.session import Session

__all__ = ["Session"]
