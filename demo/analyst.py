"""The analyst, elsewhere, with an empty cache: finds and loads by the stock ONE. `python -m demo.analyst STORY`."""

import hashlib
import sys
import warnings
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from demo import recordings
from demo.connection import connect
from demo.story import RegisteredFile, Story, say


def find(one: Any, story: Story) -> list[str]:
    """The sessions of this run, found as anybody would."""
    found = [str(eid) for eid in one.search(lab=story.lab, project=story.project)]
    missing = set(story.sessions) - set(found)
    if missing:
        raise SystemExit(f"one.search did not find {', '.join(sorted(missing))}")
    say("analyst", f"one.search(lab={story.lab!r}, project={story.project!r}) finds {len(found)} sessions")
    return [session for session in story.sessions if session in found]


def load_as_usual(one: Any, session: str) -> int:
    """`list_datasets`, `load_object`, `load_dataset`; the number of things that were not as they should be."""
    names = one.list_datasets(session)
    spikes = one.load_object(session, "spikes")
    parts = ", ".join(sorted(spikes))
    say("analyst", f"one.list_datasets: {len(names)}; one.load_object(…, 'spikes'): {parts} of {len(spikes['times'])}")
    wrong = int(not {"times", "clusters", "amps"} <= set(spikes))
    if any(recordings.REVISION in name for name in names):
        times = one.load_dataset(session, "_ibl_leftCamera.times.npy")
        wanted = recordings.camera(0)[f"alf/#{recordings.REVISION}#/_ibl_leftCamera.times.npy"]
        wrong += int(not identical(times, wanted))
        say("analyst", f"one.load_dataset(…, '_ibl_leftCamera.times.npy') gives the revision {recordings.REVISION}")
    return wrong


def compare(one: Any, story: Story) -> int:
    """Load every dataset by its id; how many are bit for bit what the rig has."""
    equal = 0
    for registered in story.files:
        equal += _same(one, registered)
    fresh = next(each for each in story.files if each.dataset == story.patched)
    say("analyst", f"{fresh.relative} is the patched one: MD5 {fresh.md5[:8]}…, not {story.patched_old_md5[:8]}…")
    return equal


def _same(one: Any, registered: RegisteredFile) -> bool:
    local = one.load_dataset_from_id(UUID(registered.dataset), download_only=True)
    content = Path(local).read_bytes()
    same_bytes = content == Path(registered.file).read_bytes()
    same_bytes &= hashlib.md5(content, usedforsecurity=False).hexdigest() == registered.md5
    if same_bytes and identical(np.load(local), np.load(registered.file)):
        return True
    say("analyst", f"NOT THE SAME: {registered.relative} of session {registered.session}")
    return False


def identical(left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Same type, shape and bits."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def main() -> None:
    """Say what is found and write down how many datasets are equal; the exit code is 0 only if all are."""
    file = Path(sys.argv[1])
    story = Story.read(file)
    warnings.simplefilter("error", UserWarning)
    home = Path(story.homes) / "analyst"
    one = connect(
        url=story.url,
        data_server=story.data_url,
        username=story.analyst_user,
        password=story.analyst_password,
        home=home,
        cache=home / "cache",
    )
    wrong = sum(load_as_usual(one, session) for session in find(one, story))
    story.identical = compare(one, story)
    story.write(file)
    raise SystemExit(0 if story.identical == len(story.files) and not wrong else 1)


if __name__ == "__main__":
    main()
