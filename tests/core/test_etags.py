"""`ETag` and `If-Match`."""

import json
from typing import Any

import pytest

from alyx.labs.models import Project, Role
from tests.factories.people import a_lab, a_member, a_project
from tests.factories.records import a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


class Desk:
    """Two people and a session."""

    def __init__(self) -> None:
        self.lab = a_lab()
        self.user = a_member(self.lab, Role.HEAD, "ann")
        self.rest = Rest(self.user)
        self.session = a_session(a_subject(self.lab))
        self.path = f"sessions/{self.session.pk}"

    def change(self, body: Any, tag: str, verb: str = "PATCH") -> Any:
        return self.rest.client.generic(
            verb, f"/{self.path}", json.dumps(body), content_type="application/json", headers={"If-Match": tag}
        )


def test_a_record_has_a_tag_that_a_change_changes() -> None:
    desk = Desk()
    read, again = desk.rest.get(desk.path), desk.rest.get(desk.path)
    changed = desk.rest.patch(desk.path, {"json": {"a": 1}})
    assert read["ETag"] == again["ETag"]
    assert read["ETag"].startswith('"')
    assert changed["ETag"] not in {read["ETag"], ""}
    assert desk.rest.get(desk.path)["ETag"] == changed["ETag"]
    assert "ETag" not in desk.rest.get("sessions")


@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
def test_a_change_of_what_was_read_is_made_and_a_later_one_refused(verb: str) -> None:
    desk = Desk()
    tag = desk.rest.get(desk.path)["ETag"]
    assert desk.change({"json": {"a": 1}}, tag, verb).status_code == 200
    late = desk.change({"json": {"b": 1}}, tag, verb)
    now = desk.rest.get(desk.path)
    assert (late.status_code, late.json()["etag"]) == (412, now["ETag"])
    assert now.json()["json"] == {"a": 1}
    assert desk.change({"json": {"b": 1}}, f'"other", W/{now["ETag"]}', verb).status_code == 200
    assert desk.change({"json": {"c": 1}}, "*", verb).status_code == 200
    assert desk.rest.patch(desk.path, {"json": {"d": 1}}).status_code == 200


def test_a_list_in_another_table_is_part_of_the_tag() -> None:
    desk = Desk()
    project = a_project("p")
    desk.path = "projects/p"
    tag = desk.rest.get(desk.path)["ETag"]
    project.users.add(desk.user)
    assert desk.change({"description": "x"}, tag).status_code == 412
    assert Project.objects.get().description == ""


def test_every_record_has_a_tag() -> None:
    desk = Desk()
    for path in (f"subjects/{desk.session.subject.nickname}", f"labs/{desk.lab.name}", "users/ann"):
        answer = desk.rest.get(path)
        assert answer.status_code == 200, answer.content
        assert answer["ETag"] == desk.rest.get(path)["ETag"]
