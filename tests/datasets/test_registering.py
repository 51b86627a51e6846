"""POST /register-file: what each call of the copy lifecycle's table does to datasets and copies."""

import json
from typing import Any

import pghistory.models
import pytest

from alyx.core.models import ReviewFlag
from datasets.models import ContentVersion, Dataset, FileRecord, Repository, RepositoryState, Revision
from datasets.rules.copies import CopyState
from tests.datasets.world import FILES, World, a_world, md5
from tests.factories.copies import bring_to
from tests.factories.people import a_user
from tests.factories.records import a_repository, a_session, a_subject

S = CopyState


def events() -> dict[str, int]:
    """How many changes the audit has seen, by table."""
    tables = {model for model in pghistory.models.Event.__subclasses__() if model._meta.app_label == "datasets"}
    return {model.__name__: model._default_manager.count() for model in tables}


def test_the_named_repository_is_claimed_and_the_other_places_of_the_lab_are_expected(world: World) -> None:
    dataset = world.register_one()
    assert world.states(dataset) == {"server": S.CLAIMED, "central": S.EXPECTED, "mirror": S.EXPECTED}


def test_the_answer_is_in_the_order_of_the_files_with_the_keys_clients_read(world: World) -> None:
    names = ["alf/probe00/spikes.clusters.npy", "alf/#2024-01-10#/spikes.times.npy", "spikes.amps.npy"]
    answer = world.register(*names, qc="PASS", versions=["1", None, "3"])
    assert [record["name"] for record in answer] == ["spikes.clusters.npy", "spikes.times.npy", "spikes.amps.npy"]
    assert [record["collection"] for record in answer] == ["alf/probe00", "alf", ""]
    assert [record["revision"] for record in answer] == ["", "2024-01-10", ""]
    first = answer[0]
    assert list(first) == [
        "id", "name", "file_size", "subject", "created_by", "created_datetime", "dataset_type", "data_format", "session",
        "session_number", "session_users", "session_start_time", "collection", "revision", "default", "qc", "file_records",
    ]  # fmt: skip
    assert first["session"] == str(world.session.pk)
    assert first["session_start_time"] == "2026-03-09T09:30:00"
    assert (first["qc"], first["default"], first["subject"]) == (10, True, "KS014")
    there = {record["data_repository"]: record["exists"] for record in first["file_records"]}
    assert there == {"cortexlab_server": True, "flatiron_cortexlab": False, "aws_cortexlab": False}
    paths = {record["relative_path"] for record in first["file_records"]}
    assert paths == {"KS014/2026-03-09/001/alf/probe00/spikes.clusters.npy"}
    assert Revision.objects.filter(name="2024-01-10").exists()


def test_names_at_a_server_carry_the_uuid_and_at_the_lab_they_do_not(world: World) -> None:
    dataset = world.register_one()
    folder = "KS014/2026-03-09/001/alf/probe00"
    assert world.copy(dataset, world.server).stored_path == f"{folder}/spikes.times.npy"
    assert world.copy(dataset, world.central).stored_path == f"{folder}/spikes.times.{dataset.pk}.npy"


def test_registering_twice_changes_nothing_and_leaves_no_trace_in_the_audit(world: World) -> None:
    first = world.register(versions=["1.0", "1.0"], qc="PASS")
    before, rows = events(), list(Dataset.objects.order_by("pk").values_list("id", "updated_at"))
    assert world.register(versions=["1.0", "1.0"], qc="PASS") == first
    assert events() == before
    assert list(Dataset.objects.order_by("pk").values_list("id", "updated_at")) == rows


def test_repeats_of_announcements_change_nothing_either(world: World) -> None:
    call: dict[str, Any] = {"name": None, "exists": False, "hashes": None}
    first = world.register(**call)
    before = events()
    assert world.register(**call) == first
    assert events() == before


def test_server_only_with_exists_claims_every_server_of_the_lab_and_touches_no_other(world: World) -> None:
    dataset = world.register_one(name=None, server_only=True)
    assert world.states(dataset) == {"central": S.CLAIMED, "mirror": S.CLAIMED}


