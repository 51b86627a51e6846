"""Requests whose body would be read otherwise than it was sent."""

from tests.datasets.world import World


def test_a_body_in_chunks_is_refused_and_not_taken_for_an_empty_one(world: World) -> None:
    answer = world.rest.client.patch(f"/sessions/{world.session.pk}", headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 411
    assert "Content-Length" in answer.json()["detail"]
