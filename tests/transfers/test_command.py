"""What `manage.py transfers` answers, to people and to machines."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alyx.labs.models import Membership, Role, User
from datasets.models import FileRecord, Repository
from datasets.rules.copies import CopyState
from tests.transfers.world import World, assert_converged, run
from transfers.models import TransferItem
from transfers.services.places import establish_canary
from transfers.services.reconsidering import cancel_item, retry_item


def said(*arguments: str) -> str:
    """Its standard output."""
    out = io.StringIO()
    call_command("transfers", *arguments, stdout=out)
    return out.getvalue()


def answered(*arguments: str) -> Any:
    """Its JSON."""
    return json.loads(said(*arguments, "--json"))


def test_run_says_what_was_planned_what_arrived_and_what_is_proved(world: World) -> None:
    world.add_file(b"abc")
    answer = answered("run", "--now", "--inline")
    assert (answer["planned"], answer["arrived"], answer["failed_tries"]) == (1, 1, 0)
    assert (answer["proved_at_servers"], answer["wanted_at_servers"]) == (1, 1)
    assert_converged(world)
    assert "1 of 1 copies proved at server repositories" in said("run", "--now", "--inline")


def test_run_without_now_does_nothing_by_day(world: World) -> None:
    Repository.objects.update(window_start="00:00", window_end="00:00")
    world.add_file(b"abc")
    assert answered("run") == {"night": False}


def test_run_and_status_name_the_file_the_reason_and_who_must_act(world: World) -> None:
    dataset = world.add_file(b"registered so", on_disk=b"registered 50")
    out = said("run", "--now", "--inline")
    path = world.copy(dataset).relative_path
    assert path in out
    assert "It was changed without a new registration" in out
    assert "To act: the lab" in out
    assert path in said("status")
    status = answered("status")
    assert status["needs_a_person"] == 1
    assert status["troubles"][0]["code"] == "source_changed"
    with pytest.raises(SystemExit) as ended:
        said("status", "--check")
    assert ended.value.code == 3


def test_status_shows_each_place_with_its_counts_and_next_night(world: World) -> None:
    world.add_file(b"abc")
    run()
    places = {place["name"]: place for place in answered("status")["places"]}
    assert places["central_server"]["copies"] == {"verified": 1}
    assert places["lab_server"]["labs"] == ["cortexlab"]
    assert places["central_server"]["next_night"]
    assert "central_server (central of cortexlab), active: 1 verified" in said("status")


def test_plan_moves_no_bytes(world: World) -> None:
    dataset = world.add_file(b"abc")
    assert answered("plan") == {"records": 0, "items": 1}
    assert world.bytes_at(dataset) is None


def test_verify_reads_back_and_ends_with_3_when_a_copy_is_not_good(world: World) -> None:
    good, bad = world.add_file(b"abc"), world.add_file(b"abcd")
    run()
    assert answered("verify", "--repository", "central_server")["found"] == {"good": 2}
    world.path_of(bad).write_bytes(b"abce")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("transfers", "verify", "--repository", "central_server", "--json", stdout=out)
    assert ended.value.code == 3
    assert [one["path"] for one in json.loads(out.getvalue())["bad"]] == [world.copy(bad).stored_path]
    assert world.copy(good).state == CopyState.VERIFIED
    assert answered("verify", "--dataset", str(good.pk), "--repository", "central_server")["read"] == 1


def test_a_fraction_reads_what_was_not_read_for_longest(world: World) -> None:
    for number in range(4):
        world.add_file(b"x" * number)
    run()
    answered("verify", "--repository", "central_server", "--fraction", "0.5")
    answered("verify", "--repository", "central_server", "--fraction", "0.5")
    assert {
        row["by"] for row in FileRecord.objects.filter(repository=world.central).values_list("evidence", flat=True)
    } == {"look"}


def test_explain_tells_each_copy_its_evidence_and_why_nothing_moves(world: World) -> None:
    proved, waiting = world.add_file(b"abc"), world.add_file(b"gone")
    world.path_of(waiting, world.here).unlink()
    run()
    out = said("explain", str(proved.pk))
    assert "central_server (central): verified" in out
    assert "read back on arrival (evidence 4)" in out
    assert proved.md5 in out
    out = said("explain", str(waiting.pk))
    assert "lab_server (lab): suspect" in out
    assert "the source is looked at a second time a day later" in out
    world.central.state = "quarantined"
    world.central.state_reason = "Another disk is mounted here."
    world.central.save()
    other = world.add_file(b"new")
    assert "not filled: the repository is quarantined. Another disk is mounted here." in said("explain", str(other.pk))


def test_retry_starts_what_waits_for_a_person_with_a_clean_count(world: World) -> None:
    dataset = world.add_file(b"as registered", on_disk=b"not so at all")
    run()
    item = world.item(dataset)
    world.path_of(dataset, world.here).write_bytes(b"as registered")
    FileRecord.objects.filter(pk=world.copy(dataset, world.here).pk).update(state=CopyState.CLAIMED)
    assert answered("retry", str(item.pk)) == {"retried": 1}
    item.refresh_from_db()
    assert (item.state, item.attempts, world.copy(dataset).state) == ("planned", 0, CopyState.EXPECTED)
    run()
    assert_converged(world, kept=1)


def test_only_those_who_manage_the_labs_data_may_retry_or_cancel(world: World) -> None:
    from alyx.core.errors import Conflict, Forbidden

    dataset = world.add_file(b"abc", on_disk=b"abd")
    run()
    item = world.item(dataset)
    reader, manager = User.objects.create(username="reader"), User.objects.create(username="manager")
    Membership.objects.create(user=reader, lab=world.lab, role=Role.READER)
    Membership.objects.create(user=manager, lab=world.lab, role=Role.DATA_MANAGER)
    with pytest.raises(Forbidden):
        retry_item(actor=reader, item=item)
    with pytest.raises(Forbidden):
        cancel_item(actor=reader, item=item, reason="")
    cancel_item(actor=manager, item=item, reason="not worth it")
    with pytest.raises(Conflict):
        cancel_item(actor=manager, item=item, reason="twice")
    assert TransferItem.objects.get(pk=item.pk).state == "cancelled"


def test_a_canary_is_established_once_and_never_replaces_another(world: World) -> None:
    from alyx.core.errors import Conflict

    first = establish_canary(actor=None, repository=world.here)
    assert answered("establish-canary", "lab_server") == {"canary": str(first)}
    thief = Repository.objects.create(name="thief", kind="posix", root=f"{world.here.root}/.")
    with pytest.raises(Conflict, match="belongs to another repository"):
        establish_canary(actor=None, repository=thief)
    assert (Path(world.here.root) / ".alyx-canary").read_text().strip() == str(first)


def test_unknown_names_are_refused_in_a_sentence(world: World) -> None:
    for arguments in (
        ["run", "--now", "--lab", "nowhere"],
        ["verify", "--repository", "nowhere"],
        ["verify"],
        ["verify", "--repository", "lab_server", "--fraction", "0"],
        ["explain", "no-uuid"],
        ["retry", "no-uuid"],
    ):
        with pytest.raises(CommandError):
            said(*arguments)
