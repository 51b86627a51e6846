"""How copies are spoken of: a claim is never shown as a proof, nor a past proof as a present one."""

import pytest

from alyx.core.status import Status
from datasets.rules.copies import CopyState
from datasets.rules.standing import COPY_MEANING, COPY_STATUS, dataset_standing, evidence_words

S = CopyState


def test_every_state_has_its_standing_and_its_meaning() -> None:
    assert set(COPY_STATUS) == set(COPY_MEANING) == set(S)


def test_only_a_proof_is_fine() -> None:
    assert [state for state, status in COPY_STATUS.items() if status is Status.FINE] == [S.VERIFIED]


@pytest.mark.parametrize("state", sorted(set(S) - {S.VERIFIED}))
def test_a_past_proof_is_said_to_be_past(state: CopyState) -> None:
    assert evidence_words(S.VERIFIED, 4) == "read back and hashed"
    assert evidence_words(state, 4) == "none now; earlier: read back and hashed"
    assert evidence_words(state, 0) == "somebody said so"


@pytest.mark.parametrize(
    ("servers", "others", "status"),
    [
        ([S.VERIFIED, S.VERIFIED], [S.CLAIMED], Status.FINE),
        ([S.VERIFIED, S.CLAIMED], [], Status.WARNING),
        ([S.CLAIMED], [], Status.WARNING),
        ([S.VERIFIED, S.SUSPECT], [S.CLAIMED], Status.FAILED),
        ([S.VERIFIED], [S.CORRUPT], Status.CRITICAL),
        ([S.EXPECTED], [S.ANNOUNCED], Status.FAILED),
        ([], [S.VERIFIED], Status.WARNING),
    ],
)
def test_a_dataset_stands_as_its_worst_doubt(servers: list[CopyState], others: list[CopyState], status: Status) -> None:
    assert dataset_standing(servers, others)[0] is status