def test_server_only_with_a_named_lab_repository_claims_it_too(world: World) -> None:
    dataset = world.register_one(server_only=True)
    assert world.states(dataset) == {"server": S.CLAIMED, "central": S.CLAIMED, "mirror": S.CLAIMED}


def test_exists_false_announces_at_the_named_place_and_expects_at_the_servers(world: World) -> None:
    dataset = world.register_one(exists=False, server_only=True)
    assert world.states(dataset) == {"server": S.ANNOUNCED, "central": S.EXPECTED, "mirror": S.EXPECTED}
    assert world.copy(dataset, world.server).look_due_at is None, "the night looks, not the minute"


def test_without_a_repository_the_labs_own_are_announced_and_servers_expected(world: World) -> None:
    dataset = world.register_one(name=None)
    assert world.states(dataset) == {"server": S.ANNOUNCED, "central": S.EXPECTED, "mirror": S.EXPECTED}


def test_a_lab_without_a_repository_of_its_own_raises_one_flag_for_the_session(world: World) -> None:
    world.server.labs.clear()
    world.register(name=None)
    flag = ReviewFlag.objects.get()
    assert (flag.rule, flag.object_id) == ("nowhere_to_look", world.session.pk)


def test_a_named_repository_outside_the_lab_is_added(world: World) -> None:
    other = a_repository(name="rescue_disk", role="lab")
    dataset = world.register_one(name="rescue_disk")
    assert world.states(dataset)["rescue_disk"] == S.CLAIMED
    assert other.labs.count() == 0


def test_retired_repositories_get_no_new_copies_unless_named(world: World) -> None:
    Repository.objects.filter(pk=world.mirror.pk).update(state=RepositoryState.RETIRED)
    assert "mirror" not in world.states(world.register_one())


def test_the_host_name_is_an_older_word_for_the_repository(world: World) -> None:
    Repository.objects.filter(pk=world.server.pk).update(hostname="ibl-server-01")
    assert world.states(world.register_one(name=None, hostname="ibl-server-01"))["server"] == S.CLAIMED


def test_repositories_come_from_the_sessions_lab_not_from_where_the_animal_lives_now(world: World) -> None:
    elsewhere = a_world("churchlandlab", "other")
    world.session.subject.lab = elsewhere.lab
    world.session.subject.save()
    assert set(world.states(world.register_one())) == {"server", "central", "mirror"}


def test_the_same_digest_moves_copies_forward_only(world: World) -> None:
    dataset = world.register_one(exists=False)
    bring_to(world.copy(dataset, world.central), S.VERIFIED)
    world.register_one(name=world.central.name)
    assert world.states(dataset)["central"] == S.VERIFIED
    world.register_one()
    assert world.states(dataset) == {"server": S.CLAIMED, "central": S.VERIFIED, "mirror": S.EXPECTED}
    world.register_one(exists=False)
    assert world.states(dataset)["server"] == S.CLAIMED


def test_another_digest_is_a_new_version_and_the_other_copies_are_superseded(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.central), S.VERIFIED)
    again = world.register_one(content="patched")
    assert (again.pk, again.content_version, again.md5) == (dataset.pk, 2, md5("patched" + FILES[0]))
    assert world.states(dataset) == {"server": S.CLAIMED, "central": S.SUPERSEDED, "mirror": S.EXPECTED}
    server, central = world.copy(dataset, world.server), world.copy(dataset, world.central)
    assert (server.content_version, central.content_version) == (2, 1)
    assert central.verified_at is not None
    assert list(ContentVersion.objects.filter(dataset=dataset).values_list("content_version", "md5")) == [
        (1, dataset.md5),
        (2, again.md5),
    ]


def test_a_claim_of_new_bytes_takes_the_old_proof_away(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.server), S.VERIFIED)
    world.register_one(content="patched")
    copy = world.copy(dataset, world.server)
    assert (copy.state, copy.evidence_level, copy.verified_at, copy.md5) == (S.CLAIMED, 0, None, "")


