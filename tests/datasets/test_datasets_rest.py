"""/datasets: records, filters, changes; and that PostgreSQL writes the same JSON as plain Python would."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.labs.models import Role
from datasets.models import Dataset, DatasetType, FileRecord, Repository, Tag
from datasets.rules.copies import CopyState
from tests.datasets.plain import dataset_record, file_record
from tests.datasets.world import FILES, World, a_world, md5
from tests.factories.copies import bring_to
from tests.factories.people import a_member
from tests.factories.rest import Rest

S = CopyState
BASE = "http://testserver"


@pytest.fixture
def many(world: World) -> World:
    """Datasets of every kind: revisions, tags, versions, copies in many states, an aggregate, JSON of all sorts."""
    world.register(*FILES, "alf/#2024-01-10#/spikes.times.npy", "spikes.times.npy", versions="1.0", qc="WARNING")
    world.register(FILES[0], content="patched")
    first, second, *rest = Dataset.objects.order_by("name", "collection")
    world.protect(first)
    first.tags.add(Tag.objects.create(name="open data", public=True))
    first.json = {"b": 1.0, "a": [1e5, None, "ü\u2028"], "deep": {"x": "\\u0041"}, "large": 2**70}
    first.save()
    bring_to(world.copy(second, world.central), S.VERIFIED)
    bring_to(world.copy(second, world.mirror), S.WITHDRAWN)
    bring_to(world.copy(rest[0], world.server), S.SUSPECT)
    about = {"content_type": "subject", "object_id": str(world.session.subject_id), "name": world.central.name}
    call = world.body("_ibl_subjectTrials.table.pqt", path="Subjects/cortexlab/KS014", **about)
    assert world.rest.post("register-file", call).status_code == 201
    Dataset.objects.filter(pk=rest[0].pk).update(created_by=None)
    return world


def test_the_records_postgresql_writes_equal_those_of_plain_python(many: World) -> None:
    found = many.rest.found("datasets")
    assert len(found) == 5
    rows = Dataset.objects.order_by("-created_at", "id")
    assert json.dumps(found) == json.dumps([dataset_record(row, BASE) for row in rows])


def test_file_records_equal_those_of_plain_python(many: World) -> None:
    FileRecord.objects.filter(repository=many.server).update(json={"mismatch_hash": False, "z": 1.0})
    found = many.rest.found("files")
    rows = FileRecord.objects.shown().order_by("id")
    assert json.dumps(found) == json.dumps([file_record(row, BASE) for row in rows])


def test_the_detail_is_the_lists_record_without_protected_and_public(many: World) -> None:
    [record] = many.rest.found("datasets", tag="frozen")
    detail = many.rest.get(f"datasets/{record['url'][-36:]}").json()
    assert detail == {name: value for name, value in record.items() if name not in {"protected", "public"}}
    assert (record["protected"], record["public"]) == (True, True)


def test_a_record_has_the_keys_clients_know(many: World) -> None:
    [record] = many.rest.found("datasets", name="_ibl_subjectTrials.table.pqt")
    assert record["session"] is None
    assert set(record) == {
        "url", "name", "created_by", "created_datetime", "dataset_type", "data_format", "collection", "session",
        "file_size", "hash", "version", "experiment_number", "file_records", "auto_datetime", "revision",
        "default_dataset", "protected", "public", "tags", "qc", "json",
    }  # fmt: skip
    [copy] = record["file_records"]
    path = f"Subjects/cortexlab/KS014/_ibl_subjectTrials.table.{record['url'][-36:]}.pqt"
    assert copy["data_url"] == f"{BASE}/data/cortexlab/Subjects/{path}"
    assert copy["data_repository_path"] == "/cortexlab/Subjects/"


def names(found: list[dict[str, Any]]) -> list[str]:
    return sorted(record["name"] for record in found)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"name": "spikes.amps.npy"}, 1),
        ({"name": "SPIKES.amps.npy"}, 0),
        ({"collection": "alf/probe00"}, 2),
        ({"revision": "2024-01-10"}, 1),
        ({"exists": "True"}, 2),
        ({"exists": "False"}, 3),
        ({"protected": "True"}, 1),
        ({"public": "False"}, 4),
        ({"tag": "FROZ"}, 1),
        ({"tags": "frozen,open data"}, 1),
        ({"qc": "WARNING"}, 4),
        ({"qc": "40"}, 0),
        ({"version": "1.0"}, 4),
        ({"lab": "cortexlab"}, 4),
        ({"subject": "KS014"}, 4),
        ({"dataset_type": "spikes.times"}, 3),
        ({"data_format": "pqt"}, 1),
        ({"default_dataset": "True"}, 5),
        ({"content_type": "subject"}, 1),
        ({"created_date_gte": "2000-01-01", "created_date_lte": "2999-01-01"}, 5),
        ({"created_date": "2000-01-01"}, 0),
        ({"date": "2026-03-09"}, 4),
        ({"experiment_number": "001"}, 4),
        ({"probe_insertion": "probe00"}, 2),
        ({"django": "session__isnull,True"}, 1),
        ({"django": "~session__isnull,True"}, 4),
        ({"django": "name__icontains,times,collection,alf"}, 1),
        ({"django": "session__subject__nickname__iexact,ks014"}, 4),
        ({"django": "dataset_type__name__in,['spikes.times', 'spikes.amps']"}, 4),
        ({"django": "file_records__data_repository__name__icontains,flatiron,file_records__exists,True"}, 2),
        ({"django": "tags__protected,True"}, 1),
        ({"django": "json__deep__x__isnull,False"}, 1),
        ({"nonsense": "x", "query_type": "remote"}, 5),
        ({"session": ""}, 5),
    ],
)
def test_filters(many: World, query: dict[str, str], count: int) -> None:
    assert len(many.rest.found("datasets", **query)) == count


@pytest.mark.parametrize(
    "query",
    [
        {"session": "x"},
        {"id": "x"},
        {"exists": "perhaps"},
        {"qc": "SPLENDID"},
        {"created_date": "today"},
        {"django": "created_by__password__startswith,a"},
        {"django": "name__regex,a"},
        {"django": 'number__in,[len("a")]'},
        {"django": "name"},
        {"file_size": "big"},
    ],
)
def test_a_filter_that_cannot_be_read_is_a_400(world: World, query: dict[str, str]) -> None:
    answer = world.rest.get("datasets", **query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["errors"]


def test_pages_have_a_total_order_and_absolute_links(world: World) -> None:
    world.register(*[f"alf/obj{number}.attr.npy" for number in range(7)])
    seen, link = [], "datasets?limit=3"
    while link:
        page = world.rest.client.get("/" + link.removeprefix(f"{BASE}/")).json()
        assert set(page) == {"count", "next", "previous", "results"}
        assert page["count"] == 7
        seen += names(page["results"])
        link = page["next"]
    assert len(set(seen)) == len(seen) == 7


def test_a_page_costs_the_same_whatever_it_holds(world: World) -> None:
    counts = []
    for number in (1, 30):
        world.register(*[f"alf/{number}/obj{at}.attr.npy" for at in range(number)])
        with CaptureQueriesContext(connection) as counted:
            world.rest.found("datasets")
            world.rest.found("files")
        counts.append(len(counted))
    assert counts[0] == counts[1] <= 10


def test_a_withdrawn_or_unknown_dataset_is_a_404_in_json(world: World) -> None:
    for key in (uuid4(), "nonsense"):
        answer = world.rest.get(f"datasets/{key}")
        assert answer.status_code == 404
        assert answer.json()["status_code"] == 404


def test_patching_tags_qc_version_and_json(world: World) -> None:
    dataset = world.register_one()
    Tag.objects.create(name="2024_Q1.x")
    record = world.rest.patch(
        f"datasets/{dataset.pk}", {"tags": ["2024_Q1.x"], "qc": "PASS", "version": "2", "json": {"a": 1.0}}
    ).json()
    assert (record["tags"], record["qc"], record["version"], record["json"]) == (["2024_Q1.x"], "PASS", "2", {"a": 1.0})
    assert world.rest.patch(f"datasets/{dataset.pk}", {"tags": ["unknown"]}).status_code == 400
    assert world.rest.put(f"datasets/{dataset.pk}", {"qc": "FAIL"}).json()["version"] == "2"


def test_patching_hash_and_size_follows_the_version_rules(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.central), S.VERIFIED)
    same = {"hash": dataset.md5, "file_size": dataset.size_bytes}
    assert world.rest.patch(f"datasets/{dataset.pk}", same).status_code == 200
    assert Dataset.objects.get(pk=dataset.pk).content_version == 1
    record = world.rest.patch(f"datasets/{dataset.pk}", {"hash": md5("new"), "file_size": 9}).json()
    assert (record["hash"], record["file_size"]) == (md5("new"), 9)
    assert world.states(dataset) == {"server": S.SUPERSEDED, "central": S.SUPERSEDED, "mirror": S.EXPECTED}
    assert {copy["exists"] for copy in record["file_records"]} == {False}


def test_a_hash_without_a_size_is_refused_when_it_means_other_bytes(world: World) -> None:
    dataset = world.register_one()
    assert world.rest.patch(f"datasets/{dataset.pk}", {"hash": md5("new")}).status_code == 400


def test_patching_the_default_moves_it(world: World) -> None:
    original = world.register_one()
    world.register_one("alf/probe00/#r#/spikes.times.npy")
    assert world.rest.patch(f"datasets/{original.pk}", {"default_dataset": True}).json()["default_dataset"] is True
    assert Dataset.objects.filter(is_default=True).get() == original


@pytest.mark.parametrize("change", [{"name": "spikes.amps.npy"}, {"collection": "other"}, {"revision": "r"}])
def test_a_dataset_keeps_its_path(world: World, change: dict[str, str]) -> None:
    dataset = world.register_one()
    assert world.rest.patch(f"datasets/{dataset.pk}", change).status_code == 400


def test_posting_a_dataset_makes_one_without_copies_and_twice_is_once(world: World) -> None:
    body = {
        "name": "spikes.times.npy",
        "dataset_type": "clusters.depths",
        "session": f"{BASE}/sessions/{world.session.pk}",
        "collection": "alf",
        "hash": md5("a"),
        "file_size": 3,
        "json": {"by": "hand"},
    }
    answer = world.rest.post("datasets", body)
    assert answer.status_code == 201
    record = answer.json()
    assert (record["file_records"], record["dataset_type"], record["json"]) == ([], "clusters.depths", {"by": "hand"})
    assert world.rest.post("datasets", body).json() == record
    changed = world.rest.post("datasets", {**body, "hash": md5("b")}).json()
    assert changed["url"] == record["url"]
    assert Dataset.objects.get().content_version == 2


def test_posting_a_dataset_by_subject_date_and_number(world: World) -> None:
    body = {
        "name": "spikes.times.npy",
        "dataset_type": "spikes.times",
        "subject": "KS014",
        "date": "2026-03-09",
        "number": 1,
    }
    assert world.rest.post("datasets", body).json()["session"].endswith(str(world.session.pk))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "spikes.times.npy"},
        {"name": "../spikes.times.npy", "dataset_type": "spikes.times"},
        {"name": "spikes.times.npy", "dataset_type": "nothing"},
        {"name": "spikes.times.npy", "dataset_type": "spikes.times", "file_size": -1},
        {"name": "spikes.times.npy", "dataset_type": "spikes.times", "hash": "xyz", "file_size": 1},
        {"name": "spikes.times.npy", "dataset_type": "spikes.times", "session": str(uuid4())},
    ],
)
def test_a_bad_dataset_is_a_400(world: World, body: dict[str, Any]) -> None:
    answer = world.rest.post("datasets", {"session": str(world.session.pk), **body} if body else body)
    assert answer.status_code == 400
    assert not Dataset.objects.exists()


@pytest.mark.usefixtures("open_reading")
def test_other_labs_datasets_are_read_but_not_changed(world: World) -> None:
    dataset = world.register_one()
    other = a_world("churchlandlab", "KS100").rest
    assert other.get(f"datasets/{dataset.pk}").status_code == 200
    changes: list[dict[str, Any]] = [{"qc": "PASS"}, {"hash": md5("x"), "file_size": 3}, {"json": {}}, {"tags": []}]
    for change in changes:
        assert other.patch(f"datasets/{dataset.pk}", change).status_code == 403
    assert other.delete(f"datasets/{dataset.pk}").status_code == 403
    assert Rest(a_member(world.lab, Role.READER)).patch(f"datasets/{dataset.pk}", {"qc": "PASS"}).status_code == 403
    assert Dataset.objects.get().qc == 0


def test_deleting_withdraws_dataset_and_copies_and_registering_again_makes_a_new_one(world: World) -> None:
    dataset = world.register_one()
    assert world.rest.delete(f"datasets/{dataset.pk}").status_code == 204
    assert world.rest.get(f"datasets/{dataset.pk}").status_code == 404
    assert world.rest.found("datasets") == world.rest.found("files") == []
    assert set(world.states(dataset).values()) == {S.WITHDRAWN}
    again = world.register_one()
    assert again.pk != dataset.pk
    assert world.states(again)["server"] == S.CLAIMED


def test_when_the_default_is_withdrawn_the_latest_revision_takes_its_place(world: World) -> None:
    original = world.register_one()
    revised = world.register_one("alf/probe00/#r#/spikes.times.npy")
    world.rest.delete(f"datasets/{revised.pk}")
    original.refresh_from_db()
    assert original.is_default is True


def test_every_copy_with_its_evidence_is_shown_on_our_own_page(world: World) -> None:
    dataset = world.register_one()
    bring_to(world.copy(dataset, world.central), S.VERIFIED)
    bring_to(world.copy(dataset, world.mirror), S.WITHDRAWN)
    copies = {copy["repository"]: copy for copy in world.rest.get(f"datasets/{dataset.pk}/copies").json()}
    assert {name: copy["state"] for name, copy in copies.items()} == {
        "cortexlab_server": "claimed",
        "flatiron_cortexlab": "verified",
        "aws_cortexlab": "withdrawn",
    }
    proved = copies["flatiron_cortexlab"]
    assert (proved["evidence_level"], proved["exists"], proved["content_version"]) == (4, True, 1)
    assert proved["verified_at"]
    assert str(UUID(proved["id"])) == proved["id"]


def test_a_dataset_type_is_changed_by_name(world: World) -> None:
    dataset = world.register_one()
    assert world.rest.patch(f"datasets/{dataset.pk}", {"dataset_type": "clusters.depths"}).status_code == 200
    assert Dataset.objects.get().dataset_type == DatasetType.objects.get(name="clusters.depths")


def test_data_urls_of_a_repository_without_uuid_in_names_carry_it_all_the_same(world: World) -> None:
    Repository.objects.filter(pk=world.server.pk).update(data_url="http://lab/data/cortexlab/Subjects/")
    dataset = world.register_one("alf/obj.attr.sub.npy")
    [record] = world.rest.found("datasets")
    url = next(copy["data_url"] for copy in record["file_records"] if copy["data_repository"] == world.server.name)
    assert url == f"http://lab/data/cortexlab/Subjects/KS014/2026-03-09/001/alf/obj.attr.sub.{dataset.pk}.npy"
