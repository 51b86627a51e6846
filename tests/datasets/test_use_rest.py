"""Downloads, notices about data, and the kinds of repositories."""

from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from alyx.labs.models import Role
from datasets.models import DataNotice, Download, Repository, Tag
from tests.factories.people import a_lab, a_member, a_project, a_superuser, a_user
from tests.factories.records import a_dataset, a_repository, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> Any:
    """A lab, two datasets of a session, a member that calls."""
    lab = a_lab("cortexlab")
    session = a_session(a_subject(lab, "M1"))
    return Rest(a_member(lab, Role.EXPERIMENTER, "reader")), a_dataset(session), a_dataset(session)


@pytest.mark.usefixtures("open_reading")
def test_downloads_are_counted_per_user_and_dataset(house: Any) -> None:
    rest, one, other = house
    a_project("p")
    made = rest.post("new-download", {"datasets": [str(other.pk), str(one.pk)], "projects": "p"})
    assert made.status_code == 201, made.content
    assert made.json()["count"] == [1, 1]
    again = rest.post("new-download", {"datasets": str(one.pk), "user": "reader"}).json()
    assert again == {"download": [made.json()["download"][1]], "count": [2]}
    record = rest.get(f"downloads/{again['download'][0]}").json()
    assert record == {
        "id": again["download"][0],
        "user": "reader",
        "dataset": str(one.pk),
        "count": 2,
        "json": {"projects": ["p"]},
    }
    Rest(a_user("somebody")).post("new-download", {"datasets": [str(one.pk)]})
    asked = {"user": "READER", "count": 2, "json": "Projects", "dataset_type": "spikes", "dataset": str(one.pk)}
    for name, value in asked.items():
        found = rest.found("downloads", **{name: value})
        assert record["id"] in {row["id"] for row in found}, name
        assert len(found) == {"user": 2, "count": 1, "json": 2, "dataset_type": 3, "dataset": 2}[name], name
    assert len(rest.found("downloads", django="dataset__session__lab__name,cortexlab,count__gte,2")) == 1
    assert rest.patch(f"downloads/{record['id']}", {"count": 7}).json()["count"] == 7
    assert Rest(a_user()).patch(f"downloads/{record['id']}", {"count": 8}).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "datasets"),
        ({"datasets": "x"}, "datasets"),
        ({"datasets": [[]]}, "datasets"),
        ({"datasets": str(uuid4())}, "datasets"),
        ({"projects": ["nothing"]}, "projects"),
        ({"user": "nobody"}, "user"),
        ({"user": ["reader"]}, "user"),
    ],
)
def test_a_bad_download_counts_nothing(house: Any, body: dict[str, Any], field: str) -> None:
    rest, one, _ = house
    answer = rest.post("new-download", {**({"datasets": str(one.pk)} if body else {}), **body})
    assert (answer.status_code, field in answer.json(), Download.objects.count()) == (400, True, 0), answer.content