def test_a_new_version_announced_where_the_old_was_proved_is_superseded_first(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.server), S.VERIFIED)
    world.register_one(content="patched", exists=False)
    copy = world.copy(dataset, world.server)
    assert (copy.state, copy.content_version) == (S.ANNOUNCED, 2)


def test_a_copy_on_its_way_is_expected_again_when_other_bytes_are_registered(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.central), S.INCOMING)
    world.register_one(content="patched")
    assert world.states(dataset)["central"] == S.EXPECTED


def test_no_digest_and_another_size_is_a_new_version_and_the_same_size_is_none(world: World) -> None:
    dataset = world.register_one(hashes=[None], filesizes=[10])
    assert (dataset.hash_state, dataset.size_bytes) == ("pending", 10)
    assert world.register_one(hashes=[None], filesizes=[10]).content_version == 1
    assert world.register_one(hashes=[None], filesizes=[11]).content_version == 2


def test_the_first_digest_of_a_dataset_that_had_none_is_filled_in(world: World) -> None:
    world.register_one(hashes=[None], filesizes=[10])
    dataset = world.register_one(hashes=[md5("x")], filesizes=[10])
    assert (dataset.content_version, dataset.md5, dataset.hash_state) == (1, md5("x"), "attested")
    assert ContentVersion.objects.get(dataset=dataset).md5 == md5("x")


def test_bytes_of_an_earlier_version_coming_back_are_a_new_version_with_a_flag(world: World) -> None:
    world.register_one(content="one")
    world.register_one(content="two")
    dataset = world.register_one(content="one")
    assert dataset.content_version == 3
    assert ReviewFlag.objects.get(object_id=dataset.pk).rule == "bytes_returned"


def test_the_same_digest_with_another_size_keeps_the_stored_size_and_is_flagged(world: World) -> None:
    dataset = world.register_one(filesizes=[10])
    again = world.register_one(filesizes=[11])
    assert (again.content_version, again.size_bytes) == (1, 10)
    assert ReviewFlag.objects.get(object_id=dataset.pk).rule == "size_contradicts_digest"


def test_an_empty_file_is_kept_and_flagged(world: World) -> None:
    dataset = world.register_one(hashes=[None], filesizes=[0])
    assert ReviewFlag.objects.get(object_id=dataset.pk).rule == "file_is_empty"


def test_what_was_sent_beside_the_bytes_is_updated_and_what_was_not_stays(world: World) -> None:
    world.register_one(qc=["PASS"], versions=["1.0"])
    a_user("second")
    dataset = world.register_one(created_by="second")
    assert dataset.created_by is not None
    assert (dataset.qc, dataset.software_version, dataset.created_by.username) == (10, "1.0", "second")
    dataset = world.register_one(qc=["FAIL"], versions=["2.0"])
    assert (dataset.qc, dataset.software_version) == (40, "2.0")


def test_one_value_of_qc_and_version_is_for_all_files(world: World) -> None:
    world.register(versions="1.2.3", qc=40)
    assert set(Dataset.objects.values_list("software_version", "qc")) == {("1.2.3", 40)}


def test_lists_may_be_text_separated_by_commas(world: World) -> None:
    body = world.body()
    body |= {name: ",".join(map(str, body[name])) for name in ("filenames", "hashes", "filesizes")}
    assert world.rest.post("register-file", body).status_code == 201
    assert Dataset.objects.count() == 2


def test_the_newest_revision_becomes_the_default_and_the_old_one_loses_the_flag(world: World) -> None:
    original = world.register_one()
    revised = world.register_one("alf/probe00/#2024-01-10#/spikes.times.npy")
    original.refresh_from_db()
    assert (original.is_default, revised.is_default) == (False, True)


def test_default_false_leaves_the_flag_where_it_was(world: World) -> None:
    original = world.register_one()
    revised = world.register_one("alf/probe00/#2024-01-10#/spikes.times.npy", default=False)
    original.refresh_from_db()
    assert (original.is_default, revised.is_default) == (True, False)


def test_two_revisions_of_one_file_in_one_call_have_one_default(world: World) -> None:
    answer = world.register("alf/#a#/spikes.times.npy", "alf/#b#/spikes.times.npy", "alf/spikes.times.npy")
    assert sum(record["default"] for record in answer) == 1


