"""Items, jobs and nights move along their tables; every state they take is recorded with who and why."""

from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, models, transaction

from alyx.core.audit import acting
from tests.factories import a_job, a_user, a_window, an_item
from tests.ground.tables import sql
from transfers.models import Attempt, Event, TransferItem, TransferJob
from transfers.rules.lifecycle import IN_FLIGHT, ITEM_MOVES, JOB_MOVES, JOB_WRITING, ItemState, JobState

pytestmark = pytest.mark.django_db


def pairs(states: Any) -> set[tuple[str, str]]:
    return {(old, new) for old, new in product(states, states) if old != new}


def move(row: models.Model, state: str) -> None:
    sql(f"UPDATE {row._meta.db_table} SET state = %s WHERE id = %s", state, row.pk)


@pytest.mark.parametrize(("old", "new"), sorted(ITEM_MOVES))
def test_a_legal_move_of_an_item_passes(old: str, new: str) -> None:
    columns: dict[str, Any] = {"job": a_job()} if new in IN_FLIGHT else {}
    item = an_item(old, **columns)
    move(item, new)
    assert TransferItem.objects.get(pk=item.pk).state == new


@pytest.mark.parametrize(("old", "new"), sorted(pairs(ItemState) - ITEM_MOVES))
def test_an_illegal_move_of_an_item_is_refused(old: str, new: str) -> None:
    item = an_item(old, job=a_job())
    with pytest.raises(IntegrityError, match=f"cannot move from {old} to {new}"), transaction.atomic():
        move(item, new)


@pytest.mark.parametrize(("old", "new"), sorted(JOB_MOVES))
def test_a_legal_move_of_a_job_passes(old: str, new: str) -> None:
    job = a_job(old)
    move(job, new)
    assert TransferJob.objects.get(pk=job.pk).state == new


@pytest.mark.parametrize(("old", "new"), sorted(pairs(JobState) - JOB_MOVES))
def test_an_illegal_move_of_a_job_is_refused(old: str, new: str) -> None:
    job = a_job(old)
    with pytest.raises(IntegrityError, match=f"cannot move from {old} to {new}"), transaction.atomic():
        move(job, new)


@pytest.mark.parametrize("state", sorted(JOB_WRITING))
def test_an_item_in_flight_is_left_alone_while_its_job_may_write(state: str) -> None:
    item = an_item(ItemState.BOUND, job=a_job(state))
    for outside in (ItemState.RETRY_WAIT, ItemState.NEEDS_HUMAN, ItemState.STALE, ItemState.CANCELLED):
        with pytest.raises(IntegrityError, match="may be writing"), transaction.atomic():
            move(item, outside)
    move(item, ItemState.MOVED)


def test_a_window_opens_once_and_closes_once() -> None:
    window = a_window()
    move(window, "closed")
    with pytest.raises(IntegrityError, match="cannot move from closed to open"), transaction.atomic():
        move(window, "open")
    with pytest.raises(IntegrityError, match="cannot begin as closed"), transaction.atomic():
        a_window(state="closed")


def test_a_night_is_opened_once_per_local_date() -> None:
    window = a_window()
    with pytest.raises(IntegrityError, match="one_night_per_local_date"), transaction.atomic():
        a_window(window.repository)
    a_window(window.repository, kind="manual")


def test_one_live_item_per_destination_and_per_path() -> None:
    item = an_item()
    with pytest.raises(IntegrityError, match="one_live_item_per"), transaction.atomic():
        an_item(dataset=item.dataset, source=item.source, copy=item.copy, destination=item.destination)
    move(item, ItemState.STALE)
    an_item(dataset=item.dataset, source=item.source, copy=item.copy, destination=item.destination)


def test_an_item_in_flight_has_a_job() -> None:
    with pytest.raises(IntegrityError, match="job_present_when_in_flight"), transaction.atomic():
        move(an_item(), ItemState.BOUND)


def test_a_lease_has_an_owner_and_an_end() -> None:
    job = a_job()
    for half in ("lease_owner = 'w'", "lease_until = now()"):
        with pytest.raises(IntegrityError, match="lease_iff_owned"), transaction.atomic():
            sql(f"UPDATE transfers_transferjob SET {half} WHERE id = %s", job.pk)


def test_each_state_is_recorded_once_with_who_and_why() -> None:
    item, user = an_item(), a_user("keeper")
    with acting(actor=user, path="admin transferitem", reason="the disk is back"):
        move(item, ItemState.NEEDS_HUMAN)
    sql("UPDATE transfers_transferitem SET attempts = 3 WHERE id = %s", item.pk)  # not a state
    events = Event.objects.filter(subject_id=item.pk)
    assert [(event.old, event.new) for event in events] == [("", "planned"), ("planned", "needs_human")]
    context = events[1].context
    assert context is not None
    assert (context["actor_name"], context["reason"]) == ("keeper", "the disk is back")


def test_many_rows_moved_at_once_are_recorded_each() -> None:
    items = [an_item(), an_item()]
    TransferItem.objects.filter(pk__in=[item.pk for item in items]).update(state=ItemState.CANCELLED)
    assert Event.objects.filter(new="cancelled", subject_id__in=[item.pk for item in items]).count() == 2


def test_the_engines_history_is_not_rewritten() -> None:
    item = an_item()
    Attempt.objects.create(item=item, number=1, outcome="retry_wait")
    for table in ("transfers_event", "transfers_attempt"):
        for statement in (f"UPDATE {table} SET data = '{{}}'", f"DELETE FROM {table}"):
            column = statement.replace("data", "evidence") if table == "transfers_attempt" else statement
            with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
                sql(column)