def test_only_superusers_count_for_others(house: Any) -> None:
    rest, one, _ = house
    body = {"datasets": str(one.pk), "user": a_user("somebody").username}
    assert rest.post("new-download", body).status_code == 403
    assert Rest(a_superuser()).post("new-download", body).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_downloads_at_once_all_count() -> None:
    session = a_session()
    datasets, user = [a_dataset(session) for _ in range(3)], a_user()
    gate = Barrier(6)
    codes: list[int] = []

    def send(rest: Rest, keys: list[str]) -> None:
        try:
            gate.wait(20)
            codes.append(rest.post("new-download", {"datasets": keys}).status_code)
        finally:
            connection.close()

    keys = [str(one.pk) for one in datasets]
    threads = [Thread(target=send, args=(Rest(user), keys if n % 2 else keys[::-1])) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [201] * 6
    assert sorted(Download.objects.values_list("count", flat=True)) == [6, 6, 6]


@pytest.mark.usefixtures("open_reading")
def test_notices_are_posted_found_changed_and_taken_back(house: Any) -> None:
    rest, one, other = house
    tag = Tag.objects.create(name="2026_Q1")
    one.tags.add(tag)
    body = {
        "name": "Wrong clock",
        "description": "Times are <b>late</b>.\n\nBy 3 ms.",
        "importance": 40,
        "version_affected": "1.2",
        "affected_date_start": "2026-01-01",
        "affected_date_end": "2026-02-01",
        "datasets": [str(one.pk)],
        "json": {"a": 1.0},
    }
    made = rest.post("data-notices", body)
    assert made.status_code == 201, made.content
    record = made.json()
    assert {name: record[name] for name in body} == body
    assert (record["created_by"], record["created_datetime"][:2]) == ("reader", "20")
    assert "<b>" not in record["description_html"]
    assert "<p>By 3 ms.</p>" in record["description_html"]
    rest.post("data-notices", {"name": "other", "datasets": [str(other.pk)], "importance": "low"})
    asked = {
        "name": "clock",
        "importance": "high",
        "version_affected": "1.2",
        "affected_date_start": "2026-01-01",
        "affected_date_end": "2026-02-01",
        "datasets": str(one.pk),
        "dataset_tag": "2026_Q1",
        "django": f"datasets,{one.pk}",
    }
    for name, value in asked.items():
        assert [row["id"] for row in rest.found("data-notices", **{name: value})] == [record["id"]], name
    assert [row["name"] for row in rest.found("data-notices", created_by="READER")] == ["Wrong clock", "other"]
    path = f"data-notices/{record['id']}"
    changed = rest.patch(path, {"importance": 50, "datasets": [str(other.pk)]}).json()
    assert (changed["importance"], changed["datasets"], changed["name"]) == (50, [str(other.pk)], "Wrong clock")
    assert rest.put(path, {"affected_date_end": "2025-01-01"}).status_code == 400
    assert Rest(a_member(a_lab())).patch(path, {"name": "x"}).status_code == 403
    assert Rest(a_member(a_lab())).post("data-notices", body).status_code == 403
    assert rest.delete(path).status_code == 204
    assert (rest.get(path).status_code, DataNotice.objects.count()) == (404, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"importance": 35}, "importance"),
        ({"datasets": [str(uuid4())]}, "datasets"),
        ({"created_by": "x"}, "created_by"),
    ],
)
def test_a_bad_notice_is_refused(house: Any, body: dict[str, Any], field: str) -> None:
    answer = house[0].post("data-notices", {"name": "x", **body})
    assert (answer.status_code, field in answer.json(), DataNotice.objects.count()) == (400, True, 0)
    assert house[0].get("data-notices", importance="35").status_code == 400


def test_kinds_of_repositories_are_words_that_repositories_hold(house: Any) -> None:
    rest = house[0]
    made = rest.post("data-repository-type", {"name": "Fileserver", "json": {"a": 1}})
    assert made.status_code == 201, made.content
    url = "http://testserver/data-repository-type/Fileserver"
    assert made.json() == {"url": url, "json": {"a": 1}, "name": "Fileserver"}
    assert rest.post("data-repository-type", {"name": "Fileserver"}).status_code == 400
    lab = a_lab()
    place, manager = a_repository(lab), Rest(a_member(lab, Role.DATA_MANAGER))
    answer = manager.patch(f"data-repository/{place.name}", {"repository_type": "Tape"})
    assert (answer.status_code, answer.json()["repository_type"]) == (200, "Tape")
    assert [one["name"] for one in rest.found("data-repository-type")] == ["Fileserver", "Tape"]
    assert manager.delete("data-repository-type/Tape").status_code == 403
    assert rest.patch("data-repository-type/Tape", {"name": "Old tape"}).json()["name"] == "Old tape"
    assert Repository.objects.get().repository_type == "Old tape"
    assert manager.delete("data-repository-type/Fileserver").status_code == 204
    assert rest.get("data-repository-type/Fileserver").status_code == 404
