"""How items and jobs stand: one decision for every page. Pure."""

from alyx.core.status import Status
from transfers.rules.lifecycle import ItemState, JobState

I, J = ItemState, JobState  # noqa: E741

ITEM_STATUS: dict[ItemState, Status] = {
    **dict.fromkeys(ItemState, Status.NEUTRAL),
    I.DONE: Status.FINE,
    I.RETRY_WAIT: Status.WARNING,
    I.NEEDS_HUMAN: Status.FAILED,
}

JOB_STATUS: dict[JobState, Status] = {
    **dict.fromkeys(JobState, Status.NEUTRAL),
    J.SETTLED: Status.FINE,
    J.FAILED: Status.FAILED,
    J.EXPIRED: Status.FAILED,
}
