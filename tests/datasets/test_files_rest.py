"""/files: what clients say about single copies."""

from typing import Any
from uuid import uuid4

import pytest

from datasets.models import Dataset, FileRecord
from datasets.rules.copies import CopyState
from tests.datasets.world import World, a_world, md5
from tests.factories.copies import bring_to
from tests.factories.records import a_repository

S = CopyState
BASE = "http://testserver"


def post(world: World, dataset: Dataset, status: int = 201, /, **fields: Any) -> Any:
    body = {"dataset": f"{BASE}/datasets/{dataset.pk}", "data_repository": world.central.name, **fields}
    answer = world.rest.post("files", body)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_file_posted_with_exists_is_claimed_and_without_expected(world: World) -> None:
    dataset = world.register_one(server_only=False, labs=None)
    elsewhere = a_repository(name="elsewhere", role="archive", uuid_in_names=True)
    record = post(world, dataset, data_repository="elsewhere")
    assert (record["exists"], record["data_repository"]) == (False, "elsewhere")
    copy = world.copy(dataset, elsewhere)
    assert (copy.state, str(dataset.pk) in copy.stored_path) == (S.EXPECTED, True)
    assert post(world, dataset, data_repository="elsewhere", exists=True)["url"] == record["url"]
    assert world.copy(dataset, elsewhere).state == S.CLAIMED


def test_posting_without_exists_leaves_a_record_as_it_is(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.central), S.VERIFIED)
    assert post(world, dataset)["exists"] is True
    assert world.states(dataset)["central"] == S.VERIFIED


def test_patching_exists_true_claims_but_never_undoes_a_proof(world: World) -> None:
    dataset = world.register_one()
    central, mirror = world.copy(dataset, world.central), world.copy(dataset, world.mirror)
    bring_to(central, S.VERIFIED)
    for copy in (central, mirror):
        assert world.rest.patch(f"files/{copy.pk}", {"exists": True}).json()["exists"] is True
    assert world.states(dataset) == {"server": S.CLAIMED, "central": S.VERIFIED, "mirror": S.CLAIMED}


@pytest.mark.parametrize("state", [S.CLAIMED, S.VERIFIED])
def test_patching_exists_false_makes_a_suspect_that_is_looked_at_at_once(world: World, state: CopyState) -> None:
    dataset = world.register_one()
    copy = world.copy(dataset, world.server)
    bring_to(copy, state)
    assert world.rest.patch(f"files/{copy.pk}", {"exists": False}).json()["exists"] is False
    copy.refresh_from_db()
    assert copy.state == S.SUSPECT
    assert copy.look_due_at is not None


@pytest.mark.parametrize("state", [S.EXPECTED, S.INCOMING, S.MISSING, S.CORRUPT, S.SUPERSEDED, S.SUSPECT])
def test_patching_exists_false_elsewhere_changes_nothing(world: World, state: CopyState) -> None:
    dataset = world.register_one()
    copy = world.copy(dataset, world.central)
    bring_to(copy, state)
    before = FileRecord.objects.get(pk=copy.pk).updated_at
    assert world.rest.patch(f"files/{copy.pk}", {"exists": False}).status_code == 200
    assert FileRecord.objects.get(pk=copy.pk).updated_at == before


def test_a_mismatch_after_download_is_stored_and_queues_a_look_but_moves_nothing(world: World) -> None:
    dataset = world.register_one()
    copy = world.copy(dataset, world.central)
    bring_to(copy, S.VERIFIED)
    found = world.rest.found("files", django=f"dataset,{dataset.pk},data_repository__globus_is_personal,False")
    assert [record["url"][-36:] for record in found if "flatiron" in record["data_repository"]] == [str(copy.pk)]
    record = world.rest.patch(f"files/{copy.pk}", {"json": {"mismatch_hash": True}}).json()
    assert (record["json"], record["exists"]) == ({"mismatch_hash": True}, True)
    copy.refresh_from_db()
    assert copy.state == S.VERIFIED
    assert copy.look_due_at is not None


def test_deleting_a_file_withdraws_the_record(world: World) -> None:
    dataset = world.register_one()
    copy = world.copy(dataset, world.server)
    assert world.rest.delete(f"files/{copy.pk}").status_code == 204
    assert world.rest.get(f"files/{copy.pk}").status_code == 404
    assert world.states(dataset)["server"] == S.WITHDRAWN
    [record] = world.rest.found("datasets")
    assert world.server.name not in {one["data_repository"] for one in record["file_records"]}
    assert world.rest.delete(f"files/{copy.pk}").status_code == 404


def test_a_withdrawn_record_comes_back_by_a_new_claim_only(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.central), S.WITHDRAWN)
    post(world, dataset)
    assert world.states(dataset)["central"] == S.WITHDRAWN
    post(world, dataset, exists=True)
    assert world.states(dataset)["central"] == S.CLAIMED


def test_the_path_of_a_file_follows_from_its_dataset(world: World) -> None:
    dataset = world.register_one()
    copy = world.copy(dataset, world.central)
    relative = copy.relative_path
    with_uuid = relative.replace(".npy", f".{dataset.pk}.npy")
    for path in (relative, with_uuid):
        assert world.rest.patch(f"files/{copy.pk}", {"relative_path": path}).status_code == 200
    for path in ("other.npy", "../../etc/passwd", "/etc/passwd"):
        assert world.rest.patch(f"files/{copy.pk}", {"relative_path": path}).status_code == 400
        post(world, dataset, 400, relative_path=path)


@pytest.mark.parametrize(
    "fields",
    [
        {"dataset": str(uuid4())},
        {"dataset": "x"},
        {"data_repository": "nowhere"},
        {"exists": "perhaps"},
        {"json": {"a": "\x00"}},
    ],
)
def test_a_bad_file_is_a_400(world: World, fields: dict[str, Any]) -> None:
    dataset = world.register_one()
    post(world, dataset, 400, **fields)


@pytest.mark.usefixtures("open_reading")
def test_files_of_other_labs_are_not_changed(world: World) -> None:
    dataset = world.register_one()
    copy = world.copy(dataset, world.server)
    other = a_world("churchlandlab", "KS100")
    assert other.rest.patch(f"files/{copy.pk}", {"exists": False}).status_code == 403
    assert other.rest.delete(f"files/{copy.pk}").status_code == 403
    post(other, dataset, 403)
    assert world.states(dataset)["server"] == S.CLAIMED


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"exists": "True"}, 1),
        ({"exists": "False"}, 2),
        ({"data_repository": "aws_cortexlab"}, 1),
        ({"globus_is_personal": "True"}, 1),
        ({"lab": "cortexlab"}, 3),
        ({"name": "spikes.times.npy"}, 3),
        ({"django": "data_repository__globus_is_personal,False"}, 2),
        ({"django": "exists,True"}, 1),
        ({"django": "dataset__session__lab__name,cortexlab"}, 3),
    ],
)
def test_filters(world: World, query: dict[str, str], count: int) -> None:
    world.register_one()
    assert len(world.rest.found("files", **query)) == count


def test_a_superseded_copy_does_not_exist_on_the_wire(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.central), S.VERIFIED)
    world.register_one(hashes=[md5("other")])
    found = {record["data_repository"]: record["exists"] for record in world.rest.found("files")}
    assert found == {"cortexlab_server": True, "flatiron_cortexlab": False, "aws_cortexlab": False}
