"""The clients' cache tables: what stands in them, when they are made anew, and how they are handed out."""

import io
import json
import threading
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alyx.core import clock
from alyx.core.qc import QC
from alyx.labs.models import User
from datasets.exports import cache_rows, cache_tables
from datasets.exports.cache_tables import EVERYTHING, Scope, build
from datasets.models import Dataset, FileRecord, Repository, RepositoryRole, Revision, Tag
from datasets.tasks import build_cache_tables, refresh_cache_tables
from sessions.models import Session
from subjects.models import ProbeModel
from tests.datasets.world import World
from tests.factories.copies import a_copy
from tests.factories.people import a_project
from tests.factories.recordings import an_insertion
from tests.factories.records import a_dataset, a_repository, a_session, an_aggregate
from tests.factories.rest import Rest

Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, settings: Any) -> Path:
    settings.ALYX_CACHE_DIR = str(tmp_path / "cache")
    return tmp_path / "cache"


def read(scope: Scope = EVERYTHING) -> dict[str, Any]:
    """Table → its Arrow table."""
    with zipfile.ZipFile(scope.file) as zipped:
        assert zipped.testzip() is None
        names = ("sessions", "datasets", "insertions")
        assert set(zipped.namelist()) == {"cache_info.json", *(f"{name}.pqt" for name in names)}
        return {name: pq.read_table(io.BytesIO(zipped.read(f"{name}.pqt"))) for name in names}


def rows(scope: Scope = EVERYTHING) -> dict[str, Rows]:
    """Table → its rows as they are now."""
    build(scope)
    return {name: table.to_pylist() for name, table in read(scope).items()}


def listed(scope: Scope = EVERYTHING) -> set[str]:
    """Paths in the datasets' table as it is now."""
    return {row["rel_path"] for row in rows(scope)["datasets"]}


def a_server(role: str = RepositoryRole.CENTRAL, **columns: Any) -> Repository:
    return a_repository(role=role, **columns)


def there(dataset: Dataset, repository: Repository | None = None) -> Dataset:
    """The dataset, with a copy on a server."""
    a_copy(dataset, repository or a_server())
    return dataset


# ---- what stands in them


def test_the_columns_are_those_of_the_contract(world: World) -> None:
    there(a_dataset(world.session))
    build()
    tables = read()
    text = pa.string()
    assert {field.name: field.type for field in tables["sessions"].schema} == {
        "id": text, "lab": text, "subject": text, "date": pa.date32(), "number": pa.uint16(), "task_protocol": text,
        "projects": text,
    }  # fmt: skip
    assert {field.name: field.type for field in tables["datasets"].schema} == {
        "eid": text, "id": text, "rel_path": text, "file_size": pa.uint64(), "hash": text, "exists": pa.bool_(),
        "qc": pa.dictionary(pa.int8(), text, ordered=True), "default_revision": pa.bool_(),
    }  # fmt: skip
    assert tables["datasets"]["qc"].chunk(0).dictionary.to_pylist() == [each.name for each in sorted(QC)]
    assert tables["insertions"].schema.names[:5] == ["eid", "id", "name", "model", "serial"]
    for table in tables.values():
        about = json.loads(table.schema.metadata[b"one_metadata"])
        assert set(about) == {"date_created", "origin", "min_api_version"}
    frame = tables["datasets"].to_pandas()
    assert list(frame.index.names) == ["eid", "id"]
    assert str(frame.dtypes["file_size"]) == "UInt64"
    assert frame["qc"].cat.ordered


