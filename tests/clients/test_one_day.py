"""Stock ONE-api 3.6.1: listing, loading, registering again, protection."""

import hashlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import requests

from demo import recordings
from demo.served import Served
from demo.story import Story
from tests.clients.conftest import START, Day, a_day, administrator, night

pytestmark = pytest.mark.clients


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def status(refused: "pytest.ExceptionInfo[requests.HTTPError]") -> int:
    assert refused.value.response is not None
    return refused.value.response.status_code


# ---- listing and loading


def test_every_registered_dataset_is_listed_once(day: Day, analyst: Any) -> None:
    assert analyst.list_datasets(day.eid) == sorted(day.arrays)
    assert sorted(analyst.list_collections(day.eid)) == ["alf", "alf/probe00"]
    assert sorted(analyst.list_revisions(day.eid)) == ["", recordings.REVISION]
    assert analyst.list_datasets(day.eid, collection="alf/probe00") == [
        f"alf/probe00/spikes.{attribute}.npy" for attribute in ("amps", "clusters", "times")
    ]


def test_everything_loads_back_bit_for_bit(day: Day, analyst: Any) -> None:
    for relative, answer in day.registered.items():
        array = analyst.load_dataset_from_id(UUID(answer["id"]))
        wanted = day.arrays[relative]
        assert array.dtype == wanted.dtype
        assert array.tobytes() == wanted.tobytes(), relative


def test_objects_and_collections_load(day: Day, analyst: Any) -> None:
    spikes = analyst.load_object(day.eid, "spikes")
    assert set(spikes) == {"times", "clusters", "amps"}
    np.testing.assert_array_equal(spikes["clusters"], day.arrays["alf/probe00/spikes.clusters.npy"])
    trials = analyst.load_object(day.eid, "trials", collection="alf")
    np.testing.assert_array_equal(trials["choice"], day.arrays["alf/_ibl_trials.choice.npy"])
    assert set(analyst.load_collection(day.eid, "alf/probe00")) == {"spikes"}
    names = ["spikes.times.npy", "spikes.amps.npy"]
    (times, amps), infos = analyst.load_datasets(day.eid, names, collections="alf/probe00")
    assert times.size == amps.size
    assert [info["exists"] for info in infos] == [True, True]


def test_the_default_revision_is_what_was_registered_last_and_the_first_remains(day: Day, analyst: Any) -> None:
    name = "_ibl_leftCamera.times.npy"
    newest = analyst.load_dataset(day.eid, name)
    np.testing.assert_array_equal(newest, day.arrays[f"alf/#{recordings.REVISION}#/{name}"])
    first = analyst.load_dataset(day.eid, name, revision="2025-12-31")
    np.testing.assert_array_equal(first, day.arrays[f"alf/{name}"])


def test_a_file_that_rotted_in_the_analysts_cache_is_fetched_again(day: Day, analyst: Any) -> None:
    file = analyst.load_dataset(day.eid, "spikes.clusters.npy", download_only=True)
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert analyst.load_dataset(day.eid, "spikes.clusters.npy", download_only=True).read_bytes() == good


def test_a_dataset_that_is_not_there_is_said_in_the_clients_own_words(day: Day, analyst: Any) -> None:
    from one.alf.exceptions import ALFObjectNotFound

    with pytest.raises(ALFObjectNotFound):
        analyst.load_dataset(day.eid, "spikes.depths.npy")


def test_the_served_files_are_closed_to_those_who_do_not_log_in(day: Day, analyst: Any) -> None:
    url = analyst.path2url(analyst.eid2path(day.eid) / "alf/probe00/spikes.times.npy")
    anonymous = requests.get(url, timeout=30)
    assert anonymous.status_code == 401
    assert anonymous.headers["WWW-Authenticate"].startswith("Basic ")


def test_served_files_can_be_asked_for_in_part(day: Day, lab: Story, analyst: Any) -> None:
    url = analyst.path2url(analyst.eid2path(day.eid) / "alf/probe00/spikes.times.npy")
    content = (day.path / "alf/probe00/spikes.times.npy").read_bytes()
    credentials = (lab.analyst_user, lab.analyst_password)
    part = requests.get(url, headers={"Range": "bytes=10-19"}, auth=credentials, timeout=30)
    assert (part.status_code, part.content) == (206, content[10:20])
    whole = requests.get(url, auth=credentials, timeout=30)
    assert int(whole.headers["Content-Length"]) == len(content) == len(whole.content)


def test_datasets_of_a_type_and_types_of_datasets(day: Day, analyst: Any) -> None:
    assert list(analyst.type2datasets(day.eid, "spikes.times")) == ["alf/probe00/spikes.times.npy"]
    both = analyst.type2datasets(day.eid, ["spikes.times", "spikes.amps"])
    assert list(both) == ["alf/probe00/spikes.amps.npy", "alf/probe00/spikes.times.npy"]
    assert analyst.dataset2type(UUID(day.registered["alf/probe00/spikes.times.npy"]["id"])) == "spikes.times"


