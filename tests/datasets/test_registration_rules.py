"""The decision table of a registration, row by row, and its legality over every combination."""

from itertools import product
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.rules.copies import HIDDEN, INITIAL, CopyState, is_legal
from datasets.rules.registration import (
    Call,
    Change,
    Content,
    Effect,
    Repo,
    RepositoryMissing,
    bytes_change,
    copies_for,
    effect,
    merged,
    nowhere_to_look,
    size_contradicts,
)

S = CopyState
A, B, C = "a" * 32, "b" * 32, "c" * 32
LAB = Repo(uuid4(), is_server=False)
LAB_2 = Repo(uuid4(), is_server=False)
SERVER = Repo(uuid4(), is_server=True)
CLOUD = Repo(uuid4(), is_server=True)
ELSEWHERE = Repo(uuid4(), is_server=False, of_lab=False)
ALL = [LAB, LAB_2, SERVER, CLOUD, ELSEWHERE]

contents = st.builds(
    Content,
    size=st.none() | st.integers(0, 2),
    md5=st.none() | st.sampled_from([A, B]),
    sha256=st.none() | st.sampled_from([A * 2, B * 2]),
)


def asked(call: Call, repositories: list[Repo] = ALL) -> dict[UUID, CopyState]:
    return copies_for(call, repositories)


# --- bytes


@pytest.mark.parametrize(
    ("stored", "sent", "change"),
    [
        (None, Content(1, A), Change.NEW),
        (Content(1, A), Content(1, A), Change.SAME),
        (Content(1, A), Content(None, A), Change.SAME),
        (Content(1, A), Content(1), Change.SAME),
        (Content(1, A), Content(), Change.SAME),
        (Content(1), Content(1), Change.SAME),
        (Content(1), Content(1, A), Change.FILLED),
        (Content(), Content(1, A), Change.FILLED),
        (Content(), Content(1), Change.FILLED),
        (Content(None, A), Content(1, A), Change.FILLED),
        (Content(1, A), Content(1, A, A * 2), Change.FILLED),
        (Content(1, A), Content(1, B), Change.NEW_VERSION),
        (Content(1, A), Content(2, B), Change.NEW_VERSION),
        (Content(1, A), Content(2), Change.NEW_VERSION),
        (Content(1), Content(2), Change.NEW_VERSION),
        (Content(1), Content(2, A), Change.NEW_VERSION),
        (Content(1, A, A * 2), Content(1, A, B * 2), Change.NEW_VERSION),
        (Content(1, A), Content(1, None, A * 2), Change.NEW_VERSION),
    ],
)
def test_bytes_are_compared_by_digest_and_by_size_only_without_one(
    stored: Content | None, sent: Content, change: Change
) -> None:
    assert bytes_change(stored, sent) is change


def test_bytes_of_an_earlier_version_are_a_new_version_with_a_name_of_its_own() -> None:
    earlier = [Content(1, A), Content(2, B)]
    assert bytes_change(Content(3, C), Content(2, B), earlier) is Change.RETURNED
    assert Change.RETURNED.is_new_version


def test_an_earlier_size_without_digest_proves_nothing() -> None:
    assert bytes_change(Content(3, C), Content(2), [Content(2, B)]) is Change.NEW_VERSION


def test_filling_never_replaces_what_is_stored() -> None:
    assert merged(Content(1, A), Content(2, B, C * 2)) == Content(1, A, C * 2)


def test_equal_digests_with_two_sizes_are_reported() -> None:
    assert size_contradicts(Content(1, A), Content(2, A))
    assert not size_contradicts(Content(1, A), Content(1, A))
    assert not size_contradicts(Content(1, A), Content(2, B))


@given(contents, contents)
def test_saying_the_same_twice_changes_nothing_the_second_time(stored: Content, sent: Content) -> None:
    change = bytes_change(stored, sent)
    after = sent if change.is_new_version else merged(stored, sent)
    assert bytes_change(after, sent) is Change.SAME


@given(contents, contents)
def test_a_digest_that_differs_is_never_the_same_bytes(stored: Content, sent: Content) -> None:
    pairs = [(stored.md5, sent.md5), (stored.sha256, sent.sha256)]
    if any(a and b and a != b for a, b in pairs):
        assert bytes_change(stored, sent) is Change.NEW_VERSION


