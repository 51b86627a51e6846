"""A lab server and a histology desk played by ibllib 4.1.0's own code, all in one process. Runs in the environment of ibllib_env.

    python ibllib_pipeline.py --state FILE

FILE as for ibllib_case. What each step tells, or the traceback it ended with, is left in FILE under `answers`.
No data of IBL is needed: the atlas is a block of CA1 below the bregma plane, 25 µm voxels, made by iblatlas's own class.
"""

import argparse
import json
import traceback
from pathlib import Path

import numpy as np
from ibllib_case import Case, record

REGION = 382
"""CA1."""


def a_session(case):
    """A new session lies on the lab server; nobody has registered it."""
    files = record(case)["files"]
    (case.session_path / "raw_session.flag").touch()
    return {"files": files}


def local_server_creates_its_jobs(case):
    """`local_server.job_creator` registers the session and makes the tasks of its pipeline."""
    from ibllib.pipes import local_server

    (pipe,), _ = local_server.job_creator(case.root, one=case.client)
    case.eid = str(pipe.eid)
    again = pipe.create_alyx_tasks()
    assert not (case.session_path / "raw_session.flag").exists()
    return {"eid": case.eid, "tasks": [task["name"] for task in again], "ids": [task["id"] for task in again]}


def local_server_asks_for_its_queue(case):
    """`local_server.task_queue`, as the workers of a lab server do."""
    from ibllib.pipes import local_server

    queue = local_server.task_queue(mode="all", alyx=case.client.alyx, lab=[case.lab])
    own = local_server.task_queue(mode="small", alyx=case.client.alyx)  # its lab by its Globus endpoint
    case.queue = [task for task in queue if task["session"] == case.eid]
    return {"queued": [task["name"] for task in case.queue], "small": [task["name"] for task in own]}


def local_server_runs_tasks(case):
    """`local_server.tasks_runner`: those that register raw data. Extraction would need a real recording."""
    from ibllib.pipes import local_server

    raw = [task for task in case.queue if "Register" in task["executable"]]
    registered = local_server.tasks_runner(case.root, raw, one=case.client, count=20)
    ended = case.client.alyx.rest("tasks", "list", session=case.eid, no_cache=True)
    ids = {task["id"] for task in raw}
    return {
        "asked": [task["name"] for task in raw],
        "ended": {task["name"]: [task["status"], task["log"][-2000:]] for task in ended if task["id"] in ids},
        "registered": sorted("/".join(filter(None, (one["collection"], one["name"]))) for one in registered),
    }


def local_server_fails_a_task_and_holds_the_next(case):
    """`run_alyx_task`: extraction of a made-up video fails; what depends on it is held."""
    from ibllib.pipes.tasks import run_alyx_task

    child = next(task for task in case.queue if task["parents"] and "Register" not in task["executable"])
    deck = case.client.alyx.rest("tasks", "list", session=case.eid, no_cache=True)
    parents = [task for task in deck if task["id"] in child["parents"]]
    for parent in parents:
        case.client.alyx.rest("tasks", "partial_update", id=parent["id"], data={"status": "Errored"})
    held, _ = run_alyx_task(tdict=child, session_path=case.session_path, one=case.client)
    return {"status": held["status"]}


def quality_of_a_session(case):
    """`qc.base.QC` of a session: extended QC with gaps, a worse outcome, a better one, one that overrides."""
    from ibllib.qc.base import QC

    qc = QC(case.eid, one=case.client)
    qc.update_extended_qc({"_task_a": 0.5, "_task_b": np.nan, "_task_c": (1.0, np.nan), "task": "PASS"})
    outcomes = [qc.update("WARNING", namespace="task").name, qc.update("PASS", namespace="video").name]
    outcomes.append(qc.update("PASS", namespace="experimenter", override=True).name)
    return {"outcomes": outcomes, "computed": qc.compute_outcome_from_extended_qc().name}


def probes_are_announced(case):
    """`create_alyx_probe_insertions`, and again by force; their QC lives in JSON."""
    from ibllib.pipes.misc import create_alyx_probe_insertions
    from ibllib.qc.base import QC

    made, forced = (
        create_alyx_probe_insertions(case.eid, one=case.client, model="3B2", labels=["probe00", "probe01"], force=force)
        for force in (False, True)
    )
    case.pids = [one["id"] for one in made]
    qc = QC(case.pids[0], one=case.client, endpoint="insertions")
    return {
        "pids": case.pids,
        "forced": [one["id"] for one in forced],
        "outcomes": [qc.update("WARNING").name, qc.update("PASS").name],
    }


def tracks_are_registered(case):
    """`register_track` with picks, again without and with `overwrite`, and an empty track."""
    from ibllib.pipes.histology import register_track

    first, second = case.pids
    arguments = {"one": case.client, "brain_atlas": case.atlas}
    locations, insertion = register_track(first, picks=case.picks, **arguments)
    try:
        register_track(first, picks=case.picks, **arguments)
        refused = False
    except FileExistsError:
        refused = True
    register_track(first, picks=case.picks, overwrite=True, **arguments)
    register_track(second, picks=None, **arguments)
    return {"channels": len(locations["id"]), "depth": insertion.depth * 1e6, "refused": refused}


