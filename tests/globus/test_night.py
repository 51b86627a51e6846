"""A lab's night over Globus: the engine, the real SDK, the stand-in."""

import os
from datetime import timedelta

import pytest

from alyx.core import clock
from datasets.rules.copies import CopyState
from tests.globus.night import GlobusNight, work
from tests.transfers.world import run
from transfers.models import Attempt, TransferItem, TransferJob
from transfers.services import night, turns
from transfers.services.moving import drive_job
from transfers.services.planning import plan_transfers
from transfers.services.polling import poll_jobs

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_a_night_goes_from_the_lab_to_the_central_collection_and_is_proved_there(globus_night: GlobusNight) -> None:
    contents = [os.urandom(3 << 20), b"", *(b"%d" % n * 100 for n in range(6))]
    copies = [globus_night.add(content) for content in contents]
    unhashed = globus_night.add(b"nobody hashed this", hashed=False)
    globus_night.until(lambda: globus_night.arrived(copies[0], contents[0]) and globus_night.settled())
    assert all(globus_night.arrived(copy, content) for copy, content in zip(copies, contents, strict=True))
    unhashed.refresh_from_db()
    assert (unhashed.state, unhashed.evidence_level) == (CopyState.VERIFIED, 3)
    assert unhashed.sha256 == unhashed.dataset.sha256 != ""
    job = TransferJob.objects.get(destination=globus_night.central.repository)
    assert (job.remote_state, job.files_total, globus_night.tasks()) == ("succeeded", 9, 1)
    assert Attempt.objects.filter(job=job, outcome="done").count() == 9
    assert plan_transfers(actor=None).items == 0


def test_partial_failures_keep_the_good_files_and_name_the_others(globus_night: GlobusNight) -> None:
    good = [globus_night.add(b"good %d" % n) for n in range(5)]
    vanished, unreadable = globus_night.add(b"vanishes"), globus_night.add(b"unreadable")
    corrupt = globus_night.add(b"registered", on_disk=b"other bytes")
    globus_night.source(vanished).unlink()
    globus_night.service.fail("deny", globus_night.source(unreadable).name, times=None)

    def over() -> bool:
        return (
            globus_night.settled()
            and all(globus_night.arrived(copy, b"good %d" % n) for n, copy in enumerate(good))
            and globus_night.item(corrupt).state == "needs_human"
        )

    globus_night.until(over)
    found = {copy.pk: globus_night.item(copy).last_error_code for copy in (vanished, unreadable, corrupt)}
    assert found == {
        vanished.pk: "source_vanished",
        unreadable.pk: "permission_denied",
        corrupt.pk: "digest_mismatch",
    }
    assert {globus_night.item(copy).state for copy in good} == {"done"}
    assert max(item.attempts for item in TransferItem.objects.filter(copy__in=good)) <= 2
    assert globus_night.tasks() == globus_night.jobs()


def test_a_mismatch_that_names_no_file_is_found_by_smaller_company(globus_night: GlobusNight) -> None:
    good = [globus_night.add(b"good %d" % n) for n in range(20)]
    corrupt = globus_night.add(b"registered", on_disk=b"other bytes")
    globus_night.service.fail("mute", times=None)
    globus_night.until(
        lambda: (
            globus_night.item(corrupt).state == "needs_human"
            and all(globus_night.arrived(copy, b"good %d" % n) for n, copy in enumerate(good))
        )
    )
    assert globus_night.item(corrupt).last_error_code == "digest_mismatch"
    assert TransferItem.objects.filter(copy__in=good).exclude(state="done").count() == 0
    assert globus_night.tasks() == globus_night.jobs() < 16


def test_a_task_that_failed_half_way_settles_what_it_had_moved(globus_night: GlobusNight) -> None:
    copies = [globus_night.add(b"%d" % n) for n in range(4)]
    globus_night.service.fail("fail", "after 2", code="ENDPOINT_ERROR")
    globus_night.until(lambda: all(globus_night.arrived(copy, b"%d" % n) for n, copy in enumerate(copies)))
    assert globus_night.tasks() == globus_night.jobs() >= 2
    first = TransferJob.objects.earliest("created_at")
    assert first.state == "settled"
    assert Attempt.objects.filter(job=first, outcome="done").count() == 2
    assert set(Attempt.objects.filter(job=first).exclude(outcome="done").values_list("error_code", flat=True)) == {
        "left_out"
    }