def test_the_same_file_twice_in_one_call_is_one_dataset_answered_twice(world: World) -> None:
    body = world.body(FILES[0], FILES[0])
    answer = world.rest.post("register-file", body).json()
    assert answer[0] == answer[1]
    assert Dataset.objects.count() == 1


def test_a_record_that_was_withdrawn_comes_back_with_a_new_registration(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.server), S.WITHDRAWN)
    [answer] = world.register(FILES[0])
    assert world.states(dataset)["server"] == S.CLAIMED
    assert {record["data_repository"] for record in answer["file_records"]} >= {world.server.name}


@pytest.mark.parametrize("state", [S.EXPECTED, S.ANNOUNCED, S.SUSPECT, S.SUPERSEDED, S.MISSING, S.CORRUPT, S.TRASHED])
def test_a_claim_ends_every_doubt_about_the_place(world: World, state: CopyState) -> None:
    if state is S.ANNOUNCED:
        dataset = world.register_one(exists=False)
    else:
        dataset = world.register_one(name=world.mirror.name)
        bring_to(world.copy(dataset, world.mirror), S.VERIFIED)
        world.register_one()
        bring_to(world.copy(dataset, world.server), state)
    world.register_one()
    copy = world.copy(dataset, world.server)
    assert (copy.state, copy.content_version, copy.look_due_at) == (S.CLAIMED, 1, None)


def test_an_aggregate_is_registered_at_the_named_place_only(world: World) -> None:
    subject = world.session.subject
    body = world.body(
        "_ibl_subjectTrials.table.pqt",
        path="Subjects/cortexlab/KS014",
        content_type="subject",
        object_id=str(subject.pk),
        name=world.central.name,
    )
    [record] = world.rest.post("register-file", body).json()
    assert (record["content_type"], record["object_id"]) == ("subject", str(subject.pk))
    assert "session" not in record
    dataset = Dataset.objects.get(pk=record["id"])
    assert world.states(dataset) == {"central": S.CLAIMED}
    [again] = world.rest.post("register-file", body).json()
    assert again == record


def test_an_aggregate_without_a_repository_is_refused(world: World) -> None:
    about = {"content_type": "subject", "object_id": str(world.session.subject_id), "name": None}
    assert "name" in world.register("_ibl_subjectTrials.table.pqt", path="x", status=400, **about)["errors"]


def test_of_two_labs_with_the_same_session_the_one_named_is_meant(world: World) -> None:
    other = a_world("churchlandlab", "KS014")
    assert str(other.session) == str(world.session)
    assert world.register_one().session == world.session
    assert other.register_one().session == other.session


def test_several_labs_with_the_same_session_and_none_said_is_a_409_that_names_them(world: World) -> None:
    a_world("churchlandlab", "KS014")
    boss = a_user("boss", is_superuser=True)
    world.rest = type(world.rest)(boss)
    detail = world.register(labs=None, status=409)["detail"]
    assert "cortexlab" in detail
    assert "churchlandlab" in detail


def test_a_file_at_the_path_of_another_dataset_is_refused_naming_both(world: World) -> None:
    taken = world.register_one()
    copy = world.copy(taken, world.server)
    twin = a_session(a_subject(world.lab, "other"))
    FileRecord.objects.filter(pk=copy.pk).update(path_key="other/2026-03-09/001/alf/probe00/spikes.times.npy")
    detail = world.register(FILES[0], path=str(twin), status=400)["detail"]
    assert str(taken.pk) in detail
    assert Dataset.objects.count() == 1


def test_two_names_that_differ_in_case_only_collide_where_the_file_system_knows_no_case(world: World) -> None:
    Repository.objects.filter(pk=world.server.pk).update(case_sensitive=False)
    detail = world.register("obj.attr.npy", "Obj.attr.npy", status=400)["detail"]
    assert "cortexlab_server" in detail


def test_the_answer_is_plain_json(world: World) -> None:
    assert json.loads(world.rest.post("register-file", world.body()).content)
