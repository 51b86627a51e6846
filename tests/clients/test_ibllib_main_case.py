"""The main case of `copy_lifecycle`: stock ibllib 4.1.0 registers, the night copies and proves, ONE loads, the lab purges."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from demo.served import Served
from demo.story import Story
from tests.clients.conftest import night
from tests.clients.ibllib_env import HEADLESS, ibllib_python
from tests.clients.registry import Registry

pytestmark = pytest.mark.clients

ANNOUNCED = {("announced", 1)}
"""By day nobody looks: the file may still be on its way."""
CASE = Path(__file__).with_name("ibllib_case.py")


@dataclass
class Machine:
    """A computer with stock ibllib and a Globus endpoint (or none), on which a session is played step by step."""

    state: Path

    @property
    def facts(self) -> dict[str, Any]:
        """What it knows."""
        return dict(json.loads(self.state.read_text()))

    def know(self, **facts: Any) -> None:
        """Tell it more."""
        self.state.write_text(json.dumps({**(self.facts if self.state.exists() else {}), **facts}))

    def play(self, step: str) -> Mapping[str, Any]:
        """One step; what it has to tell."""
        command = [str(ibllib_python()), str(CASE), step, "--state", str(self.state)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(command, capture_output=True, text=True, env={**environment, **HEADLESS}, check=False)
        assert done.returncode == 0, f"{step}:\n{(done.stdout + done.stderr)[-4000:]}"
        return dict(self.facts["answers"][step])

    @property
    def session_path(self) -> Path:
        """Where its session lies."""
        facts = self.facts
        return Path(facts["root"], facts["subject"], facts["date"], facts["number"])


@pytest.fixture
def machine(lab: Story, tmp_path: Path) -> Callable[..., Machine]:
    """A maker of machines: by default the lab's server."""

    def make(name: str, **facts: Any) -> Machine:
        made = Machine(tmp_path / f"{name}.json")
        made.know(
            url=lab.url,
            data_url=lab.data_url,
            user=lab.rig_user,
            password=lab.rig_password,
            home=str(tmp_path / name / "home"),
            cache=str(tmp_path / name / "cache"),
            root=lab.lab_folder,
            repository=lab.lab_repository,
            endpoint=lab.lab_endpoint,
            project=lab.project,
            rig=lab.location,
            subject=lab.subjects[0],
            number="001",
            collection="raw_task_data_00",
            trials=60,
            seed=1,
        )
        made.know(**facts)
        return made

    return make


@pytest.fixture
def elsewhere(lab: Story, machine: Callable[..., Machine]) -> Callable[[str], Mapping[str, Any]]:
    """What an analyst gets who loads a session into an empty cache."""

    def load(eid: str) -> Mapping[str, Any]:
        place = machine(
            f"analyst-{uuid4().hex[:6]}", user=lab.analyst_user, password=lab.analyst_password, root="", endpoint=None
        )
        place.know(answers={"register_session": {"eid": eid}})
        return place.play("load")

    return load


@pytest.fixture(scope="module")
def registry(served: Served) -> Iterator[Registry]:
    """The truth."""
    reader = Registry(served)
    yield reader
    reader.close()


def ids(answer: Mapping[str, Any]) -> dict[str, str]:
    """Path below the session → dataset id."""
    return {path: record["id"] for path, record in answer["datasets"].items()}


def exist(answer: Mapping[str, Any]) -> set[tuple[str, bool]]:
    """What the answer to a registration says of each repository."""
    records = [record for dataset in answer["datasets"].values() for record in dataset["file_records"]]
    return {(record["data_repository"], record["exists"]) for record in records}


def holds(folder: Path, md5: str, below: str = "") -> list[Path]:
    """The files below a folder that hold these bytes."""
    files = [file for file in folder.rglob("*") if file.is_file() and below in file.as_posix()]
    return [file for file in files if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == md5]


