"""The rules of evidence themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.rules.copies import MOVES, CopyState
from transfers.rules.errors import ErrorCode
from transfers.rules.evidence import (
    LOOKS_APART,
    Arrival,
    Finding,
    Meant,
    Presence,
    Reading,
    after_failure,
    arrival,
    arrival_trouble,
    contradicts,
    finding,
    lease_lapsed,
    look_outcome,
    may_leave_in_flight,
    proves,
    reopens,
    source_trouble,
)
from transfers.rules.lifecycle import JOB_WRITING, ItemState, JobState

S = CopyState
NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
DIGESTS = st.none() | st.sampled_from(["aa", "bb"])
READINGS = st.builds(Reading, size_bytes=st.integers(0, 2), md5=DIGESTS, sha256=DIGESTS)
MEANT = st.builds(Meant, version=st.just(1), size_bytes=st.none() | st.integers(0, 2), md5=DIGESTS, sha256=DIGESTS)


@given(reading=READINGS, meant=MEANT)
def test_nothing_proves_and_contradicts_at_once_and_no_proof_without_a_shared_digest(
    reading: Reading, meant: Meant
) -> None:
    shared = any(
        pair == (pair[0], pair[0]) and pair[0] for pair in ((meant.md5, reading.md5), (meant.sha256, reading.sha256))
    )
    assert not (proves(reading, meant) and contradicts(reading, meant))
    assert proves(reading, meant) <= shared


def test_one_wrong_digest_outweighs_a_right_one_and_a_wrong_size_outweighs_both() -> None:
    meant = Meant(1, 3, md5="aa", sha256="bb")
    assert proves(Reading(3, "aa", "bb"), meant)
    assert not proves(Reading(3, "aa", "cc"), meant)
    assert not proves(Reading(4, "aa", "bb"), meant)


@given(
    state=st.sampled_from(S),
    found=st.sampled_from(Finding),
    doubted=st.none() | st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_a_look_makes_only_legal_moves_and_condemns_only_a_day_after_the_first_doubt(
    state: CopyState, found: Finding, doubted: timedelta | None
) -> None:
    doubted_at = None if doubted is None else NOW - doubted
    outcome = look_outcome(state, found, doubted_at=doubted_at, now=NOW)
    if outcome.move_to is not None:
        assert (state, outcome.move_to) in MOVES[outcome.cause]
    if outcome.move_to in {S.MISSING, S.CORRUPT, S.EXPECTED}:
        assert doubted is not None
        assert doubted >= LOOKS_APART
    if found is Finding.UNKNOWN:
        assert (outcome.move_to, outcome.doubted_at, outcome.proof) == (None, doubted_at, False)
    assert outcome.proof <= (found is Finding.GOOD)


@pytest.mark.parametrize("presence", Presence)
def test_without_the_canary_nothing_was_seen(presence: Presence) -> None:
    good = Reading(2, "aa") if presence is Presence.PRESENT else None
    assert finding(presence, good, Meant(1, 2, "aa"), canary=False) is Finding.UNKNOWN


def test_an_error_is_not_an_absence() -> None:
    assert finding(Presence.UNKNOWN, None, Meant(1, 2, "aa"), canary=True) is Finding.UNKNOWN
    assert source_trouble(Presence.UNKNOWN, None, Meant(1, 2, "aa"), canary=True) is ErrorCode.UNREACHABLE
    assert arrival(Presence.UNKNOWN, None, Meant(1, 2, "aa")) is Arrival.WAIT


def test_a_first_bad_look_doubts_and_a_client_s_word_is_no_look() -> None:
    assert look_outcome(S.VERIFIED, Finding.ABSENT, doubted_at=None, now=NOW).move_to is S.SUSPECT
    withdrawn = look_outcome(S.SUSPECT, Finding.ABSENT, doubted_at=None, now=NOW)
    assert (withdrawn.move_to, withdrawn.doubted_at) == (None, NOW)
    later = NOW + LOOKS_APART
    assert look_outcome(S.SUSPECT, Finding.ABSENT, doubted_at=NOW, now=later).move_to is S.MISSING
    assert look_outcome(S.SUSPECT, Finding.DIFFERENT, doubted_at=NOW, now=later).move_to is S.CORRUPT
    assert look_outcome(S.ANNOUNCED, Finding.ABSENT, doubted_at=NOW, now=later).flag


def test_an_announced_file_without_a_digest_is_a_claim_once_it_is_seen() -> None:
    found = finding(Presence.PRESENT, Reading(2, "aa"), Meant(1, 2), canary=True)
    assert found is Finding.UNPROVABLE
    assert look_outcome(S.ANNOUNCED, found, doubted_at=None, now=NOW).move_to is S.CLAIMED


def test_the_right_side_is_blamed() -> None:
    meant = Meant(1, 3, "aaa")
    assert source_trouble(Presence.ABSENT, None, meant, canary=True) is ErrorCode.SOURCE_VANISHED
    assert source_trouble(Presence.PRESENT, Reading(2, "aa"), meant, canary=True) is ErrorCode.SOURCE_TRUNCATED
    assert source_trouble(Presence.PRESENT, Reading(3, "bbb"), meant, canary=True) is ErrorCode.SOURCE_CHANGED
    assert source_trouble(Presence.PRESENT, Reading(3, "aaa"), meant, canary=True) is None
    assert arrival_trouble(Reading(3, "aaa"), meant, ErrorCode.SOURCE_CHANGED) is None
    assert arrival_trouble(Reading(3, "a#a"), meant, None) is ErrorCode.DIGEST_MISMATCH
    assert arrival_trouble(Reading(3, "bbb"), meant, ErrorCode.SOURCE_CHANGED) is ErrorCode.SOURCE_CHANGED


def test_what_lies_at_the_final_name_goes_to_the_trash_unless_it_is_what_is_meant() -> None:
    meant = Meant(1, 2, "aa")
    assert arrival(Presence.ABSENT, None, meant) is Arrival.PLACE
    assert arrival(Presence.PRESENT, Reading(2, "aa"), meant) is Arrival.ALREADY_THERE
    assert arrival(Presence.PRESENT, Reading(2, "bb"), meant) is Arrival.TRASH_FIRST


def test_a_changed_source_asks_a_person_and_goes_on_when_a_source_is_back() -> None:
    assert after_failure(ErrorCode.SOURCE_CHANGED, 1) is ItemState.NEEDS_HUMAN
    assert after_failure(ErrorCode.UNREACHABLE, 1) is ItemState.RETRY_WAIT
    assert reopens(ErrorCode.SOURCE_CHANGED)
    assert not reopens(ErrorCode.DIGEST_MISMATCH)


@pytest.mark.parametrize("job", JobState)
def test_items_are_left_alone_while_their_writer_may_live(job: JobState) -> None:
    assert may_leave_in_flight(job) is (job not in JOB_WRITING)


def test_a_lease_lapses_at_its_end() -> None:
    assert not lease_lapsed(None, NOW)
    assert not lease_lapsed(NOW + timedelta(seconds=1), NOW)
    assert lease_lapsed(NOW, NOW)