def test_a_lost_answer_makes_one_task(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    globus_night.service.fail("cut", "POST /v0.10/transfer")
    globus_night.until(lambda: globus_night.arrived(copy, b"abc"))
    assert (globus_night.tasks(), globus_night.jobs()) == (1, 1)


def test_an_answer_that_never_comes_is_asked_for_and_makes_one_task(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    globus_night.service.fail("cut", "POST /v0.10/transfer", times=4)  # all tries of one call
    work()
    waiting = TransferJob.objects.get(backend="globus")
    assert (waiting.state, waiting.remote_id, waiting.remote_problem) == ("submitting", None, "unreachable")
    assert globus_night.item(copy).state == "bound"
    globus_night.until(lambda: globus_night.arrived(copy, b"abc"))
    assert (globus_night.tasks(), globus_night.jobs()) == (1, 1)


def test_a_task_that_nobody_shows_us_is_asked_about_again(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    globus_night.service.fail("blind", times=3)
    globus_night.until(
        lambda: "does not show" in TransferJob.objects.get(backend="globus").remote_status.get("said", "")
    )
    assert globus_night.item(copy).state == "bound"
    globus_night.until(lambda: globus_night.arrived(copy, b"abc"))
    assert (globus_night.tasks(), globus_night.jobs()) == (1, 1)


def test_a_service_that_gives_out_no_ids_begins_nothing(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    globus_night.service.fail("refuse", "/submission_id", times=5, status=500, code="InternalError")
    globus_night.until(lambda: globus_night.arrived(copy, b"abc") and globus_night.settled())
    unsent = TransferJob.objects.filter(backend="globus", handle_at=None)
    assert {job.state for job in unsent} == {"settled"}
    assert (globus_night.tasks(), globus_night.jobs(), unsent.exists()) == (1, 1, True)


def test_a_night_by_hand_waits_for_its_tasks_but_not_for_one_that_is_paused(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    run()
    assert globus_night.arrived(copy, b"abc")
    globus_night.service.fail("drag", times=None, seconds=0.3)
    held = globus_night.add(b"x" * (2 << 20))
    globus_night.service.fail("pause", times=1)
    run()
    assert globus_night.item(held).state == "bound"
    assert TransferJob.objects.get(remote_state="active").remote_problem == "paused"


def test_a_token_that_ran_out_in_the_night_is_renewed(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    globus_night.service.fail("drag", times=None, seconds=0.01)
    work()
    globus_night.service.control("tokens")
    globus_night.until(lambda: globus_night.arrived(copy, b"abc"))
    assert globus_night.tasks() == 1


def test_all_running_tasks_are_asked_about_by_one_call(
    globus_night: GlobusNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [os.urandom(3 << 20) for _ in range(3)]
    copies = [globus_night.add(content) for content in contents]
    plan_transfers(actor=None)
    TransferItem.objects.update(company=1)
    globus_night.service.fail("drag", times=None, seconds=0.05)
    night.tick()
    night.prepare()
    while drive_job() is not None:
        pass
    assert globus_night.tasks() == globus_night.jobs() == 2, "no more at once between two places"
    monkeypatch.setitem(turns.PARAMETERS, "between_two", 3)
    assert drive_job() is not None
    before = globus_night.service.calls("")
    clock.advance(timedelta(minutes=10))
    assert poll_jobs() == 3
    assert globus_night.service.calls("") == before + 1
    globus_night.until(lambda: all(map(globus_night.arrived, copies, contents)))
    assert globus_night.tasks() == 3


def test_when_the_window_ends_running_tasks_go_on_and_nothing_new_is_sent(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc" * 100)
    globus_night.service.fail("drag", times=None, seconds=0.01)
    work()
    assert globus_night.tasks() == 1
    clock.advance(timedelta(hours=11))
    late = globus_night.add(b"too late")
    globus_night.until(lambda: globus_night.arrived(copy, b"abc" * 100) and globus_night.settled())
    assert globus_night.tasks() == 1
    late.refresh_from_db()
    assert late.state == CopyState.EXPECTED
