"""The five ways a thing can stand, the same on every page: a word, a shape and a colour, never colour alone. Pure."""

from enum import StrEnum


class Status(StrEnum):
    """How something stands. The rules decide it; pages only show it."""

    FINE = "fine"
    NEUTRAL = "neutral"
    WARNING = "warning"
    FAILED = "failed"
    CRITICAL = "critical"


SHAPES = {Status.FINE: "●", Status.NEUTRAL: "○", Status.WARNING: "▲", Status.FAILED: "■", Status.CRITICAL: "◆"}
