"""Calls to a registry that survive it being down: kept on disk, sent in order, done once. Standard library only."""

from rig_outbox.outbox import Call, Outbox, Replayed, State
from rig_outbox.sending import Answer, Http, Unreachable, through_alyx_client

__all__ = ["Answer", "Call", "Http", "Outbox", "Replayed", "State", "Unreachable", "through_alyx_client"]