# --- where the call says the files are


def test_a_named_repository_is_claimed_and_the_others_of_the_lab_expected() -> None:
    assert asked(Call(repository=LAB.id)) == {
        LAB.id: S.CLAIMED,
        LAB_2.id: S.EXPECTED,
        SERVER.id: S.EXPECTED,
        CLOUD.id: S.EXPECTED,
    }


def test_a_named_repository_of_another_lab_is_claimed_too() -> None:
    assert asked(Call(repository=ELSEWHERE.id))[ELSEWHERE.id] is S.CLAIMED


def test_exists_false_announces_the_named_repository() -> None:
    assert asked(Call(exists=False, repository=LAB.id)) == {
        LAB.id: S.ANNOUNCED,
        LAB_2.id: S.EXPECTED,
        SERVER.id: S.EXPECTED,
        CLOUD.id: S.EXPECTED,
    }


def test_exists_false_with_server_only_makes_no_record_at_other_lab_repositories() -> None:
    assert asked(Call(exists=False, server_only=True, repository=LAB.id)) == {
        LAB.id: S.ANNOUNCED,
        SERVER.id: S.EXPECTED,
        CLOUD.id: S.EXPECTED,
    }


def test_a_file_announced_without_a_place_is_looked_for_at_the_labs_own_repositories_also_with_server_only() -> None:
    for server_only in (True, False):
        states = asked(Call(exists=False, server_only=server_only, repository=None))
        assert states == {LAB.id: S.ANNOUNCED, LAB_2.id: S.ANNOUNCED, SERVER.id: S.EXPECTED, CLOUD.id: S.EXPECTED}


def test_server_only_claims_every_server_of_the_lab_and_nothing_else() -> None:
    assert asked(Call(server_only=True)) == {SERVER.id: S.CLAIMED, CLOUD.id: S.CLAIMED}


def test_server_only_claims_the_named_lab_repository_too() -> None:
    assert asked(Call(server_only=True, repository=LAB.id)) == {
        LAB.id: S.CLAIMED,
        SERVER.id: S.CLAIMED,
        CLOUD.id: S.CLAIMED,
    }


@pytest.mark.parametrize("exists", [True, False])
def test_without_a_repository_the_lab_repositories_are_announced(exists: bool) -> None:
    assert asked(Call(exists=exists)) == {
        LAB.id: S.ANNOUNCED,
        LAB_2.id: S.ANNOUNCED,
        SERVER.id: S.EXPECTED,
        CLOUD.id: S.EXPECTED,
    }


def test_a_lab_without_a_lab_repository_leaves_nowhere_to_look() -> None:
    assert nowhere_to_look(asked(Call(), [SERVER]).values())
    assert not nowhere_to_look(asked(Call(), [SERVER, LAB]).values())


@pytest.mark.parametrize(("exists", "state"), [(True, S.CLAIMED), (False, S.ANNOUNCED)])
@pytest.mark.parametrize("server_only", [True, False])
def test_an_aggregate_is_only_where_the_call_names(exists: bool, state: CopyState, server_only: bool) -> None:
    call = Call(exists=exists, server_only=server_only, repository=SERVER.id, aggregate=True)
    assert asked(call) == {SERVER.id: state}


def test_an_aggregate_without_a_repository_is_refused() -> None:
    with pytest.raises(RepositoryMissing, match="name"):
        asked(Call(aggregate=True))


@given(st.booleans(), st.booleans(), st.sampled_from([None, *(r.id for r in ALL)]), st.booleans())
def test_every_call_asks_only_for_states_a_copy_can_be_born_in(
    exists: bool, server_only: bool, repository: UUID | None, aggregate: bool
) -> None:
    if aggregate and repository is None:
        return
    states = asked(Call(exists, server_only, repository, aggregate))
    assert set(states.values()) <= INITIAL
    assert (ELSEWHERE.id in states) == (repository == ELSEWHERE.id)
    assert repository is None or states[repository] is (S.CLAIMED if exists else S.ANNOUNCED)


# --- what happens to each copy

COMBINATIONS = list(product([None, *S], [None, *sorted(INITIAL)], [True, False]))


