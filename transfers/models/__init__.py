"""The engine's tables."""

from transfers.models.event import Event
from transfers.models.item import Attempt, TransferItem
from transfers.models.job import TransferJob
from transfers.models.window import NightWindow

__all__ = ["Attempt", "Event", "NightWindow", "TransferItem", "TransferJob"]
