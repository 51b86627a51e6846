"""A public account reads what is tagged public, and nothing else."""

import base64
from typing import Any

import pytest
from django.test import Client

from alyx.core.notes import add_note
from alyx.labs.models import User
from alyx.labs.tokens import issue_token
from datasets.models import RepositoryRole, Tag
from sessions.models import Session
from tests.factories import a_copy, a_dataset, a_repository, a_session, a_user
from tests.factories.people import PASSWORD
from tests.factories.recordings import an_insertion

pytestmark = pytest.mark.django_db


@pytest.fixture
def guest() -> User:
    return a_user("guest", is_staff=False, is_public_user=True)


@pytest.fixture
def client(guest: User) -> Client:
    return Client(headers={"Authorization": f"Token {issue_token(actor=guest, user=guest).key}"})


@pytest.mark.parametrize(
    "path",
    ["/subjects", "/users", "/weighings", "/notes", "/why?eid=x", "/downloads", "/sync-file-status", "/tasks",
     "/surgeries", "/trajectories", "/chronic-insertions"],
)  # fmt: skip
def test_what_is_never_public_is_closed_to_it(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 403
    assert "public account" in answer.json()["detail"]


def test_records_are_those_of_public_data(client: Client) -> None:
    """A session with one dataset of two tagged public, and a session without any."""
    session = a_session()
    shown, hidden, elsewhere = (
        a_dataset(session, "a.shown.npy"),
        a_dataset(session, "a.hidden.npy"),
        a_session(number=2),
    )
    a_dataset(elsewhere, "b.hidden.npy")
    for dataset in (shown, hidden):
        a_copy(dataset, a_repository(session.lab, role=RepositoryRole.CENTRAL, data_url="http://data.test/Subjects/"))
    shown.tags.add(Tag.objects.create(name="paper", public=True))
    hidden.tags.add(Tag.objects.create(name="embargo"))
    probe, other = an_insertion(session, "probe00"), an_insertion(elsewhere, "probe00")
    add_note(actor=a_user("writer"), about=session, text="the left one bites")
    Session.objects.filter(pk=session.pk).update(narrative="door open", json={"mood": "bad"})

    def ids(path: str) -> list[str]:
        return [
            one["url"].rpartition("/")[2] if "url" in one else one["id"] for one in client.get(path).json()["results"]
        ]

    assert ids("/sessions") == [str(session.pk)]
    assert ids("/datasets") == [str(shown.pk)]
    assert [one["name"] for one in client.get("/tags").json()["results"]] == ["paper"]
    assert len(client.get("/files").json()["results"]) == 1
    assert ids("/insertions") == [str(probe.pk)]
    assert client.get(f"/insertions/{other.pk}").status_code == 404
    assert client.get(f"/sessions/{elsewhere.pk}").status_code == 404
    assert client.get(f"/datasets/{hidden.pk}").status_code == 404
    record = client.get(f"/sessions/{session.pk}").json()
    assert [one["name"] for one in record["data_dataset_session_related"]] == ["a.shown.npy"]
    assert [one["id"] for one in record["probe_insertion"]] == [str(probe.pk)]
    told = client.get(f"/sessions/{session.pk}").content.decode()
    assert not any(word in told for word in ("bites", "door open", "mood", "a.hidden.npy", "writer"))
    assert [one["name"] for one in client.get("/dataset-types").json()["results"]]


@pytest.mark.parametrize(
    "query",
    ["narrative=door", "json=a,b", "datasets=a.hidden.npy", "tag=embargo", "users=writer", "extended_qc=a,1",
     "django=narrative__icontains,door", "django=notes__text__icontains,bites", "django=json__mood,bad",
     "django=data_dataset_session_related__name,a.hidden.npy", "django=~users__username,writer",
     "django=subject__responsible_user__username,writer", "performance_gte=50"],
)  # fmt: skip
def test_it_cannot_guess_what_it_is_not_shown(client: Client, query: str) -> None:
    answer = client.get(f"/sessions?{query}")
    assert answer.status_code == 403, answer.content
    assert "cannot search by" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    ["lab=x", "subject=M1", "date_range=2026-01-01,2026-02-01", "task_protocol=choice", "projects=p", "number=1",
     "django=subject__nickname__iexact,M1", "django=pk__in,('a2d8f6f2-6a53-4a0d-9d4d-0c1a4c4f4b11',)", "limit=1"],
)  # fmt: skip
def test_it_searches_by_what_it_is_shown(client: Client, query: str) -> None:
    assert client.get(f"/sessions?{query}").status_code == 200


def test_it_logs_in_reads_the_schema_and_the_public_tables(client: Client) -> None:
    assert client.get("/me").json() == {"username": "guest"}
    assert client.get("/api/schema").status_code == 200
    a_session()
    assert client.get("/cache/info").status_code == 200


def test_it_writes_nothing(client: Client) -> None:
    assert client.post("/sessions", {"subject": "M1"}, content_type="application/json").status_code == 403
    assert client.post("/register-file", {}, content_type="application/json").status_code == 403
    assert client.post("/cache/info", {}, content_type="application/json").status_code in {403, 405}


@pytest.mark.parametrize("by", ["token", "password", "token as password"])
def test_files_are_asked_for_as_by_anybody(client: Client, guest: User, by: str) -> None:
    """A file not tagged public is answered as if nobody had logged in."""
    key = issue_token(actor=guest, user=guest).key
    secret = {"password": PASSWORD, "token as password": key}.get(by)
    basic = base64.b64encode(f"guest:{secret}".encode()).decode()
    headers: Any = {"Authorization": f"Basic {basic}" if secret else f"Token {key}"}
    assert Client(headers=headers).get("/data/lab/Subjects/M1/2026-03-09/001/a.b.npy").status_code == 401
