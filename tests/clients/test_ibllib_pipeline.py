"""ibllib 4.1.0's own pipeline, quality control and histology code against a served instance; see ibllib_pipeline."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from demo.served import Served
from demo.story import Story
from tests.clients.conftest import administrator
from tests.clients.ibllib_env import HEADLESS, ibllib_python

pytestmark = [pytest.mark.clients, pytest.mark.once]

STEPS = Path(__file__).with_name("ibllib_pipeline.py")
TAG = "2026_Q2.pipeline"
REGISTERED = {
    "_ibl_experiment.description.yaml",
    "raw_task_data_00/_iblrig_encoderEvents.raw.ssv",
    "raw_task_data_00/_iblrig_encoderPositions.raw.ssv",
    "raw_task_data_00/_iblrig_taskData.raw.jsonable",
    "raw_task_data_00/_iblrig_taskSettings.raw.json",
    "raw_video_data/_iblrig_leftCamera.frameData.bin",
}
PICKS = 6


@pytest.fixture(scope="module")
def told(served: Served, lab: Story, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What each step told."""
    admin = administrator(served)
    admin.rest("tags", "create", data={"name": TAG})
    if "Fileserver" not in {one["name"] for one in admin.rest("data-repository-type", "list")}:
        admin.rest("data-repository-type", "create", data={"name": "Fileserver"})
    admin.rest("data-repository", "partial_update", id=lab.lab_repository, data={"repository_type": "Fileserver"})
    folder = tmp_path_factory.mktemp("pipeline")
    state = folder / "state.json"
    facts = {
        "url": lab.url, "data_url": lab.data_url, "user": lab.rig_user, "password": lab.rig_password,
        "home": str(folder / "home"), "cache": str(folder / "cache"), "root": lab.lab_folder, "lab": lab.lab,
        "repository": lab.lab_repository, "endpoint": lab.lab_endpoint, "project": lab.project, "rig": lab.location,
        "subject": lab.subjects[0], "date": "2026-07-07", "start": "2026-07-07T10:11:12.345678", "number": "001",
        "collection": "raw_task_data_00", "trials": 60, "seed": 1, "tag": TAG,
    }  # fmt: skip
    state.write_text(json.dumps(facts))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(ibllib_python()), str(STEPS), "--state", str(state)],
        env={**clean, **HEADLESS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return dict(json.loads(state.read_text())["answers"])


@pytest.fixture
def step(told: Mapping[str, Any]) -> Any:
    """What a step told; its traceback if it failed."""

    def of(name: str) -> Any:
        answer = told[name]
        assert "failed" not in answer, answer["failed"]
        return answer

    return of


def test_the_lab_server_registers_a_session_and_makes_the_tasks_of_its_pipeline(step: Any, rig: Any) -> None:
    made = step("local_server_creates_its_jobs")
    assert len(set(made["ids"])) == len(made["tasks"]) == 7
    listed = rig.alyx.rest("tasks", "list", session=made["eid"], no_cache=True)
    assert {one["id"] for one in listed} == set(made["ids"]), "making them again makes no others"
    levels = [one["level"] for one in listed]
    assert levels == sorted(levels)


def test_the_queue_of_a_lab_server_is_what_waits_at_its_repository(step: Any) -> None:
    queue, made = step("local_server_asks_for_its_queue"), step("local_server_creates_its_jobs")
    assert set(queue["queued"]) == set(made["tasks"])
    assert set(queue["small"]) == set(made["tasks"]) - {"VideoCompress"}, "by its endpoint, without the large ones"


def test_its_workers_run_tasks_and_register_what_they_find(step: Any, rig: Any) -> None:
    ran = step("local_server_runs_tasks")
    assert len(ran["asked"]) == 3
    for name, (status, log) in ran["ended"].items():
        assert status == "Complete", f"{name}: {log}"
        assert "running ibllib version 4.1.0" in log
    assert set(ran["registered"]) >= REGISTERED
    datasets = rig.alyx.rest("datasets", "list", session=step("local_server_creates_its_jobs")["eid"], no_cache=True)
    assert {"/".join(filter(None, (one["collection"], one["name"]))) for one in datasets} == set(ran["registered"])


def test_a_task_whose_parent_failed_is_held(step: Any) -> None:
    assert step("local_server_fails_a_task_and_holds_the_next") == {"status": "Held"}


def test_quality_of_a_session_only_gets_worse_unless_overridden(step: Any, rig: Any) -> None:
    assert step("quality_of_a_session") == {"outcomes": ["WARNING", "WARNING", "PASS"], "computed": "WARNING"}
    session = rig.alyx.rest("sessions", "read", id=step("local_server_creates_its_jobs")["eid"], no_cache=True)
    assert session["qc"] == "PASS"
    wanted = {"_task_a": 0.5, "_task_b": None, "_task_c": [1.0, None], "task": "WARNING"}
    assert session["extended_qc"] == {**wanted, "video": "PASS", "experimenter": "PASS"}


def test_probes_are_announced_once_and_keep_their_quality_in_json(step: Any) -> None:
    probes = step("probes_are_announced")
    assert probes["forced"] == probes["pids"]
    assert probes["outcomes"] == ["WARNING", "WARNING"]


def test_tracks_become_trajectories_and_channels(step: Any, rig: Any) -> None:
    assert step("tracks_are_registered")["refused"]
    traced, empty = step("probes_are_announced")["pids"]
    (track,) = rig.alyx.rest("trajectories", "list", probe_insertion=traced, provenance="Histology track")
    channels = rig.alyx.rest("channels", "list", trajectory_estimate=track["id"])
    assert len(channels) == step("tracks_are_registered")["channels"] == 384
    assert {one["brain_region"] for one in channels} == {382}
    assert len(rig.alyx.rest("insertions", "read", id=traced)["json"]["xyz_picks"]) == PICKS
    (nothing,) = rig.alyx.rest("insertions", "list", id=empty)
    assert nothing["name"] == "probe01"


def test_tracks_from_files_find_their_insertion_or_make_it(step: Any) -> None:
    assert sorted(step("tracks_are_registered_from_files")["names"]) == ["probe00", "probe01", "probe02"]


def test_alignments_are_judged_and_resolved(step: Any) -> None:
    quality = step("an_alignment_is_judged")["json"]["extended_qc"]
    assert (quality["alignment_count"], quality["alignment_resolved"], quality["experimenter"]) == (2, True, "PASS")
    assert quality["tracing_exists"] is True


def test_a_chronic_probe_has_the_picks_of_its_insertions(step: Any) -> None:
    chronic = step("a_chronic_probe_is_registered")
    assert chronic["insertions"] == step("probes_are_announced")["pids"][:1]
    assert len(chronic["json"]["xyz_picks"]) == PICKS
    assert chronic["json"]["extended_qc"] == {"tracing_exists": True}


def test_critical_reasons_are_one_note_each_and_tasks_are_signed_off(step: Any) -> None:
    noted = step("critical_reasons_are_noted")
    assert (len(noted["insertion"]), len(noted["session"])) == (1, 2)
    assert noted["signed"]["_trainingChoiceWorld_00"]["date"]


def test_a_snapshot_replaces_the_one_of_its_name(step: Any) -> None:
    shown = step("snapshots_are_registered")
    first, second, of_probe = shown["made"]
    assert shown["kept"] == [second]
    assert len({first, second, of_probe}) == 3


def test_json_of_subjects_and_repositories_is_merged_by_the_client(step: Any) -> None:
    trained = step("training_status_is_written")
    assert set(trained["json"]) >= {"trained_criteria", "other"}
    assert step("health_is_reported")["json"]["ibllib_version"] == "4.1.0"


def test_the_delete_patcher_reads_tags_and_copies(step: Any, lab: Story) -> None:
    (path,) = step("a_dataset_is_patched_away")["files"][lab.lab_repository]
    assert path.endswith("_iblrig_taskData.raw.jsonable")
