"""Every code has a policy, every policy has a pause, and the words for people say what, why and what to do."""

import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.rules.errors import (
    LONGEST_PAUSE,
    NEXT_NIGHT,
    POLICIES,
    ErrorCode,
    PolicyClass,
    is_exhausted,
    parse_code,
    policy,
    retry_delay,
)

CODES = st.sampled_from(list(ErrorCode))
JITTER = st.floats(0, 1, exclude_max=True)


def test_every_code_has_a_policy_and_no_policy_is_without_a_code() -> None:
    assert set(POLICIES) == set(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_sentence_for_people(code: ErrorCode) -> None:
    sentence = policy(code).sentence
    assert sentence[0] in string.ascii_uppercase
    assert sentence.endswith(".")
    assert sentence.count(". ") >= 1
    assert len(sentence) < 300
    assert "_" not in sentence


@pytest.mark.parametrize(
    ("code", "kind", "attempts"),
    [
        (ErrorCode.SOURCE_VANISHED, PolicyClass.ITEM, 3),
        (ErrorCode.PERMISSION_DENIED, PolicyClass.ITEM, 3),
        (ErrorCode.UNKNOWN, PolicyClass.ITEM, 3),
        (ErrorCode.SOURCE_CHANGED, PolicyClass.PERSON, 1),
        (ErrorCode.PATH_REFUSED, PolicyClass.PERSON, 1),
        (ErrorCode.SOURCE_UNSTABLE, PolicyClass.NIGHTLY, 7),
        (ErrorCode.DIGEST_MISMATCH, PolicyClass.INTEGRITY, 2),
        (ErrorCode.NO_SPACE, PolicyClass.REPOSITORY, None),
        (ErrorCode.CANARY_MISSING, PolicyClass.REPOSITORY, None),
        (ErrorCode.UNREACHABLE, PolicyClass.TRANSIENT, 10),
        (ErrorCode.LEASE_LOST, PolicyClass.YIELD, None),
    ],
)
def test_the_table_of_the_design(code: ErrorCode, kind: PolicyClass, attempts: int | None) -> None:
    assert (policy(code).kind, policy(code).attempts) == (kind, attempts)


@given(CODES, st.integers(1, 10_000))
def test_a_failure_that_consumes_no_attempt_never_exhausts_an_item(code: ErrorCode, attempts: int) -> None:
    if not policy(code).consumes:
        assert not is_exhausted(code, attempts)
    elif attempts >= 10:
        assert is_exhausted(code, attempts)


@given(CODES, st.integers(1, 10_000), JITTER)
def test_a_pause_is_never_negative_and_never_longer_than_a_night_and_a_tenth(
    code: ErrorCode, attempts: int, jitter: float
) -> None:
    assert timedelta(0) <= retry_delay(code, attempts, jitter) <= NEXT_NIGHT * 1.1


@given(st.integers(1, 10_000), JITTER)
def test_transient_pauses_grow_to_two_hours_and_are_never_zero(attempts: int, jitter: float) -> None:
    pause = retry_delay(ErrorCode.TOO_BUSY, attempts, jitter)
    assert timedelta(seconds=1) <= pause <= LONGEST_PAUSE
    assert pause <= retry_delay(ErrorCode.TOO_BUSY, attempts + 1, jitter)
    assert retry_delay(ErrorCode.TOO_BUSY, 1, jitter) <= timedelta(minutes=1)


def test_damage_is_repeated_at_once_and_a_file_is_looked_at_again_the_next_night() -> None:
    assert retry_delay(ErrorCode.DIGEST_MISMATCH, 1, 0.5) == timedelta(0)
    assert retry_delay(ErrorCode.SOURCE_VANISHED, 1, 0.0) == NEXT_NIGHT


@pytest.mark.parametrize(("attempts", "jitter"), [(0, 0.5), (-1, 0.5), (1, 1.0), (1, -0.1)])
def test_a_pause_of_nonsense_is_refused(attempts: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="attempts"):
        retry_delay(ErrorCode.TOO_BUSY, attempts, jitter)


@given(st.text())
def test_any_text_parses_to_a_code(text: str) -> None:
    assert parse_code(text) in ErrorCode


def test_codes_parse_back() -> None:
    assert [parse_code(str(code)) for code in ErrorCode] == list(ErrorCode)
