"""What happens to one file from two sides at once."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from alyx.core.errors import NotFound
from datasets.models import Dataset, FileRecord
from datasets.services.files import change_file, withdraw_file
from datasets.services.withdrawal import withdraw_dataset
from tests.datasets.world import World
from tests.transfers.world import World as Night
from transfers.services.scrubbing import verify_copies


@pytest.mark.parametrize(
    "late", [lambda **words: change_file(changes={"exists": False}, **words), withdraw_file], ids=["change", "withdraw"]
)
def test_a_word_on_a_copy_whose_dataset_was_withdrawn_meanwhile_is_not_found(
    world: World, late: Callable[..., object]
) -> None:
    dataset = world.register_one()
    seen = world.copy(dataset, world.server)
    withdraw_dataset(actor=world.rig, dataset=dataset)
    with pytest.raises(NotFound):
        late(actor=world.rig, record=seen)


def test_withdrawing_does_not_lock_out_those_that_only_refer_to_the_dataset(world: World) -> None:
    dataset = world.register_one()
    with CaptureQueriesContext(connection) as done:
        withdraw_dataset(actor=world.rig, dataset=dataset)
    locks = [query["sql"] for query in done if " FOR " in query["sql"] and "datasets_dataset" in query["sql"]]
    assert locks
    assert all("FOR NO KEY UPDATE" in lock for lock in locks)


def test_a_look_and_a_registration_of_the_same_file_do_not_wait_for_each_other(night: Night) -> None:
    dataset = night.add_file(b"some bytes")
    holds, failed = threading.Event(), []

    def register() -> None:
        try:
            with transaction.atomic():
                list(Dataset.objects.filter(pk=dataset.pk).select_for_update(no_key=True))
                holds.set()
                threading.Event().wait(0.4)  # the look reaches its first lock meanwhile
                list(FileRecord.objects.filter(dataset=dataset).order_by("pk").select_for_update(no_key=True))
        except Exception as error:  # noqa: BLE001  (shown by the assertion)
            failed.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=register)
    other.start()
    assert holds.wait(10)
    verify_copies(actor=None, repository=night.here, dataset=dataset, fraction=1.0)
    other.join(10)
    assert failed == []


def test_a_connection_that_postgresql_cut_costs_no_request(transactional_db: None) -> None:
    seen: list[int] = []

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            seen.append(cursor.fetchone()[0])
        connection.close()  # back to the pool

    def twice() -> None:
        ask()
        asked.set()
        assert cut.wait(10)
        ask()

    asked, cut = threading.Event(), threading.Event()
    thread = threading.Thread(target=twice)
    thread.start()
    assert asked.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [seen[0]])
    cut.set()
    thread.join(10)
    assert len(seen) == 2
    assert seen[0] != seen[1]
