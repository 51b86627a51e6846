"""Each place where a process may be killed belongs to one of the matrices."""

from alyx.core.failpoints import DECLARED
from tests.agent import test_agent_killed
from tests.globus import test_killed_night
from tests.kill import test_matrix
from tests.s3 import test_killed
from transfers.backends.s3 import uploading

MAILS = {"mailing.claimed", "mailing.left"}
"""Of tests/labs/test_mailing_killed.py."""


def test_every_declared_place_is_in_a_matrix() -> None:
    matrices = {
        "engine": {case.place for case in test_matrix.CASES},
        "Globus": set(test_killed_night.PLACES),
        "S3": {*test_killed.PLACES, uploading.ABORTED},
        "agent and scan": set(test_agent_killed.PLACES),
        "mail": MAILS,
    }
    assert set().union(*matrices.values()) == DECLARED
    told = ", ".join(f"{len(places)} {name}" for name, places in matrices.items())
    print(f"\nplaces to be killed at: {len(DECLARED)} declared, each in a matrix: {told}")