def test_a_dataset_is_listed_while_a_server_has_its_current_version(world: World) -> None:
    central = a_server(name="called_as_you_like")
    kept = there(a_dataset(world.session, "spikes.times.npy"), central)
    a_copy(a_dataset(world.session, "only.in_lab.npy"), world.server)
    a_copy(a_dataset(world.session, "only.expected.npy"), central, "expected")
    a_copy(a_dataset(world.session, "gone.missing.npy"), central, "missing")
    old = there(a_dataset(world.session, "old.version.npy"), central)
    Dataset.objects.filter(pk=old.pk).update(content_version=2)
    withdrawn = there(a_dataset(world.session, "taken.back.npy"), central)
    Dataset.objects.filter(pk=withdrawn.pk).update(withdrawn_at=clock.now())
    there(an_aggregate(world.session.subject), central)
    hidden = a_session(world.session.subject, number=2)
    there(a_dataset(hidden), central)
    Session.objects.filter(pk=hidden.pk).update(withdrawn_at=clock.now())
    an_insertion(hidden)
    tables = rows()
    assert [row["id"] for row in tables["datasets"]] == [str(kept.pk)]
    assert [row["id"] for row in tables["sessions"]] == [str(world.session.pk)]
    assert tables["insertions"] == []


def test_odd_values_are_told_as_they_are(world: World) -> None:
    session = world.session
    Session.objects.filter(pk=session.pk).update(task_protocol="", number=65_535)
    for name in ("zebra", "ant, with comma"):
        session.projects.add(a_project(name))
    unknown = there(a_dataset(session, "a.b.npy", size_bytes=None, md5="", hash_state="pending", collection=""))
    sha = {"md5": "", "sha256": "ab" * 32, "hash_state": "observed", "size_bytes": 2**63 - 1}
    big = there(a_dataset(session, "c.d.npy", qc=QC.CRITICAL, is_default=False, **sha))
    named = there(a_dataset(session, "ü\t'\"\n😀.e.npy", revision=Revision.objects.create(name="2024-01-10")))
    empty = there(a_dataset(session, "f.g.npy", size_bytes=0, collection="raw/é", qc=QC.PASS))
    tables = rows()
    assert tables["sessions"] == [
        {"id": str(session.pk), "lab": "cortexlab", "subject": "KS014", "date": session.path_date, "number": 65_535,
         "task_protocol": "", "projects": "ant, with comma,zebra"}
    ]  # fmt: skip
    found = {row["id"]: [row[name] for name in ("rel_path", "file_size", "hash", "default_revision", "qc")]
             for row in tables["datasets"]}  # fmt: skip
    assert found == {
        str(unknown.pk): ["a.b.npy", None, None, True, "NOT_SET"],
        str(big.pk): ["alf/probe00/c.d.npy", 2**63 - 1, None, False, "CRITICAL"],
        str(named.pk): [
            f"alf/probe00/#2024-01-10#/{named.name}", named.size_bytes, named.md5, True, "NOT_SET"],
        str(empty.pk): ["raw/é/f.g.npy", 0, empty.md5, True, "PASS"],
    }  # fmt: skip


def test_insertions_name_model_and_serial(world: World) -> None:
    model = ProbeModel.objects.create(name="Neuropixels 1.0", part_number="NP1.0")
    probe = an_insertion(world.session, "probe01", model=model, serial="18194")
    plain = an_insertion(world.session, "probe02")
    assert {row["id"]: row for row in rows()["insertions"]} == {
        str(each.pk): {"eid": str(world.session.pk), "id": str(each.pk), "name": each.name, "model": part,
                       "serial": each.serial, "chronic_insertion": None}
        for each, part in ((probe, "NP1.0"), (plain, ""))
    }  # fmt: skip


def test_an_empty_registry_has_empty_tables(db: None) -> None:
    assert rows() == {"sessions": [], "datasets": [], "insertions": []}


COPIES = st.lists(
    st.tuples(
        st.integers(0, 4),  # session
        st.sampled_from(["", "alf", "alf/probe00"]),
        st.sampled_from(["", "2024-01-10"]),
        st.sampled_from(["central", "mirror", "lab"]),
        st.sampled_from(["expected", "claimed", "verified", "suspect", "superseded"]),
        st.sampled_from(list(QC)),
        st.sampled_from([None, 0, 17]),
        st.sets(st.sampled_from(["t1", "t2"])),
        st.booleans(),
    ),
    max_size=12,
)