def test_the_main_case_end_to_end(
    served: Served, lab: Story, registry: Registry, machine: Callable[..., Machine], elsewhere: Any
) -> None:
    server = machine("server", date="2026-02-02", start="2026-02-02T10:11:12.345678")
    recorded = server.play("record")["files"]

    session = server.play("register_session")["session"]
    assert session["start_time"] == "2026-02-02T10:11:12.345678"
    assert (session["n_trials"], session["number"], session["lab"]) == (60, 1, lab.lab)
    assert session["task_protocol"] == "_iblrig_tasks_trainingChoiceWorld8.24.5"
    assert session["location"] == lab.location
    assert session["procedures"] == ["Behavior training/tasks"]
    assert session["json"]["IBLRIG_VERSION"] == "8.24.5"
    assert server.play("register_session")["eid"] == session["id"], "registering again finds the same session"

    announced = server.play("announce")
    raw = ids(announced)
    assert set(raw) == {path for path in recorded if path.startswith("raw")}
    assert {there for _, there in exist(announced)} == {False}
    assert registry.states(raw.values(), lab.lab_repository) <= ANNOUNCED
    assert registry.states(raw.values(), lab.central_repository) <= {("expected", 1), ("no record", 0)}
    assert ids(server.play("announce")) == raw, "announcing again changes nothing"

    made = server.play("outputs")
    extracted = ids(made)
    assert len(extracted) == 4
    assert {there for _, there in exist(made)} == {False}

    night(served)
    everything = [*raw.values(), *extracted.values()]
    assert registry.states(everything, lab.central_repository) == {("verified", 1)}
    copies = registry.copies(raw.values())
    for path, dataset in raw.items():
        assert copies[dataset][lab.central_repository].md5 == recorded[path], path
        assert dataset in copies[dataset][lab.central_repository].stored_path
    assert set(registry.states(everything, lab.lab_repository)) <= {("verified", 1), ("claimed", 1)}
    loaded = elsewhere(session["id"])
    assert {path: recorded[path] for path in raw}.items() <= loaded["loaded"].items()
    assert len(loaded["loaded"]) == len(everything)

    patch = server.play("patch")
    dataset = extracted["alf/_ibl_trials.choice.npy"]
    assert list(ids(patch).values()) == [dataset], "the same dataset, with new bytes"
    assert registry.states([dataset], lab.central_repository) == {("superseded", 1)}
    night(served)
    assert registry.states([dataset], lab.central_repository) == {("verified", 2)}
    again = elsewhere(session["id"])
    assert again["loaded"]["alf/_ibl_trials.choice.npy"] == patch["new_md5"]
    assert again["choice"] == np.load(server.session_path / "alf/_ibl_trials.choice.npy").tolist()
    assert again["choice"] == (-np.array(loaded["choice"])).tolist()
    central = Path(lab.central_folder)
    (old,) = holds(central, patch["old_md5"])
    assert "trash" in old.relative_to(central).as_posix(), "the old bytes lie in the trash, and nowhere else"
    assert [file.name for file in holds(central, patch["new_md5"])] == [f"_ibl_trials.choice.{dataset}.npy"]

    server.know(to_purge=[path for path in raw if path.startswith("raw_task_data_00")])
    told = server.play("purge")["told"]
    night(served)
    states = registry.copies([each["dataset"] for each in told.values()])
    for path, each in told.items():
        copy = states[each["dataset"]]
        assert copy[lab.central_repository][:2] == ("verified", 1), path
        assert copy[lab.lab_repository].state in ({"withdrawn"} if each["how"] == "delete" else {"suspect", "missing"})
        assert not (server.session_path / path).exists(), "the night does not fill a lab's disk"
    assert elsewhere(session["id"])["loaded"] == again["loaded"]


def test_files_that_nobody_hashed_are_hashed_by_the_night(
    served: Served, lab: Story, registry: Registry, machine: Callable[..., Machine], elsewhere: Any
) -> None:
    server = machine("server", date="2026-02-03", start="2026-02-03T09:00:00", collection="raw_behavior_data")
    recorded = server.play("record")["files"]
    eid = server.play("register_session")["eid"]
    datasets = ids(server.play("announce_unhashed"))
    assert len(datasets) == len(recorded)
    night(served)
    rows = registry.datasets(datasets.values())
    for path, dataset in datasets.items():
        assert (rows[dataset]["hash_state"], rows[dataset]["md5"]) == ("observed", recorded[path])
        assert rows[dataset]["content_version"] == 1
    assert registry.states(datasets.values(), lab.central_repository) == {("verified", 1)}
    assert elsewhere(eid)["loaded"] == {path: recorded[path] for path in datasets}


def test_files_registered_without_a_repository_are_found_at_the_labs_own(
    served: Served, lab: Story, registry: Registry, machine: Callable[..., Machine], elsewhere: Any
) -> None:
    computer = machine("rig", date="2026-02-04", start="2026-02-04T09:00:00", endpoint=None)
    recorded = computer.play("record")["files"]
    registered = computer.play("register_session_with_files")
    datasets = ids(registered)
    assert set(datasets) == set(recorded)
    assert registry.states(datasets.values(), lab.lab_repository) <= ANNOUNCED
    assert ids(computer.play("register_session_with_files")) == datasets
    night(served)
    assert registry.states(datasets.values(), lab.central_repository) == {("verified", 1)}
    assert elsewhere(registered["eid"])["loaded"] == recorded


def test_two_rigs_that_both_numbered_their_session_001_are_seen_and_lose_nothing(
    served: Served, lab: Story, registry: Registry, machine: Callable[..., Machine], tmp_path: Path
) -> None:
    first = machine("first", date="2026-02-05", start="2026-02-05T09:00:00")
    one = first.play("record")["files"]
    eid = first.play("register_session")["eid"]
    datasets = ids(first.play("announce"))
    night(served)
    assert registry.states(datasets.values(), lab.central_repository) == {("verified", 1)}

    other_root, endpoint = served.var / "second_rig" / lab.lab / "Subjects", str(uuid4())
    other_root.mkdir(parents=True)
    registry.add_repository(name="second_rig_server", like=lab.lab_repository, root=str(other_root), endpoint=endpoint)
    second = machine(
        "second",
        date="2026-02-05",
        start="2026-02-05T15:30:00",
        root=str(other_root),
        endpoint=endpoint,
        rig=lab.other_location,
        seed=2,
    )
    two = second.play("record")["files"]
    assert second.play("register_session")["eid"] == eid, "one session, not two"
    assert [flag for flag in registry.flags(eid) if "collision" in flag["rule"]], "a person is told"
    assert ids(second.play("announce_again")) == datasets
    night(served)

    central = Path(lab.central_folder)
    copies = registry.copies(datasets.values())
    for path, dataset in datasets.items():
        if one[path] == two[path]:
            continue
        assert copies[dataset][lab.central_repository][:3] == ("verified", 2, two[path]), path
        assert any("trash" in file.as_posix() for file in holds(central, one[path])), (
            "the first bytes survive centrally"
        )
        assert (first.session_path / path).exists(), "and where they were recorded"
        assert (second.session_path / path).exists()
