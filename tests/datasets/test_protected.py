"""What a protected tag forbids, and the exact bodies that clients parse."""

import json

import pytest

from datasets.models import Dataset, Tag
from tests.datasets.world import FILES, World
from tests.factories.rest import Rest

REVISED = "alf/probe00/#2024-01-10#/spikes.times.npy"


def test_a_checked_registration_of_a_protected_file_is_the_403_that_clients_parse(world: World) -> None:
    world.protect(world.register_one(FILES[0]))
    world.register_one(REVISED)
    answer = world.rest.post("register-file", world.body(*FILES, content="patched", check_protected=True))
    assert answer.status_code == 403
    assert answer.json() == {
        "status_code": 403,
        "error": "One or more datasets is protected",
        "details": [{FILES[0]: [{"2024-01-10": False}, {"": True}]}, {FILES[1]: []}],
    }
    assert Dataset.objects.filter(content_version__gt=1).count() == 0


def test_the_revisions_in_the_answer_are_newest_first(world: World) -> None:
    for revision in ("b", "a", "c"):
        world.protect(world.register_one(f"alf/#{revision}#/spikes.times.npy"))
    answer = world.register("alf/spikes.times.npy", check_protected=True, status=403)
    assert answer["details"] == [{"alf/spikes.times.npy": [{"c": True}, {"a": True}, {"b": True}]}]


def test_a_checked_registration_is_refused_also_when_it_would_change_nothing(world: World) -> None:
    world.protect(world.register_one())
    world.register(FILES[0], check_protected=True, status=403)


@pytest.mark.parametrize("change", [{"content": "patched"}, {"qc": "FAIL"}, {"versions": "2.0"}])
def test_without_the_check_a_protected_dataset_keeps_bytes_qc_and_version(world: World, change: dict[str, str]) -> None:
    dataset = world.register_one()
    world.protect(dataset)
    answer = world.register(FILES[0], status=403, **change)
    assert FILES[0] in answer["detail"]
    assert "error" not in answer
    row = Dataset.objects.get(pk=dataset.pk)
    assert (row.md5, row.qc, row.software_version, row.content_version) == (dataset.md5, 0, None, 1)


def test_a_protected_file_among_others_refuses_them_all(world: World) -> None:
    world.protect(world.register_one(FILES[0], content="old"))
    world.register(*FILES, status=403)
    assert Dataset.objects.count() == 1


def test_a_protected_dataset_may_be_claimed_elsewhere_and_lose_the_default(world: World) -> None:
    dataset = world.register_one()
    world.protect(dataset)
    world.register_one(name=world.central.name)
    assert world.states(dataset)["central"] == "claimed"
    world.register_one(REVISED)
    dataset.refresh_from_db()
    assert dataset.is_default is False


def ask(world: World, *names: str) -> tuple[int, dict[str, object]]:
    """GET /check-protected with a JSON body, as the client sends it."""
    body = {"created_by": world.rig.username, "path": world.path, "filenames": list(names)}
    answer = world.rest.send("GET", "check-protected", body)
    return answer.status_code, answer.json()


def test_check_protected_reads_the_body_of_a_get_and_always_answers_200(world: World) -> None:
    status, body = ask(world, *FILES)
    assert (status, body["status_code"]) == (200, 200)
    assert isinstance(body["details"], str)
    world.protect(world.register_one(FILES[0]))
    assert ask(world, *FILES) == (
        200,
        {
            "status_code": 403,
            "error": "One or more datasets is protected",
            "details": [{FILES[0]: [{"": True}]}, {FILES[1]: []}],
        },
    )


def test_check_protected_takes_the_query_where_there_is_no_body(world: World) -> None:
    world.protect(world.register_one(FILES[0]))
    answer = world.rest.client.get("/check-protected", {"path": world.path, "filenames": ",".join(FILES)})
    assert json.loads(answer.content)["status_code"] == 403


def test_check_protected_of_an_unknown_session_is_a_400(world: World) -> None:
    body = {"path": "KS014/2020-01-01/001", "filenames": FILES}
    assert world.rest.send("GET", "check-protected", body).status_code == 400


def test_check_protected_knows_aggregates(world: World) -> None:
    about = {"content_type": "subject", "object_id": str(world.session.subject_id)}
    call = world.body("_ibl_subjectTrials.table.pqt", path="Subjects/x/KS014", name=world.central.name, **about)
    [record] = world.rest.post("register-file", call).json()
    world.protect(Dataset.objects.get(pk=record["id"]))
    asked = {"path": "Subjects/x/KS014", "filenames": ["_ibl_subjectTrials.table.pqt"], **about}
    assert world.rest.send("GET", "check-protected", asked).json()["status_code"] == 403


def test_a_protected_dataset_is_not_deleted(world: World) -> None:
    dataset = world.register_one()
    world.protect(dataset)
    answer = world.rest.delete(f"datasets/{dataset.pk}")
    assert answer.status_code == 403
    assert str(dataset.pk) in answer.json()["detail"]
    assert Dataset.objects.shown().count() == 1


def test_a_protected_dataset_is_not_patched(world: World) -> None:
    dataset = world.register_one()
    world.protect(dataset)
    for change in ({"qc": "FAIL"}, {"version": "9"}, {"hash": "0" * 32, "file_size": 5}, {"file_size": 5}):
        assert world.rest.patch(f"datasets/{dataset.pk}", change).status_code == 403
    assert world.rest.patch(f"datasets/{dataset.pk}", {"json": {"note": 1}}).status_code == 200


def test_a_rig_does_not_take_a_protected_tag_off(world: World) -> None:
    dataset = world.register_one()
    Tag.objects.create(name="plain")
    assert world.rest.patch(f"datasets/{dataset.pk}", {"tags": ["plain"]}).status_code == 200
    world.protect(dataset)
    assert world.rest.patch(f"datasets/{dataset.pk}", {"tags": []}).status_code == 403
    manager = world.lab.memberships.create(
        user=world.rig.__class__.objects.create_user("boss"), role="data_manager"
    ).user
    assert Rest(manager).patch(f"datasets/{dataset.pk}", {"tags": []}).status_code == 200
    assert dataset.tags.count() == 0
