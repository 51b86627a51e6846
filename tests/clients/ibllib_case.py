"""A rig and a lab server played by stock ibllib 4.1.0, one step at a time. Runs in the environment of ibllib_env.

    python ibllib_case.py STEP --state FILE

FILE is a JSON object: `url data_url user password home cache root subject date number rig start collection trials seed
project repository to_purge`.
HOME decides which Globus Connect endpoint, and so which repository, ibllib takes this machine for: `endpoint` (may be
null) is written there. What a step has to tell is left in FILE under `answers`.
"""

import argparse
import hashlib
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np


def record(case):
    """What iblrig leaves on disk: settings, trials, encoder, camera, and the description of the experiment."""
    session = case.session_path
    behaviour = session / case.collection
    video = session / "raw_video_data"
    behaviour.mkdir(parents=True, exist_ok=True)
    video.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(case.seed)
    start = datetime.fromisoformat(case.start)
    trials = list(bpod_trials(rng, case.trials))
    seconds = trials[-1]["behavior_data"]["Trial end timestamp"]
    settings = task_settings(case, start, start + timedelta(seconds=float(seconds)))
    (behaviour / "_iblrig_taskSettings.raw.json").write_text(json.dumps(settings, indent=1))
    with (behaviour / "_iblrig_taskData.raw.jsonable").open("w") as lines:
        lines.writelines(json.dumps(trial) + "\n" for trial in trials)
    ticks = np.sort(rng.integers(0, int(seconds * 1e6), 4000))
    positions = np.cumsum(rng.integers(-3, 4, ticks.size))
    rows = "\n".join(f"P {tick} {position}" for tick, position in zip(ticks, positions, strict=True))
    (behaviour / "_iblrig_encoderPositions.raw.ssv").write_text(rows + "\n")
    events = "\n".join(f"E {tick} {rng.integers(1, 4)}" for tick in ticks[::40])
    (behaviour / "_iblrig_encoderEvents.raw.ssv").write_text(events + "\n")
    frames = np.arange(int(seconds) * 30)
    (video / "_iblrig_leftCamera.raw.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + rng.bytes(200_000))
    stamps = "\n".join(f"{start + timedelta(seconds=float(f / 30)):%Y-%m-%dT%H:%M:%S.%f}0+00:00 {f}" for f in frames)
    (video / "_iblrig_leftCamera.timestamps.ssv").write_text(stamps + "\n")
    np.column_stack([frames] * 4).astype(np.float64).tofile(video / "_iblrig_leftCamera.frameData.bin")
    if case.collection != "raw_behavior_data":  # rigs before version 8 wrote no description
        (session / "_ibl_experiment.description.yaml").write_text(description(case))
    files = sorted(file for file in session.rglob("*") if file.is_file())
    return {"files": {file.relative_to(session).as_posix(): md5(file) for file in files}}


def register_session(case):
    """As iblrig does at the end of a session: the session only, the files later."""
    session, _ = case.registrar().register_session(case.session_path, file_list=False, register_reward=False)
    return {"eid": session["id"], "session": session}


def register_session_with_files(case):
    """The old way: session and files in one go, naming no repository."""
    session, records = case.registrar().register_session(case.session_path, file_list=True, register_reward=False)
    return {"eid": session["id"], "datasets": named(records)}


def announce(case, **more):
    """As the lab server does when it finds a session: raw files are announced."""
    from ibllib.oneibl.registration import register_session_raw_data

    files, records = register_session_raw_data(case.session_path, one=case.one(), **more)
    names = [Path(file).relative_to(case.session_path).as_posix() for file in files]
    return {"files": names, "datasets": named(records)}


def announce_unhashed(case):
    """Files above the client's limit are not hashed: nulls."""
    return announce(case, max_md5_size=1)


def announce_again(case):
    """A second recording in the same place, registered over the first."""
    return announce(case, overwrite=True)


def outputs(case):
    """Run "extraction" and register what it made by the data handler of a lab server (`exists=False`)."""
    rng = np.random.default_rng([case.seed, 7])
    n = case.trials
    starts = np.cumsum(rng.uniform(2, 5, n))
    case.save("alf/_ibl_trials.intervals.npy", np.column_stack([starts, starts + 1.5]))
    case.save("alf/_ibl_trials.choice.npy", rng.choice([-1, 1], n))
    case.save("alf/_ibl_wheel.position.npy", np.cumsum(rng.normal(size=20_000)))
    case.save("alf/_ibl_wheel.timestamps.npy", np.arange(20_000) / 1000)
    return upload(case, sorted(case.session_path.glob("alf/*.npy")))


def patch(case):
    """Extraction had a mistake: one output is made again and registered again."""
    file = case.session_path / "alf/_ibl_trials.choice.npy"
    old = md5(file)
    np.save(file, -np.load(file))
    return {**upload(case, [file]), "old_md5": old, "new_md5": md5(file), "file": file.name}


def load(case):
    """Somebody else loads everything there is of the session, by ONE, into an empty cache."""
    one = case.one()
    eid = str(case.answers["register_session"]["eid"])
    listed = one.list_datasets(eid, details=True)
    loaded = {}
    for dataset, row in listed.iterrows():
        loaded[row["rel_path"]] = md5(one.load_dataset_from_id(dataset, download_only=True))
    choice = one.load_dataset(eid, "_ibl_trials.choice.npy") if "alf/_ibl_trials.choice.npy" in loaded else None
    return {"loaded": loaded, "choice": None if choice is None else choice.tolist()}


def purge(case):
    """The lab needs its disk: files are removed, then the registry is told, half by PATCH and half by DELETE."""
    one = case.one()
    told = {}
    for number, relative in enumerate(sorted(case.to_purge)):
        file = case.session_path / relative
        file.unlink()
        (dataset,) = one.alyx.rest("datasets", "list", session=case.answers["register_session"]["eid"], name=file.name)
        (record,) = [each for each in dataset["file_records"] if each["data_repository"] == case.repository]
        if number % 2:
            one.alyx.rest("files", "delete", id=record["id"])
        else:
            one.alyx.rest("files", "partial_update", id=record["id"], data={"exists": False})
        told[relative] = {"dataset": dataset["url"][-36:], "how": "delete" if number % 2 else "patch"}
    return {"told": told}


STEPS = (
    record,
    register_session,
    register_session_with_files,
    announce,
    announce_unhashed,
    announce_again,
    outputs,
    patch,
    load,
    purge,
)


class Case:
    """The facts of the state file, and what the steps need."""

    def __init__(self, facts):
        self.facts = facts
        home = Path(facts["home"])
        os.environ["HOME"] = str(home)
        endpoint = home / ".globusonline" / "lta" / "client-id.txt"
        endpoint.unlink(missing_ok=True)
        if facts.get("endpoint"):
            endpoint.parent.mkdir(parents=True, exist_ok=True)
            endpoint.write_text(facts["endpoint"] + "\n")
        home.mkdir(parents=True, exist_ok=True)

    def __getattr__(self, name):
        return self.facts[name]

    @property
    def session_path(self):
        return Path(self.root, self.subject, self.date, self.number)

    def save(self, relative, array):
        file = self.session_path / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array)

    def one(self):
        import one.params
        from one.api import ONE

        one.params.setup(client=self.url, silent=True, username=self.user, cache_dir=self.cache, make_default=True)
        settings = one.params.get(client=self.url, silent=True)
        for key, value in {"SERVER": self.data_url, "SERVER_LOGIN": self.user, "SERVER_PWD": self.password}.items():
            settings = settings.set(f"HTTP_DATA_{key}", value)
        one.params.save(settings, self.url)
        return ONE(base_url=self.url, username=self.user, password=self.password, silent=True, cache_rest=None)

    def registrar(self):
        from ibllib.oneibl.registration import IBLRegistrationClient

        return IBLRegistrationClient(self.one())