@given(files=COPIES, batch=st.integers(1, 5))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_rows_are_what_the_server_answers(
    files: list[Any], batch: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the registry: the table of all, and of each tag, against `/sessions` and `/datasets` page by page."""
    monkeypatch.setattr(cache_rows, "BATCH", batch)
    with transaction.atomic():
        places = {role: a_server(role) for role in ("central", "mirror", "lab")}
        tags = {name: Tag.objects.create(name=name) for name in ("t1", "t2")}
        sessions = [world.session, *(a_session(world.session.subject, number=n) for n in range(2, 6))]
        for at, (session, collection, revision, role, state, qc, size, names, withdrawn) in enumerate(files):
            known = {} if size is not None else {"md5": "", "hash_state": "pending"}
            proved = state == "verified" and size is not None
            dataset = a_dataset(
                sessions[session],
                f"file{at}.attr.npy",
                collection=collection,
                qc=qc,
                size_bytes=size,
                revision=Revision.objects.get_or_create(name=revision)[0] if revision else None,
                **known,
            )
            dataset.tags.set([tags[name] for name in names])
            a_copy(dataset, places[role], "claimed" if state == "verified" and not proved else state)
            if withdrawn:
                Dataset.objects.filter(pk=dataset.pk).update(withdrawn_at=clock.now())
        for scope in (EVERYTHING, Scope(tags["t1"]), Scope(tags["t2"])):
            of_tag = {"tag": scope.tag.name} if scope.tag else {}
            answered = world.rest.found("datasets", exists="True", **of_tag)
            tables = rows(scope)
            assert tables["datasets"] == sorted(map(as_row, answered), key=lambda row: (row["eid"], row["id"]))
            said = {row["id"]: row for row in world.rest.found("sessions")}
            wanted = said.keys() if scope is EVERYTHING else {row["eid"] for row in tables["datasets"]}
            assert [row["id"] for row in tables["sessions"]] == sorted(wanted)
            for row in tables["sessions"]:
                answer = said[row["id"]]
                assert (row["lab"], row["subject"], row["number"]) == (
                    answer["lab"],
                    answer["subject"],
                    answer["number"],
                )
                assert row["date"].isoformat() == answer["start_time"][:10]
                assert row["projects"] == ",".join(answer["projects"])
        transaction.set_rollback(True)


def as_row(answer: dict[str, Any]) -> dict[str, Any]:
    """A record of `/datasets` as a row."""
    revision = f"#{answer['revision']}#" if answer["revision"] else ""
    return {
        "eid": answer["session"].rpartition("/")[2],
        "id": answer["url"].rpartition("/")[2],
        "rel_path": "/".join(filter(None, (answer["collection"], revision, answer["name"]))),
        "file_size": answer["file_size"],
        "hash": answer["hash"],
        "exists": True,
        "qc": answer["qc"],
        "default_revision": answer["default_dataset"],
    }


# ---- when they are made


def shifted(minutes: float) -> None:
    clock.set_offset(timedelta(minutes=minutes))


def test_they_are_made_anew_when_a_row_changes_and_only_then(world: World) -> None:
    dataset = there(a_dataset(world.session))
    first = build()
    assert first is not None
    assert first.is_new
    shifted(90)
    copy = FileRecord.objects.get(dataset=dataset)
    FileRecord.objects.filter(pk=copy.pk).update(last_seen_at=clock.now(), reason="looked at")
    Dataset.objects.filter(pk=dataset.pk).update(generating_software="not in the tables")
    before = EVERYTHING.file.read_bytes()
    same = build()
    assert same is not None
    assert not same.is_new
    assert same.info == first.info
    assert EVERYTHING.file.read_bytes() == before

    def renamed() -> None:
        world.session.projects.add(project)
        build()
        project.name = "renamed"
        project.save()

    project = a_project("new")
    changes: list[Callable[[], Any]] = [
        lambda: Dataset.objects.filter(pk=dataset.pk).update(qc=QC.FAIL),
        lambda: Dataset.objects.filter(pk=dataset.pk).update(is_default=False),
        renamed,
        world.session.projects.clear,
        lambda: Session.objects.filter(pk=world.session.pk).update(task_protocol="other"),
        lambda: an_insertion(world.session),
        lambda: Repository.objects.filter(pk=copy.repository_id).update(role=RepositoryRole.LAB),
    ]
    for change in changes:
        change()
        again = build()
        assert again is not None
        assert again.is_new
        assert build() == cache_tables.Built(again.info, is_new=False)


def test_each_new_table_is_a_minute_newer_or_the_client_would_not_see_it(world: World) -> None:
    there(a_dataset(world.session))
    made = [build()]
    for qc in (QC.PASS, QC.FAIL):
        Dataset.objects.update(qc=qc)
        made.append(build())
    first, second, third = (datetime.fromisoformat(each.info["date_created"]) for each in made if each)
    assert (second - first, third - second) == (timedelta(minutes=1), timedelta(minutes=1))


def test_a_build_that_dies_leaves_the_old_tables_and_nothing_else(
    world: World, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(a_dataset(world.session, "first.file.npy"))
    build()
    before = EVERYTHING.file.read_bytes()
    there(a_dataset(world.session, "second.file.npy"))

    def dies(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", dies)
    with pytest.raises(KeyboardInterrupt):
        build()
    monkeypatch.undo()
    assert [file.name for file in place.iterdir()] == ["all.zip"]
    assert EVERYTHING.file.read_bytes() == before


def test_a_damaged_zip_is_made_anew(world: World) -> None:
    there(a_dataset(world.session, "a.b.npy"))
    build()
    EVERYTHING.file.write_bytes(EVERYTHING.file.read_bytes()[:500])
    assert world.rest.get("cache/info").json()["tables"]["datasets"]["nrecs"] == 1
    assert listed() == {"alf/probe00/a.b.npy"}


@pytest.mark.django_db(transaction=True)
def test_of_two_builders_one_builds_and_the_other_finds_it_done() -> None:
    there(a_dataset(name="a.b.npy"))
    done: list[Any] = []

    def builds() -> None:
        try:
            done.append(build())
        finally:
            connection.close()

    builders = [threading.Thread(target=builds) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert sorted(each.is_new for each in done) == [False, True]
    assert listed() == {"alf/probe00/a.b.npy"}


# ---- tags, job, command


def test_the_tables_of_a_tag_are_made_when_asked_for_and_kept_fresh_by_the_job(world: World) -> None:
    paper, other = Tag.objects.create(name="2024/Q1 #paper?"), Tag.objects.create(name="other")
    tagged = there(a_dataset(world.session, "in.paper.npy"))
    there(a_dataset(a_session(world.session.subject, number=2), "not.tagged.npy"))
    tagged.tags.add(paper)
    refresh_cache_tables()
    assert EVERYTHING.file.exists()
    assert not Scope(paper).file.exists()
    build_cache_tables(Scope(paper).message)
    tables = rows(Scope(paper))
    assert [row["id"] for row in tables["datasets"]] == [str(tagged.pk)]
    assert [row["id"] for row in tables["sessions"]] == [str(world.session.pk)]
    about = json.loads(read(Scope(paper))["sessions"].schema.metadata[b"one_metadata"])
    assert about["database_tags"] == [paper.name]
    there(a_dataset(world.session, "later.file.npy")).tags.add(paper)
    refresh_cache_tables()
    assert read(Scope(paper))["datasets"].num_rows == 2
    assert not Scope(other).file.exists()


def test_the_command_builds_and_tells(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    there(a_dataset(world.session)).tags.add(Tag.objects.create(name="paper"))
    call_command("cache_tables")
    assert "1 sessions, 1 datasets, 0 insertions" in capsys.readouterr().out
    call_command("cache_tables", "--tag", "paper", "--json")
    [said] = json.loads(capsys.readouterr().out)
    assert (said["is_new"], said["database_tags"], said["tables"]["datasets"]["nrecs"]) == (True, ["paper"], 1)
    call_command("cache_tables")
    assert capsys.readouterr().out.count("unchanged since") == 2
    with pytest.raises(CommandError, match="no such tag"):
        call_command("cache_tables", "--tag", "nothing")


# ---- over HTTP


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_info_says_when_whence_and_where(world: World) -> None:
    there(a_dataset(world.session))
    for path in ("cache/info", "cache/info/"):
        answer = world.rest.get(path)
        assert answer.status_code == 200
        info = answer.json()
        assert set(info) == {"date_created", "origin", "min_api_version", "tables", "location"}
        assert {name: table["nrecs"] for name, table in info["tables"].items()} == {
            "sessions": 1, "datasets": 1, "insertions": 0
        }  # fmt: skip
        assert info["location"] == "http://testserver/cache.zip"
    zipped = zipfile.ZipFile(io.BytesIO(content(world.rest.get("cache.zip"))))
    assert {name: table["size"] for name, table in info["tables"].items()} == {
        name: zipped.getinfo(f"{name}.pqt").file_size for name in info["tables"]
    }
    assert json.loads(zipped.read("cache_info.json"))["date_created"] == info["date_created"]


@pytest.mark.parametrize("name", ["paper", "2024/Q1 #paper? 100%", "info"])
def test_a_tag_has_info_and_zip_of_its_own(world: World, name: str) -> None:
    there(a_dataset(world.session, "in.paper.npy")).tags.add(Tag.objects.create(name=name))
    there(a_dataset(world.session, "not.tagged.npy"))
    info = world.rest.get(f"cache/info/{quote(name)}").json()
    assert info["database_tags"] == [name]
    assert info["tables"]["datasets"]["nrecs"] == 1
    by_location = content(world.rest.get(info["location"].removeprefix("http://testserver/")))
    assert by_location == content(world.rest.get(f"cache/{quote(name)}.zip"))
    assert zipfile.ZipFile(io.BytesIO(by_location)).testzip() is None


def test_unknown_tags_are_a_404(world: World) -> None:
    for path in ("cache/info/nothing", "cache/nothing.zip", "cache/info/a%00b"):
        answer = world.rest.get(path)
        assert answer.status_code == 404
        assert "tag" in answer.json()["detail"]


def test_ranges_lengths_and_etags(world: World) -> None:
    there(a_dataset(world.session))
    whole = world.rest.client.get("/cache.zip")
    data = content(whole)
    assert whole["Content-Length"] == str(len(data))
    part = world.rest.client.get("/cache.zip", headers={"Range": "bytes=10-19"})
    assert (part.status_code, content(part)) == (206, data[10:20])
    known = world.rest.client.get("/cache.zip", headers={"If-None-Match": whole["ETag"]})
    assert known.status_code == 304


def test_a_proxy_may_send_the_zip(world: World, settings: Any) -> None:
    settings.ALYX_ACCEL = "/protected-data"
    answer = world.rest.get("cache.zip")
    assert answer["X-Accel-Redirect"] == f"/protected-data{EVERYTHING.file}"
    assert answer.content == b""


def test_without_login_there_is_nothing(world: World) -> None:
    for path in ("/cache/info", "/cache.zip"):
        assert Client().get(path).status_code == 403


def test_the_public_account_gets_what_is_tagged_public(world: World) -> None:
    release, secret = Tag.objects.create(name="release", public=True), Tag.objects.create(name="secret")
    there(a_dataset(world.session, "in.release.npy")).tags.add(release)
    there(a_dataset(a_session(world.session.subject, number=2), "in.secret.npy")).tags.add(secret)
    reader = Rest(User.objects.create_user("everybody", is_public_user=True))
    assert reader.get("cache/info").json()["tables"]["sessions"]["nrecs"] == 1
    tables = zipfile.ZipFile(io.BytesIO(content(reader.get("cache.zip"))))
    found = pq.read_table(io.BytesIO(tables.read("datasets.pqt")))
    assert found["rel_path"].to_pylist() == ["alf/probe00/in.release.npy"]
    assert reader.get("cache/info/release").status_code == 200
    assert reader.get("cache/info/secret").status_code == 404
    assert reader.get("cache/secret.zip").status_code == 404
    assert world.rest.get("cache/info").json()["tables"]["datasets"]["nrecs"] == 2


def test_a_large_registry_asks_to_wait_and_has_the_job_build(
    world: World, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(cache_tables, "SMALL", -2)
    with django_capture_on_commit_callbacks() as nudges:
        answer = world.rest.get("cache/info")
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert len(nudges) == 1
    build_cache_tables(EVERYTHING.message)
    assert world.rest.get("cache/info").status_code == 200
