"""How items and jobs stand: one decision for every page. Pure."""

from collections.abc import Mapping
from typing import Any

from alyx.core.status import Status
from transfers.rules.errors import parse_code, policy
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


def elsewhere(state: str, problem: str, status: Mapping[str, Any]) -> str:
    """How a job stands at the service that runs it, in words: how far it is, what holds it and what to do. Empty where no
    service knows of it. `state`, `problem`, `status`: what was last seen of it (the `remote_` columns of a job)."""
    if not state and not problem:
        return ""
    told = [state.replace("active", "running") or "not known to have begun", str(status.get("progress") or "")]
    said = str(status.get("said") or "")
    if problem:
        told.append(policy(parse_code(problem)).sentence + (f" ({said})" if said else ""))
    elif said:
        told.append(said)
    cancelled = status.get("cancelled")
    if cancelled:
        told.append(f"cancelled by {cancelled['by'] or 'the engine'}: {cancelled['why']}")
    return "; ".join(filter(None, told))
