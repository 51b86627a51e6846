"""Stock ONE-api 3.6.1: searching and loading from the cache tables, with and without the server."""

import logging
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.exports.cache_tables import EVERYTHING, build
from demo.connection import connect
from demo.served import Served
from demo.story import Story
from tests.clients.conftest import START, Day, a_day, administrator
from tests.factories.copies import a_copy
from tests.factories.recordings import an_insertion
from tests.factories.records import a_dataset, a_repository, a_session

pytestmark = pytest.mark.clients

TAG = "2026_Q1_Somebody_et_al"
SPIKES = "alf/probe00/spikes.times.npy"


@pytest.fixture(scope="module")
def day(served: Served, lab: Story, rig: Any) -> Day:
    """A day of our own: other tests add files to the one they share."""
    return a_day(served, lab, rig, START + timedelta(weeks=1))


@pytest.fixture(scope="module")
def tables(day: Day, served: Served) -> dict[str, Any]:
    """The tables of the day's datasets, as the command made them."""
    made: list[dict[str, Any]] = served.manage_json("cache_tables", "--json")
    return made[0]


@pytest.fixture(scope="module")
def one(tables: dict[str, Any], lab: Story, home: Path) -> Any:
    """ONE with the tables and no file yet."""
    client = connect(
        url=lab.url,
        data_server=lab.data_url,
        username=lab.analyst_user,
        password=lab.analyst_password,
        home=home,
        cache=home / "local",
    )
    client.load_cache()
    assert client.mode == "remote"
    return client


