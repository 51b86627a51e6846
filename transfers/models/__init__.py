"""The engine's tables."""

from transfers.models.decision import Decision
from transfers.models.event import Event
from transfers.models.intake import IntakePolicy
from transfers.models.item import Attempt, TransferItem
from transfers.models.job import TransferJob
from transfers.models.preflight import Preflight
from transfers.models.pulse import Pulse
from transfers.models.scan import FoundFile, Scan
from transfers.models.turn import ReadingTurn
from transfers.models.window import NightWindow

__all__ = [
    "Attempt",
    "Decision",
    "Event",
    "FoundFile",
    "IntakePolicy",
    "NightWindow",
    "Preflight",
    "Pulse",
    "ReadingTurn",
    "Scan",
    "TransferItem",
    "TransferJob",
]
