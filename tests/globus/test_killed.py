"""A worker killed at every place of the Globus backend, once and twice: one task, every file whole, nothing lost."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from alyx.core import failpoints
from tests.backends.rig import NAME, NIGHT, content_of
from tests.globus.conftest import Ends
from transfers.backends.base import JobSpec, Promoted, Proved
from transfers.backends.globus import promoting, sending

pytestmark = [pytest.mark.once, pytest.mark.kill]

PLACES = sorted(place for place in failpoints.DECLARED if place.startswith("globus."))


def dies(action: Callable[[], object], place: str) -> bool:
    """Run it in a process of its own, to be killed at `place`; whether it was."""
    child = os.fork()
    if child == 0:
        failpoints.arm(place)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def carry(ends: Ends, job: JobSpec) -> dict[str, object]:
    """The whole way, as a worker goes it that knows nothing of an earlier one: what is proved is not sent again."""
    proofs = ends.destination.prove(ends.source, job)
    if not all(isinstance(proof, Proved) for proof in proofs.values()):
        ends.wait(ends.send(job).id)
        proofs = ends.destination.prove(ends.source, job)
    proved = {key: proof for key, proof in proofs.items() if isinstance(proof, Proved)}
    return {**proofs, **ends.destination.promote(job, proved)}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_a_killed_worker_is_taken_over(ends: Ends, place: str, times: int) -> None:
    assert ends.carry(ends.job(ends.spec(b"old"))) == {"1": Promoted()}
    before = len(ends.service.tasks())
    newer = ends.spec(b"newer", version=2, replaces=(1, content_of(b"old")))
    job = ends.job(newer, ends.spec(b"abc", "lab/other.npy", "2"))
    once_only = times == 2 and place in {promoting.AFTER_TRASH, sending.SUBMITTED}
    for fence in range(1, times + 1):
        killed = dies(lambda fence=fence: carry(ends, replace(job, fence=fence)), place)  # type: ignore[misc]
        assert killed == (fence == 1 or not once_only)
    outcomes = carry(ends, replace(job, fence=9))
    assert all(isinstance(outcome, Promoted) for outcome in outcomes.values()), outcomes
    assert (ends.get(), ends.get("lab/other.npy")) == (b"newer", b"abc")
    assert ends.get(f".alyx-trash/{NIGHT}/{NAME}.v1") == b"old"
    assert len(ends.service.tasks()) == before + 1


def test_every_place_is_among_the_cases() -> None:
    assert len(PLACES) == 5