@pytest.fixture
def said_by_one(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """ONE's own messages."""
    logger = logging.getLogger("one.api")
    before, level = logger.propagate, logger.level
    logger.propagate = True
    caplog.set_level(logging.INFO, "one.api")
    yield caplog
    logger.propagate = before
    logger.setLevel(level)


def test_the_tables_are_those_that_one_makes_of_answers(one: Any, day: Day, tables: dict[str, Any]) -> None:
    from one.alf.cache import EMPTY_DATASETS_FRAME, EMPTY_SESSIONS_FRAME

    for name, empty in (("sessions", EMPTY_SESSIONS_FRAME), ("datasets", EMPTY_DATASETS_FRAME)):
        table = one._cache[name]
        assert len(table) == tables["tables"][name]["nrecs"] > 0
        assert list(table.index.names) == list(empty.index.names)
        assert set(empty.columns) <= set(table.columns)
        assert table.index.is_monotonic_increasing
    types = one._cache.datasets.dtypes
    assert types["file_size"] == EMPTY_DATASETS_FRAME.dtypes["file_size"]
    assert types["qc"] == EMPTY_DATASETS_FRAME.dtypes["qc"]
    assert types["exists"] == EMPTY_DATASETS_FRAME.dtypes["exists"]


def test_one_searches_and_lists_in_the_tables_as_it_does_on_the_server(one: Any, day: Day, lab: Story) -> None:
    for terms in (
        {"subject": lab.subjects[0], "date_range": "2026-03-16"},
        {"lab": lab.lab, "number": 1, "task_protocol": "one_day"},
        {"projects": lab.project, "datasets": ["spikes.times.npy", "_ibl_wheel.position.npy"]},
    ):
        found = one.search(query_type="local", **terms)
        assert day.eid in found
        assert set(found) == set(one.search(query_type="remote", **terms))
    assert one.search(subject="nobody", query_type="local") == []
    assert one.search(subject=lab.subjects[0], datasets="spikes.depths.npy", query_type="local") == []
    listed = one.list_datasets(day.eid, query_type="local")
    assert listed == one.list_datasets(day.eid, query_type="remote")
    assert listed == sorted(day.arrays)
    assert one.eid2path(day.eid, query_type="local") == one.eid2path(day.eid, query_type="remote")
    local, remote = (one.list_datasets(day.eid, details=True, query_type=each) for each in ("local", "remote"))
    for column in ("rel_path", "file_size", "hash", "exists", "default_revision"):
        assert local.sort_index()[column].tolist() == remote.sort_index()[column].tolist(), column


def test_what_was_loaded_once_is_there_without_a_server(one: Any, day: Day, lab: Story) -> None:
    from one.api import One

    wanted = day.arrays[SPIKES]
    times = one.load_dataset(day.eid, "spikes.times.npy", collection="alf/probe00", query_type="local")
    np.testing.assert_array_equal(times, wanted)
    alone = One(cache_dir=one.cache_dir, mode="local")
    assert alone.offline
    [eid] = alone.search(subject=lab.subjects[0], date_range="2026-03-16", number=1)
    assert eid == day.eid
    np.testing.assert_array_equal(alone.load_object(eid, "spikes", attribute="times")["times"], wanted)


def test_tables_are_fetched_again_when_they_are_newer_and_only_then(
    one: Any, day: Day, served: Served, said_by_one: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        one.load_cache()
        messages = [record.getMessage() for record in said_by_one.records]
        said_by_one.clear()
        return messages

    assert "No newer cache available" in told()
    [again] = served.manage_json("cache_tables", "--json")
    assert not again["is_new"]
    assert "No newer cache available" in told()
    spikes = day.registered[SPIKES]["id"]
    administrator(served).rest("datasets", "partial_update", id=spikes, data={"qc": "WARNING"})
    [changed] = served.manage_json("cache_tables", "--json")
    assert changed["is_new"]
    assert "Downloading remote caches..." in told()
    rows = one._cache.datasets.loc[day.eid]
    assert rows.loc[rows["rel_path"] == SPIKES, "qc"].tolist() == ["WARNING"]
    assert "No newer cache available" in told()


def test_the_tables_of_a_tag_hold_its_datasets_only(day: Day, lab: Story, served: Served, home: Path) -> None:
    admin = administrator(served)
    admin.rest("tags", "create", data={"name": TAG})
    admin.rest("datasets", "partial_update", id=day.registered[SPIKES]["id"], data={"tags": [TAG]})
    reader = connect(
        url=lab.url,
        data_server=lab.data_url,
        username=lab.analyst_user,
        password=lab.analyst_password,
        home=home,
        cache=home / "tagged",
    )
    reader.load_cache(tag=TAG)
    assert reader._tables_dir == home / "tagged" / TAG
    assert reader.search(query_type="local") == [day.eid]
    assert reader.list_datasets(day.eid, query_type="local") == [SPIKES]
    reader.load_cache(tag="nothing_of_the_kind")
    assert reader.mode == "remote"


@pytest.mark.django_db
def test_odd_rows_and_probes_are_found_in_the_tables_alone(tmp_path: Path, settings: Any) -> None:
    from one.api import One

    settings.ALYX_CACHE_DIR = str(tmp_path / "made")
    odd, other = a_session(task_protocol=""), a_session()
    central = a_repository(role="central")
    unknown = {"size_bytes": None, "md5": "", "hash_state": "pending"}
    a_copy(a_dataset(odd, "a.b.npy", collection="raw", **unknown), central)
    a_copy(a_dataset(odd, "c.d.npy", qc=50), central)
    named, plain = an_insertion(odd, "probe00", serial="18194"), an_insertion(other, "probe01")
    build()
    with zipfile.ZipFile(EVERYTHING.file) as zipped:
        zipped.extractall(tmp_path / "one")
    one = One(cache_dir=tmp_path / "one", mode="local")
    assert set(one.search()) == {odd.pk, other.pk}
    assert one.search(datasets="a.b.npy") == [odd.pk]
    assert one.search(datasets="c.d.npy", dataset_qc_lte="FAIL") == []
    assert one.search(task_protocol="trainingChoiceWorld") == [other.pk]
    assert one.list_datasets(odd.pk) == ["raw/a.b.npy"]
    assert one.list_datasets(odd.pk, qc="CRITICAL") == ["alf/probe00/c.d.npy", "raw/a.b.npy"]
    assert len(one.list_datasets(other.pk)) == 0
    probes = one._cache["insertions"]  # ONE's own search among them finds nothing: it joins on the wrong `id`
    assert probes.loc[odd.pk, "serial"].to_dict() == {named.pk: "18194"}
    assert probes.loc[other.pk, "name"].to_dict() == {plain.pk: "probe01"}