def tracks_are_registered_from_files(case):
    """`register_track_files` finds the insertion by the name of the file, or makes it."""
    from ibllib.pipes.histology import register_track_files

    folder = Path(case.home) / "tracks"
    folder.mkdir(parents=True, exist_ok=True)
    for probe in ("probe01", "probe02"):
        file = folder / f"{case.date}_{case.subject}_{case.number}_{probe}_pts.csv"
        voxels = case.atlas.bc.xyz2i(case.picks)  # as the tracing program writes them: back to front first
        np.savetxt(file, np.c_[527 - voxels[:, 1], voxels[:, 0], voxels[:, 2]], delimiter=",")
    register_track_files(folder, one=case.client, overwrite=True, brain_atlas=case.atlas)
    return {"names": [one["name"] for one in case.client.alyx.rest("insertions", "list", session=case.eid)]}


def an_alignment_is_judged(case):
    """`register_aligned_track` and `AlignmentQC`: one alignment, then a second, then one of them by hand."""
    from ibllib.pipes.histology import interpolate_along_track, register_aligned_track
    from ibllib.qc.alignment_qc import AlignmentQC
    from neuropixel import trace_header

    pid = case.pids[0]
    header = trace_header(version=1)
    places = np.c_[header["x"], header["y"]]
    channels = interpolate_along_track(case.picks[np.argsort(case.picks[:, 2])], places[:, 1] / 1e6)
    register_aligned_track(pid, channels, chn_coords=places, one=case.client, overwrite=True, brain_atlas=case.atlas)
    (track,) = case.client.alyx.rest(
        "trajectories", "list", probe_insertion=pid, provenance="Ephys aligned histology track", no_cache=True
    )
    feature = [-1e-3, 0.0, 3e-3]
    one = {f"2026-01-0{day}T12:00:00_{case.user}": [feature, feature, "PASS: None"] for day in (1, 2)}
    case.client.alyx.rest("trajectories", "partial_update", id=track["id"], data={"probe_insertion": pid, "json": one})
    clusters = np.arange(0, 384, 4)
    judged = AlignmentQC(pid, one=case.client, brain_atlas=case.atlas)
    judged.load_data(cluster_chns=clusters, chn_coords=places)
    judged.run(update=True, upload_alyx=True, upload_flatiron=False)
    judged.update_experimenter_evaluation(prev_alignments=one)
    by_hand = AlignmentQC(pid, one=case.client, brain_atlas=case.atlas)
    by_hand.load_data(cluster_chns=clusters, chn_coords=places)
    by_hand.resolve_manual(min(one), force=True, upload_flatiron=False)
    insertion = case.client.alyx.rest("insertions", "read", id=pid, no_cache=True)
    return {"json": insertion["json"]}


def a_chronic_probe_is_registered(case):
    """`register_chronic_track`: picks for the chronic insertion and for each of its insertions."""
    from ibllib.pipes.histology import register_chronic_track

    alyx = case.client.alyx
    body = {"name": "probe00", "subject": case.subject, "lab": case.lab, "model": "3B2", "serial": ""}
    chronic = alyx.rest("chronic-insertions", "create", data=body)
    alyx.rest("insertions", "partial_update", id=case.pids[0], data={"chronic_insertion": chronic["id"]})
    register_chronic_track(chronic["id"], picks=case.picks, one=case.client, overwrite=True, brain_atlas=case.atlas)
    (read,) = alyx.rest("chronic-insertions", "list", id=chronic["id"], no_cache=True)
    return {"json": read["json"], "insertions": [one["id"] for one in read["probe_insertion"]]}


def critical_reasons_are_noted(case):
    """`critical_reasons` of an insertion (twice), of a session, and a task that is signed off."""
    from ibllib.qc import critical_reasons as reasons

    alyx, pid = case.client.alyx, case.pids[0]
    for _ in range(2):
        reasons.main_gui(pid, [reasons.CriticalInsertionNote.descriptions_gui[0]], alyx=alyx)
    reasons.CriticalSessionNote(case.eid, alyx).upload_note(nums="0,1")
    signed = reasons.TaskSignOffNote(case.eid, alyx, "_trainingChoiceWorld_00")
    signed.upload_note(nums="0")
    notes = {"insertion": pid, "session": case.eid}
    return {
        **{name: [one["text"] for one in alyx.rest("notes", "list", django=f"object_id,{key}", no_cache=True)]
           for name, key in notes.items()},
        "signed": alyx.rest("sessions", "read", id=case.eid, no_cache=True)["json"]["sign_off_checklist"],
    }  # fmt: skip


