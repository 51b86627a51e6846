"""The rig: records and registers by the stock RegistrationClient. `python -m demo.rig record|patch STORY`."""

import hashlib
import sys
import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from demo import recordings
from demo.connection import connect
from demo.story import RegisteredFile, Story, say

ZONE = ZoneInfo("Europe/London")


def record(client: Any, story: Story) -> None:
    """Two sessions of today: write their files on the lab's server and register them."""
    today = datetime.now(ZONE).replace(tzinfo=None, microsecond=0)  # noqa: TID251 a rig has only its own clock
    started = min(today, today.replace(hour=9, minute=30, second=0))
    plays = zip(story.subjects, (recordings.first_session, recordings.second_session), strict=True)
    for number, (subject, make) in enumerate(plays):
        start = started + timedelta(minutes=number)
        path, session = client.create_new_session(
            subject,
            session_root=story.lab_folder,
            date=start,
            start_time=start,
            task_protocol="demo_choiceWorld1.0.0",
            projects=[story.project],
            location=story.location,
            file_list=False,
        )
        files = recordings.write(Path(path), make(seed=number))
        first = [file for file in files if "#" not in str(file)]
        done = _register(client, story, str(session), Path(path), first)
        done += _register(client, story, str(session), Path(path), [file for file in files if file not in first])
        megabytes = sum(one.size_bytes for one in done) / 1e6
        name = f"{subject}/{start.date()}/{Path(path).name}"
        say("rig", f"recorded {name}: {len(done)} files, {megabytes:.1f} MB, registered with MD5 and size")
        story.files += done


def patch(client: Any, story: Story) -> None:
    """Correct one file in place and register it again: same dataset, new bytes."""
    one = next(one for one in story.files if one.relative == recordings.TO_PATCH)
    file = Path(one.file)
    story.patched, story.patched_old_md5 = one.dataset, one.md5
    np.save(file, recordings.corrected(np.load(file)))
    (again,) = _register(client, story, one.session, _session_path(one), [file])
    if again.dataset != one.dataset or again.md5 == one.md5:
        raise SystemExit(f"registering {one.relative} again made another dataset, or the bytes did not change")
    story.files[story.files.index(one)] = again
    say("rig", f"{one.relative} had a wrong gain: corrected, registered again as the same dataset")
    say("rig", f"  MD5 {one.md5[:8]}… is now {again.md5[:8]}…")


def _register(client: Any, story: Story, session: str, path: Path, files: Sequence[Path]) -> list[RegisteredFile]:
    if not files:
        return []
    answers = client.register_files(list(files), repository=story.lab_repository, versions="1.0.0")
    registered = []
    for file, answer in zip(files, answers, strict=True):
        if answer is None:
            raise SystemExit(f"the client did not register {file}: no dataset type or format matches its name")
        md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        relative = file.relative_to(path).as_posix()
        registered.append(RegisteredFile(answer["id"], session, relative, str(file), md5, file.stat().st_size))
    return registered


def _session_path(one: RegisteredFile) -> Path:
    return Path(one.file.removesuffix(f"/{one.relative}"))


def main() -> None:
    """Play the act named on the command line, and write down what happened."""
    act, file = sys.argv[1], Path(sys.argv[2])
    story = Story.read(file)
    warnings.simplefilter("error", UserWarning)  # ONE warns of what a server does not offer: not acceptable here
    home = Path(story.homes) / "rig"
    one = connect(
        url=story.url,
        data_server=story.data_url,
        username=story.rig_user,
        password=story.rig_password,
        home=home,
        cache=home / "cache",
    )
    from one.registration import RegistrationClient  # noqa: PLC0415 after HOME is set

    {"record": record, "patch": patch}[act](RegistrationClient(one), story)
    story.write(file)


if __name__ == "__main__":
    main()
