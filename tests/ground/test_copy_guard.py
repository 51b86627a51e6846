"""The database lets a copy move along the table of legal moves and no other way, and never loses the last proof."""

import threading
from itertools import product

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from datasets.models import FileRecord
from datasets.rules.copies import INITIAL, LEGAL, CopyState
from tests.factories import a_copy, a_dataset
from tests.factories.copies import proof_columns
from tests.ground.tables import sql

pytestmark = pytest.mark.django_db
S = CopyState
PAIRS = [(old, new) for old, new in product(S, S) if old != new]

_PROOF = "size_bytes = 5, md5 = repeat('a', 32), evidence_level = 4, verified_at = now()"


def move(copy: FileRecord, state: str) -> None:
    proof = f", {_PROOF}" if state == S.VERIFIED else ""
    sql(f"UPDATE datasets_filerecord SET state = %s{proof} WHERE id = %s", state, copy.pk)


@pytest.mark.parametrize(("old", "new"), sorted(set(PAIRS) & LEGAL))
def test_a_legal_move_passes(old: str, new: str) -> None:
    copy = a_copy(state=old)
    if new == S.TRASHED:
        a_copy(copy.dataset, state=S.VERIFIED)
    move(copy, new)
    assert FileRecord.objects.get(pk=copy.pk).state == new


@pytest.mark.parametrize(("old", "new"), sorted(set(PAIRS) - LEGAL))
def test_an_illegal_move_is_refused(old: str, new: str) -> None:
    copy = a_copy(state=old)
    with pytest.raises(IntegrityError, match=f"cannot move from {old} to {new}"), transaction.atomic():
        move(copy, new)


@pytest.mark.parametrize("state", sorted(S))
def test_a_record_is_born_expected_announced_or_claimed(state: str) -> None:
    twin = a_copy(state=S.CLAIMED)
    sql("UPDATE datasets_filerecord SET state = 'withdrawn' WHERE id = %s", twin.pk)  # frees the path
    insert = f"""
        INSERT INTO datasets_filerecord (id, dataset_id, repository_id, relative_path, stored_path, path_key, content_version,
            state, size_bytes, md5, sha256, evidence_level, evidence, verified_at, reason)
        SELECT gen_random_uuid(), %s, repository_id, 'p', 'p', 'p', 1, '{state}', 5, repeat('a', 32), '', 4, '{{}}', now(), ''
          FROM datasets_filerecord WHERE id = %s"""
    other = a_dataset()
    if state in INITIAL:
        sql(insert, other.pk, twin.pk)
    else:
        with pytest.raises(IntegrityError, match=f"cannot begin as {state}"), transaction.atomic():
            sql(insert, other.pk, twin.pk)


@pytest.mark.parametrize(
    "gap",
    ["verified_at = NULL", "size_bytes = NULL", "evidence_level = 2", "md5 = '', sha256 = ''"],
)
def test_verified_needs_digest_size_date_and_evidence(gap: str) -> None:
    copy = a_copy(state=S.CLAIMED)
    sql(f"UPDATE datasets_filerecord SET {_PROOF} WHERE id = %s", copy.pk)
    sql(f"UPDATE datasets_filerecord SET {gap} WHERE id = %s", copy.pk)
    with pytest.raises(IntegrityError, match="hash_present_when_verified"), transaction.atomic():
        sql("UPDATE datasets_filerecord SET state = 'verified' WHERE id = %s", copy.pk)


def test_the_digest_of_a_verified_copy_does_not_change() -> None:
    copy = a_copy(state=S.VERIFIED)
    with pytest.raises(IntegrityError, match="does not change"), transaction.atomic():
        sql("UPDATE datasets_filerecord SET md5 = repeat('b', 32) WHERE id = %s", copy.pk)
    sql("UPDATE datasets_filerecord SET sha256 = repeat('b', 64) WHERE id = %s", copy.pk)  # a gap may be filled


def test_a_record_of_a_copy_is_never_deleted() -> None:
    copy = a_copy()
    for delete in (lambda: sql("DELETE FROM datasets_filerecord WHERE id = %s", copy.pk), copy.delete):
        with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
            delete()


def test_the_last_verified_copy_is_not_trashed() -> None:
    copy = a_copy(state=S.VERIFIED)
    a_copy(copy.dataset, state=S.CLAIMED)
    with pytest.raises(IntegrityError, match="last verified copy"), transaction.atomic():
        move(copy, S.TRASHED)


def test_a_verified_copy_of_another_version_does_not_count() -> None:
    copy = a_copy(state=S.VERIFIED)
    a_copy(copy.dataset, state=S.VERIFIED)
    sql("UPDATE datasets_filerecord SET content_version = 2 WHERE id = %s", copy.pk)
    with pytest.raises(IntegrityError, match="last verified copy"), transaction.atomic():
        move(copy, S.TRASHED)


def test_two_records_of_one_dataset_at_one_place_are_refused() -> None:
    copy = a_copy()
    with pytest.raises(IntegrityError, match="one_record_per_copy"), transaction.atomic():
        a_copy(copy.dataset, copy.repository)


def test_two_shown_copies_do_not_share_a_path_at_one_place() -> None:
    first = a_copy()
    second = a_copy(repository=first.repository)
    with pytest.raises(IntegrityError, match="one_copy_per_path"), transaction.atomic():
        FileRecord.objects.filter(pk=second.pk).update(path_key=first.path_key)
    move(first, S.WITHDRAWN)
    FileRecord.objects.filter(pk=second.pk).update(path_key=first.path_key)


@pytest.mark.django_db(transaction=True)
def test_of_two_verified_copies_trashed_at_once_one_stays() -> None:
    dataset = a_dataset()
    copies = [a_copy(dataset, state=S.VERIFIED), a_copy(dataset, state=S.VERIFIED)]
    start, refused = threading.Barrier(2), []

    def trash(copy: FileRecord) -> None:
        start.wait()
        try:
            FileRecord.objects.filter(pk=copy.pk).update(state=S.TRASHED)
        except DatabaseError as error:
            refused.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=trash, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert sorted(FileRecord.objects.values_list("state", flat=True)) == [S.TRASHED, S.VERIFIED]


@pytest.mark.django_db(transaction=True)
def test_a_trashing_that_waits_for_another_sees_what_it_did() -> None:
    dataset = a_dataset()
    first, second = a_copy(dataset, state=S.VERIFIED), a_copy(dataset, state=S.VERIFIED)
    outcome: list[str] = []

    def trash_second() -> None:
        try:
            FileRecord.objects.filter(pk=second.pk).update(state=S.TRASHED)
            outcome.append("moved")
        except DatabaseError as error:
            outcome.append(str(error))
        finally:
            connection.close()

    other = threading.Thread(target=trash_second)
    with transaction.atomic():
        FileRecord.objects.filter(pk=first.pk).update(state=S.TRASHED)
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive()  # it waits for us
    other.join()
    assert "last verified copy" in outcome[0]


def test_the_proof_of_the_factories_is_one() -> None:
    copy = a_copy(state=S.VERIFIED)
    assert {"md5", "size_bytes", "verified_at"} <= proof_columns(copy.dataset).keys()
    assert copy.exists