def walk(current: CopyState | None, effect_: Effect) -> CopyState | None:
    for step in effect_.steps:
        if current is None:
            assert step.state in INITIAL
        else:
            assert is_legal(current, step.state, step.cause), (current, step)
        current = step.state
    return current


@pytest.mark.parametrize(("current", "wanted", "outdated"), COMBINATIONS)
def test_every_step_is_a_legal_move_for_its_cause(
    current: CopyState | None, wanted: CopyState | None, outdated: bool
) -> None:
    done = effect(current, wanted, outdated=outdated)
    after = walk(current, done)
    assert len(done.steps) <= 2
    if done.renews:
        assert after in INITIAL


@pytest.mark.parametrize(("current", "wanted", "outdated"), COMBINATIONS)
def test_the_same_call_twice_is_one_call(current: CopyState | None, wanted: CopyState | None, outdated: bool) -> None:
    first = effect(current, wanted, outdated=outdated)
    after = walk(current, first)
    assert effect(after, wanted, outdated=outdated and not first.renews) == Effect()


@pytest.mark.parametrize("wanted", [None, *sorted(INITIAL)])
@pytest.mark.parametrize("current", [S.VERIFIED, S.CLAIMED])
def test_the_same_bytes_never_move_a_copy_away_from_its_proof_or_claim(
    current: CopyState, wanted: CopyState | None
) -> None:
    assert effect(current, wanted, outdated=False) == Effect()


@pytest.mark.parametrize("current", sorted(S))
def test_expected_is_only_for_repositories_without_a_record(current: CopyState) -> None:
    assert effect(current, S.EXPECTED, outdated=False) == Effect()
    assert walk(None, effect(None, S.EXPECTED, outdated=True)) is S.EXPECTED


@pytest.mark.parametrize("current", sorted(set(S) - {S.DELETED}))
@pytest.mark.parametrize("outdated", [True, False])
def test_a_claim_is_believed_wherever_the_bytes_may_be(current: CopyState, outdated: bool) -> None:
    after = walk(current, effect(current, S.CLAIMED, outdated=outdated))
    assert after is (S.VERIFIED if current is S.VERIFIED and not outdated else S.CLAIMED)


def test_a_proof_of_another_version_lapses_when_the_server_is_claimed() -> None:
    done = effect(S.VERIFIED, S.CLAIMED, outdated=True)
    assert walk(S.VERIFIED, done) is S.CLAIMED
    assert done.renews


@pytest.mark.parametrize("wanted", [None, S.EXPECTED])
@pytest.mark.parametrize(
    ("current", "after"),
    [
        (S.CLAIMED, S.SUPERSEDED),
        (S.VERIFIED, S.SUPERSEDED),
        (S.SUSPECT, S.SUPERSEDED),
        (S.CORRUPT, S.SUPERSEDED),
        (S.INCOMING, S.EXPECTED),
        (S.EXPECTED, S.EXPECTED),
        (S.ANNOUNCED, S.ANNOUNCED),
        (S.SUPERSEDED, S.SUPERSEDED),
        (S.MISSING, S.MISSING),
        (S.WITHDRAWN, S.WITHDRAWN),
        (S.TRASHED, S.TRASHED),
        (S.DELETED, S.DELETED),
    ],
)
def test_a_new_version_supersedes_the_copies_the_call_does_not_name(
    current: CopyState, after: CopyState, wanted: CopyState | None
) -> None:
    assert walk(current, effect(current, wanted, outdated=True)) is after


@pytest.mark.parametrize("current", sorted(set(S) - {S.DELETED}))
def test_a_new_version_announced_somewhere_is_looked_for_there(current: CopyState) -> None:
    done = effect(current, S.ANNOUNCED, outdated=True)
    assert walk(current, done) is S.ANNOUNCED
    assert done.renews


@pytest.mark.parametrize("current", sorted(HIDDEN - {S.DELETED}))
def test_a_hidden_record_comes_back_only_by_a_registration_that_names_it(current: CopyState) -> None:
    assert walk(current, effect(current, S.EXPECTED, outdated=True)) is current
    assert walk(current, effect(current, S.ANNOUNCED, outdated=False)) is S.ANNOUNCED