def test_types_and_revisions_describe_themselves(day: Day, analyst: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyst.describe_dataset("spikes.times")["name"] == "spikes.times"
    assert analyst.describe_dataset("spikes.times.npy")["name"] == "spikes.times"
    assert len(analyst.describe_dataset()) > 100
    assert analyst.describe_revision(recordings.REVISION, full=True)["name"] == recordings.REVISION
    capsys.readouterr()
    assert analyst.describe_revision("never") is None
    assert "not found" in capsys.readouterr().out


def test_an_instance_without_cache_tables_is_survived(day: Day, analyst: Any) -> None:
    analyst.load_cache()
    assert analyst.mode == "remote"
    assert day.eid in list(analyst.search(subject=day.path.parts[-3]))


# ---- registering again


def test_registering_the_same_files_twice_changes_nothing(day: Day, lab: Story, rig: Any) -> None:
    files = [day.path / relative for relative in day.registered]
    before = rig.alyx.rest("datasets", "list", session=str(day.eid))
    again = day.client.register_files(files, repository=lab.lab_repository, versions="1.2.3", default=False)
    assert [answer["id"] for answer in again] == [answer["id"] for answer in day.registered.values()]
    after = rig.alyx.rest("datasets", "list", session=str(day.eid))
    copies = [{each["url"]: (each["hash"], each["file_records"]) for each in records} for records in (before, after)]
    assert copies[0] == copies[1]


def test_two_revisions_of_a_file_in_one_call_leave_one_default(day: Day, lab: Story, rig: Any) -> None:
    name = "_ibl_leftCamera.times.npy"
    files = [day.path / "alf" / name, day.path / "alf" / f"#{recordings.REVISION}#" / name]
    answers = day.client.register_files(files, repository=lab.lab_repository)
    assert [answer["id"] for answer in answers] == [
        day.registered[path]["id"] for path in (f"alf/{name}", f"alf/#{recordings.REVISION}#/{name}")
    ]
    records = rig.alyx.rest("datasets", "list", session=str(day.eid), name=name)
    assert sorted(record["default_dataset"] for record in records) == [False, True]


def test_a_file_of_an_unknown_type_is_left_to_the_client_to_skip(day: Day, lab: Story) -> None:
    file = day.path / "alf" / "no.such.type.npy"
    np.save(file, np.zeros(1))
    assert day.client.register_files([file], repository=lab.lab_repository) == [None]


def test_an_unknown_repository_is_a_400_that_names_it(day: Day) -> None:
    file = day.path / "alf/probe00/spikes.times.npy"
    with pytest.raises(requests.HTTPError) as refused:
        day.client.register_files([file], repository="nowhere")
    assert status(refused) == 400
    assert "nowhere" in str(refused.value)


def test_patched_bytes_reach_the_analyst_after_the_night(served: Served, day: Day, lab: Story, analyst: Any) -> None:
    relative = "alf/probe00/spikes.amps.npy"
    name = "spikes.amps.npy"
    old = analyst.load_dataset(day.eid, name)
    new = recordings.corrected(old)
    np.save(day.path / relative, new)
    (answer,) = day.client.register_files([day.path / relative], repository=lab.lab_repository)
    assert answer["id"] == day.registered[relative]["id"]
    night(served)
    loaded = analyst.load_dataset(day.eid, name)
    assert loaded.tobytes() == new.tobytes() != old.tobytes()
    np.save(day.path / relative, old)  # as the other tests know it
    day.client.register_files([day.path / relative], repository=lab.lab_repository)
    night(served)
    assert analyst.load_dataset(day.eid, name).tobytes() == old.tobytes()


# ---- protection


def test_a_protected_dataset_is_moved_to_a_new_revision_by_the_client(served: Served, lab: Story, rig: Any) -> None:
    day = a_day(served, lab, rig, START + timedelta(weeks=2))  # other tests list all that is in the one they share
    relative = "alf/_ibl_wheel.position.npy"
    dataset = day.registered[relative]["id"]
    assert day.client.check_protected_files([day.path / relative])[0]["status_code"] == 200
    administrator(served).rest("tags", "create", data={"name": "2026_Q1.paper", "protected": True})
    rig.alyx.rest("datasets", "partial_update", id=dataset, data={"tags": ["2026_Q1.paper"]})
    (checked,) = day.client.check_protected_files([day.path / relative])
    assert checked["status_code"] == 403
    assert checked["details"] == [{relative: [{"": True}]}]
    content = (day.path / relative).read_bytes()
    np.save(day.path / relative, np.zeros(4))
    (answer,) = day.client.register_files([day.path / relative], repository=lab.lab_repository)
    assert answer["id"] != dataset
    assert answer["revision"] == date.today().isoformat()
    assert not (day.path / relative).exists()
    (day.path / relative).write_bytes(content)
    record = rig.alyx.rest("datasets", "read", id=dataset)
    assert record["hash"] == md5(day.path / relative)
    with pytest.raises(requests.HTTPError) as refused:
        rig.alyx.rest("datasets", "delete", id=dataset)
    assert status(refused) == 403
