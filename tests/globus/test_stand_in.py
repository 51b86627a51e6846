"""Rules of the service that the backend does not meet every night: the stand-in keeps them all the same."""

from typing import Any

import pytest
from globus_sdk import TransferAPIError, TransferData

from tests.backends.rig import bytes_of
from tests.globus.conftest import Ends
from tests.globus.world import REMEMBERED
from transfers.backends.base import Promoted

pytestmark = pytest.mark.once


def form(ends: Ends, *paths: tuple[str, str], **options: Any) -> TransferData:
    """A submission of our own."""
    made = TransferData(ends.ids["source"], ends.ids["destination"], **options)
    for start, end in paths:
        made.add_item(f"/lab/{start}", f"/central/{end}")
    return made


def submit(ends: Ends, *paths: tuple[str, str], **options: Any) -> str:
    """Its task."""
    made = form(ends, *paths, submission_id=ends.client.get_submission_id()["value"], **options)
    return str(ends.client.submit_transfer(made)["task_id"])


def test_an_id_that_was_not_given_out_is_refused(ends: Ends) -> None:
    ends.spec(b"abc", "a")
    with pytest.raises(TransferAPIError) as refused:
        ends.client.submit_transfer(form(ends, ("a", "a"), submission_id="5d4f1f6e-0c52-4b58-9a54-3c1c7c0a9e11"))
    assert refused.value.http_status == 400


def test_the_same_paths_are_not_moved_twice_at_once(ends: Ends) -> None:
    ends.spec(bytes_of(5 << 20), "a")
    ends.service.fail("drag", times=None, seconds=0.05)
    first = submit(ends, ("a", "a"))
    with pytest.raises(TransferAPIError) as refused:
        submit(ends, ("a", "a"))
    assert refused.value.http_status == 409
    ends.service.heal()
    ends.wait(first)
    ends.wait(submit(ends, ("a", "a")))


def test_three_tasks_work_and_the_others_wait(ends: Ends) -> None:
    ends.service.fail("drag", times=None, seconds=0.05)
    names = [f"f{n}" for n in range(5)]
    for name in names:
        ends.spec(bytes_of(4 << 20), name)
    tasks = [submit(ends, (name, name)) for name in names]
    ends.until(tasks[2], lambda _: (ends.folders["destination"] / "central" / names[2]).exists())
    assert not (ends.folders["destination"] / "central" / names[4]).exists()
    ends.service.heal()
    assert {ends.wait(task).state for task in tasks} == {"succeeded"}


def test_a_missing_file_keeps_a_task_at_it_unless_told_to_skip(ends: Ends) -> None:
    task = submit(ends, ("none", "none"))
    held = ends.until(task, lambda seen: seen.problem is not None)
    assert held.state == "active"
    ends.spec(b"here at last", "none")
    assert ends.wait(task).state == "succeeded"


def test_what_a_sync_finds_equal_is_in_no_list(ends: Ends) -> None:
    ends.spec(b"abc", "a")
    ends.wait(submit(ends, ("a", "a")))
    again = submit(ends, ("a", "a"), sync_level="checksum")
    ends.wait(again)
    assert list(ends.client.task_successful_transfers(again)) == []
    assert ends.client.get_task(again)["files_skipped"] == 1


def test_lists_are_refused_while_a_task_runs_and_forgotten_after_a_month(ends: Ends) -> None:
    ends.spec(bytes_of(5 << 20), "a")
    ends.service.fail("drag", times=None, seconds=0.05)
    task = submit(ends, ("a", "a"))
    with pytest.raises(TransferAPIError, match="still in progress"):
        ends.client.task_successful_transfers(task)
    ends.service.heal()
    ends.wait(task)
    ends.service.control("clock", "shift", seconds=REMEMBERED + 60)
    assert ends.client.get_task(task)["history_deleted"]
    gone = ends.look(task)
    assert (gone.state, gone.outcomes) == ("succeeded", {})


def test_too_many_calls_in_a_second_are_put_off_and_all_comes_through(ends: Ends) -> None:
    ends.service.control("clock", "rate", per_second=8)
    assert ends.carry(ends.job(ends.spec(b"abc"))) == {"1": Promoted()}
    ends.service.control("clock", "rate", per_second=2)
    with pytest.raises(TransferAPIError) as refused, ends.client.retry_config.tune(max_retries=0):
        [ends.client.get_endpoint(ends.ids["source"]) for _ in range(20)]
    assert (refused.value.http_status, refused.value.headers["Retry-After"]) == (429, "1")
