"""What clients read about protected revisions."""

from datasets.models import Tag
from tests.datasets.world import World


def test_the_question_and_the_refusal_give_the_revisions_in_the_same_order(world: World) -> None:
    names = ["alf/spikes.times.npy", "alf/#2024-01-10#/spikes.times.npy"]
    first, _ = world.register(*names)
    tag = Tag.objects.create(name="paper", protected=True)
    tag.datasets.add(first["id"])
    body = world.body(*names, check_protected=True)
    refused = world.rest.post("register-file", body).json()
    asked = world.rest.send("GET", "check-protected", body).json()
    assert asked["details"] == refused["details"]
    assert refused["details"][0] == {names[0]: [{"2024-01-10": False}, {"": True}]}


def test_files_asked_for_by_a_repeated_query_parameter_are_all_looked_at(world: World) -> None:
    names = ["alf/spikes.times.npy", "alf/spikes.amps.npy"]
    first, _ = world.register(*names)
    tag = Tag.objects.create(name="paper", protected=True)
    tag.datasets.add(first["id"])
    answer = world.rest.client.get("/check-protected", {"path": world.path, "filenames": names}).json()
    assert [list(entry) for entry in answer["details"]] == [[name] for name in names]