def upload(case, files):
    from ibllib.oneibl.data_handlers import ServerDataHandler

    handler = ServerDataHandler(case.session_path, {"input_files": [], "output_files": []}, one=case.one())
    return {"datasets": named(handler.uploadData(list(files), version="4.1.0"))}


def named(records):
    """`collection/name` → the answer to its registration."""
    return {"/".join(filter(None, (one["collection"], one["name"]))): one for one in records if one}


def md5(file):
    return hashlib.md5(Path(file).read_bytes(), usedforsecurity=False).hexdigest()


def bpod_trials(rng, n):
    """Trials as Bpod reports them, in seconds since its start."""
    clock = 0.0
    correct = 0
    for number in range(1, n + 1):
        length = float(rng.uniform(2, 5))
        right = bool(rng.random() < 0.8)
        correct += right
        yield {
            "trial_num": number,
            "trial_correct": right,
            "ntrials_correct": correct,
            "position": float(rng.choice([-35.0, 35.0])),
            "contrast": float(rng.choice([1.0, 0.25, 0.125, 0.0625])),
            "stim_probability_left": 0.5,
            "reward_amount": 0.0,
            "water_delivered": 0.0,
            "behavior_data": {
                "Bpod start timestamp": 0.0,
                "Trial start timestamp": clock,
                "Trial end timestamp": clock + length,
                "States timestamps": {"trial_start": [[0.0, 0.1]], "reward" if right else "error": [[1.2, 1.3]]},
                "Events timestamps": {"Tup": [length], "BNC1High": [0.5, 1.2]},
            },
        }
        clock += length


def task_settings(case, start, end):
    """The keys that ibllib reads, as iblrig 8 writes them; no weight, no reward."""
    return {
        "ALYX_USER": case.user,
        "AUTOMATIC_CALIBRATION": True,
        "IBLRIG_VERSION": "8.24.5",
        "IS_MOCK": False,
        "MAIN_SYNC": False,
        "POOP_COUNT": 3,
        "PROJECTS": [],
        "PYBPOD_PROTOCOL": "_iblrig_tasks_trainingChoiceWorld",
        "RIG_NAME": case.rig,
        "SESSION_DELAY_START": 0,
        "SESSION_END_TIME": end.isoformat(),
        "SESSION_NUMBER": int(case.number),
        "SESSION_START_TIME": start.isoformat(),
        "SUBJECT_NAME": case.subject,
        "device_sound": {"OUTPUT": "harp"},
    }


def description(case):
    return f"""devices:
  cameras:
    left: {{collection: raw_video_data, sync_label: audio}}
procedures: [Behavior training/tasks]
projects: [{case.project}]
sync:
  bpod: {{collection: {case.collection}}}
tasks:
- _iblrig_tasks_trainingChoiceWorld: {{collection: {case.collection}, sync_label: bpod}}
version: 1.0.0
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=[step.__name__ for step in STEPS])
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    facts = json.loads(options.state.read_text())
    step = next(step for step in STEPS if step.__name__ == options.step)
    facts.setdefault("answers", {})[options.step] = step(Case(facts))
    options.state.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