def snapshots_are_registered(case):
    """`plots.snapshot.Snapshot`: an image with JSON, replaced by another of the same name; one of an insertion."""
    import matplotlib.pyplot as plt
    from ibllib.plots.snapshot import Snapshot

    file = Path(case.home) / "raster.png"
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])
    figure.savefig(file)
    notes = []
    for key, kind in ((case.eid, "session"), (case.eid, "session"), (case.pids[0], "probeinsertion")):
        snapshot = Snapshot(key, content_type=kind, one=case.client)
        notes += snapshot.register_images([file], texts=["raster"], jsons=[{"name": "raster"}], widths=["orig"])
    kept = case.client.alyx.rest("notes", "list", django=f"object_id,{case.eid},text,raster", no_cache=True)
    return {"made": [one["id"] for one in notes], "kept": [one["id"] for one in kept], "image": notes[-1]["image"]}


def training_status_is_written(case):
    """What `training_status` and behaviour reports ask and write: the animal's lab, sessions and criteria."""
    alyx = case.client.alyx
    (animal,) = alyx.rest("subjects", "list", nickname=case.subject)
    criteria = {"trained_criteria": {"in_training": [case.date, case.eid]}}
    alyx.json_field_update("subjects", case.subject, data=criteria)
    alyx.json_field_update("subjects", case.subject, data={"other": 1})
    return {"lab": animal["lab"], "json": alyx.rest("subjects", "read", id=case.subject, no_cache=True)["json"]}


def health_is_reported(case):
    """`local_server.report_health` writes into the JSON of this machine's repository. Its data disk is the root here."""
    from ibllib.pipes import local_server

    disk = local_server._get_volume_usage
    local_server._get_volume_usage = lambda volume, label: disk("/", label)
    try:
        local_server.report_health(case.client.alyx)
    finally:
        local_server._get_volume_usage = disk
    return {"json": case.client.alyx.rest("data-repository", "read", id=case.repository, no_cache=True)["json"]}


def a_dataset_is_patched_away(case):
    """`IBLGlobusPatcher.delete_dataset` up to where Globus would delete: it reads the dataset and the tags' `is_protected`."""
    from ibllib.oneibl.patcher import IBLGlobusPatcher

    alyx = case.client.alyx
    (dataset,) = alyx.rest("datasets", "list", session=case.eid, name="_iblrig_taskData.raw.jsonable", no_cache=True)
    (record,) = [one for one in dataset["file_records"] if one["data_repository"] == case.repository]
    alyx.rest("files", "partial_update", id=record["id"], data={"exists": True})
    alyx.rest("datasets", "partial_update", id=dataset["url"][-36:], data={"tags": [case.tag]})
    patcher = IBLGlobusPatcher.__new__(IBLGlobusPatcher)  # without logging in to Globus
    patcher.alyx, patcher.endpoints = alyx, {case.repository: {}}
    tasks, files = patcher.delete_dataset(dataset["url"][-36:], dry=True)
    return {"tasks": tasks, "files": {name: list(map(str, paths)) for name, paths in files.items()}}


STEPS = (
    a_session,
    local_server_creates_its_jobs,
    local_server_asks_for_its_queue,
    local_server_runs_tasks,
    local_server_fails_a_task_and_holds_the_next,
    quality_of_a_session,
    probes_are_announced,
    tracks_are_registered,
    tracks_are_registered_from_files,
    an_alignment_is_judged,
    a_chronic_probe_is_registered,
    critical_reasons_are_noted,
    snapshots_are_registered,
    training_status_is_written,
    health_is_reported,
    a_dataset_is_patched_away,
)


def a_block():
    """An atlas of one region: everything below z = 0 is CA1."""
    from iblatlas.atlas import BrainAtlas
    from iblatlas.regions import BrainRegions

    regions = BrainRegions()
    label = np.zeros((528, 240, 240), np.int16)  # AP, ML, DV
    label[:, :, 20:220] = int(np.flatnonzero(regions.id == REGION)[0])
    voxel, axes = 25e-6 * np.array([1, -1, -1]), [1, 0, 2]
    atlas = BrainAtlas(label, label, voxel, regions, iorigin=[120, 264, 20], dims2xyz=axes, xyz2dims=axes)
    atlas.res_um = 25
    return atlas


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    file = parser.parse_args().state
    facts = json.loads(file.read_text())
    case = Case(facts)
    case.client, case.atlas = case.one(), a_block()
    case.picks = np.c_[np.full(6, -2e-3), np.linspace(-2e-3, -2.4e-3, 6), np.linspace(-5e-5, -4.5e-3, 6)]
    answers = facts["answers"] = {}
    for step in STEPS:
        try:
            answers[step.__name__] = step(case)
        except Exception:  # noqa: BLE001  (the other steps are told too)
            answers[step.__name__] = {"failed": traceback.format_exc()}
    file.write_text(json.dumps(facts, indent=1, default=str))


if __name__ == "__main__":
    main()
