"""What the database refuses whatever wrote it: raw SQL, so that no Python of ours can help."""

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from datasets.rules.copies import Cause, CopyState
from datasets.services import copies
from tests.transfers.world import World, run
from transfers.models import TransferItem
from transfers.services.leases import claim_job
from transfers.services.packing import pack_jobs
from transfers.services.planning import plan_transfers
from transfers.services.windows import open_by_hand


def refused(statement: str, message: str, *parameters: Any) -> None:
    """The statement fails, and says why."""
    with pytest.raises(DatabaseError, match=message), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def in_flight(world: World) -> TransferItem:
    """An item whose job may be writing."""
    world.add_file(b"abc")
    windows = open_by_hand(actor=None, repositories=[world.here])
    plan_transfers(actor=None)
    pack_jobs()
    claim_job(windows=[window.pk for window in windows])
    return TransferItem.objects.get()


def test_illegal_moves_of_items_jobs_and_windows_are_refused(world: World) -> None:
    item = in_flight(world)
    refused("UPDATE transfers_transferitem SET state = 'done' WHERE id = %s", "cannot move from bound to done", item.pk)
    refused("UPDATE transfers_transferitem SET state = 'planned' WHERE id = %s", "cannot move", item.pk)
    refused("UPDATE transfers_transferjob SET state = 'prepared'", "cannot move from submitting to prepared")
    refused("UPDATE transfers_transferjob SET state = 'settled', lease_owner = '', lease_until = NULL", "cannot move")


def test_an_item_does_not_leave_its_flight_while_its_job_may_be_writing(world: World) -> None:
    item = in_flight(world)
    for state in ("retry_wait", "needs_human", "stale", "cancelled"):
        refused("UPDATE transfers_transferitem SET state = %s WHERE id = %s", "left alone", state, item.pk)


def test_one_live_item_per_copy_and_per_path(world: World) -> None:
    item = in_flight(world)
    columns = "dataset_id, content_version, source_id, copy_id, destination_id, dest_path_key, size_class, attempts"
    again = (
        f"INSERT INTO transfers_transferitem (id, {columns}, state, last_error_code, last_error) SELECT gen_random_uuid(),"
        f" {columns}, 'planned', '', '' FROM transfers_transferitem WHERE id = %s"
    )
    refused(again, "one_live_item_per", item.pk)


def test_an_owner_and_a_lease_come_and_go_together(world: World) -> None:
    in_flight(world)
    refused("UPDATE transfers_transferjob SET lease_owner = ''", "lease_iff_owned")
    refused("UPDATE transfers_transferjob SET lease_until = NULL", "lease_iff_owned")


def test_a_copy_is_not_verified_without_digest_size_date_and_evidence(world: World) -> None:
    dataset = world.add_file(b"abc")
    copy = world.copy(dataset, world.here)
    refused("UPDATE datasets_filerecord SET state = 'verified' WHERE id = %s", "hash_present_when_verified", copy.pk)
    refused(
        "UPDATE datasets_filerecord SET state = 'verified', md5 = repeat('a', 32), size_bytes = 3, verified_at = now(),"
        " evidence_level = 2 WHERE id = %s",
        "hash_present_when_verified",
        copy.pk,
    )
    with pytest.raises(ValueError, match="no proof"):
        copies.mark_verified(
            actor=None, cause=Cause.LOOK, proofs=[copies.Proof(copy.pk, 1, 3, dataset.md5, "", level=2)]
        )


def test_the_digest_of_a_proved_copy_does_not_change(world: World) -> None:
    dataset = world.add_file(b"abc")
    run()
    refused(
        "UPDATE datasets_filerecord SET md5 = repeat('0', 32) WHERE id = %s", "does not change", world.copy(dataset).pk
    )


def test_expected_never_becomes_verified_without_a_transfer_or_a_look(world: World) -> None:
    dataset = world.add_file(b"abc")
    refused(
        "UPDATE datasets_filerecord SET state = 'verified', md5 = %s, size_bytes = 3, verified_at = now(),"
        " evidence_level = 4 WHERE id = %s",
        "cannot move from expected to verified",
        dataset.md5,
        world.copy(dataset).pk,
    )


def test_history_is_neither_changed_nor_emptied(world: World) -> None:
    world.add_file(b"abc")
    run()
    refused("UPDATE transfers_event SET new = 'done'", "Cannot update or delete")
    refused("DELETE FROM transfers_attempt", "Cannot update or delete")
    with connection.cursor() as cursor:
        cursor.execute("SET alyx.allow_truncate = 'off'")
        try:
            with pytest.raises(DatabaseError, match="TRUNCATE"):
                cursor.execute("TRUNCATE transfers_event")
            with pytest.raises(DatabaseError, match="TRUNCATE"):
                cursor.execute("TRUNCATE datasets_filerecord CASCADE")
        finally:
            cursor.execute("SET alyx.allow_truncate = 'on'")


def test_two_files_never_hold_one_path(world: World) -> None:
    one, other = world.add_file(b"abc"), world.add_file(b"abcd")
    first, second = world.copy(one), world.copy(other)
    with pytest.raises(IntegrityError, match="one_copy_per_path"):
        type(first).objects.filter(pk=second.pk).update(path_key=first.path_key)


def test_a_look_moves_only_what_it_may(world: World) -> None:
    copy = world.copy(world.add_file(b"abc"), world.here)
    seen = copies.Seen(copy.pk, 1, CopyState.CLAIMED, CopyState.MISSING)
    with pytest.raises(ValueError, match="no look moves"):
        copies.record_looks(actor=None, seen=[seen])


def test_a_proof_of_another_version_registers_nothing(world: World) -> None:
    dataset = world.add_file(b"abc")
    copy = world.copy(dataset, world.here)
    world.revise(dataset, b"abcd")
    proof = copies.Proof(copy.pk, 1, 3, "9" * 32, "", level=4)
    assert copies.mark_verified(actor=None, cause=Cause.LOOK, proofs=[proof]) == set()
    assert world.copy(dataset, world.here).state == CopyState.CLAIMED


def test_a_registered_digest_is_not_overwritten_by_what_we_read(world: World) -> None:
    dataset = world.add_file(b"abc")
    other = copies.Observed(dataset.pk, 1, 3, "9" * 32, "9" * 64)
    assert copies.record_observed(actor=None, contents=[other]) == set()
    agreeing = copies.Observed(dataset.pk, 1, 3, dataset.md5, "9" * 64)
    assert copies.record_observed(actor=None, contents=[agreeing]) == {dataset.pk}
    assert copies.record_observed(actor=None, contents=[agreeing]) == set(), "twice is once"
