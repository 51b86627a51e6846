"""SIGKILL at every declared place of the POSIX backend, then a restart: the same end state, whatever the place."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alyx.core.failpoints import DECLARED
from tests.backends.killed_worker import NIGHT
from transfers.backends.posix import PosixBackend

PLACES = sorted(name for name in DECLARED if name.startswith("posix."))
PROJECT = Path(__file__).resolve().parents[2]
LARGE, SMALL = "0123456789abcdef" * 20_000, "small"
FILES = {
    "1": {"path": "lab/a/new_large.npy", "text": LARGE},
    "2": {"path": "lab/a/new_small.npy", "text": SMALL},
    "3": {"path": "lab/b/patched.npy", "text": "newer", "old": "older"},
    "4": {"path": "lab/b/strange.npy", "text": "ours", "old": "never seen"},
}


def prepare(folder: Path) -> None:
    """Two marked roots, the files at the source, two of the names taken at the destination."""
    for name in ("source", "destination"):
        (folder / name).mkdir()
        PosixBackend(folder / name, None).establish_canary(name)
    for file in FILES.values():
        path = folder / "source" / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["text"])
    for name, text in (("patched", "older"), ("strange", "whose?")):
        path = folder / "destination" / f"lab/b/{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "job.json").write_text(json.dumps({"handle": "attempt-1", "files": FILES}))


def start(folder: Path, fence: int, failpoints: str) -> int:
    """Run the worker to its end; its return code."""
    environment = {**os.environ, "ALYX_FAILPOINTS": failpoints, "PYTHONPATH": str(PROJECT)}
    environment.pop("ALYX_FAILPOINTS_ONCE", None)
    command = [sys.executable, "-m", "tests.backends.killed_worker", str(folder), str(fence)]
    return subprocess.run(command, env=environment, check=False, timeout=60).returncode


def stored(folder: Path) -> dict[str, str]:
    """Every file at the destination outside the staging place."""
    root = folder / "destination"
    files = {str(file.relative_to(root)): file.read_text() for file in root.rglob("*") if file.is_file()}
    return {path: text for path, text in files.items() if not path.startswith((".alyx-staging", ".alyx-canary"))}


EXPECTED = {file["path"]: file["text"] for file in FILES.values()} | {
    f".alyx-trash/{NIGHT}/lab/b/patched.npy.v1": "older",
    f".alyx-trash/{NIGHT}/lab/b/strange.npy.unaccounted": "whose?",
}


def final_names_are_whole(folder: Path) -> bool:
    """Each final name holds nothing, the old bytes or the new ones: never a part."""
    found = stored(folder)
    allowed = {path: {None, text} for path, text in EXPECTED.items()}
    allowed["lab/b/patched.npy"] = {"older", "newer"}
    allowed["lab/b/strange.npy"] = {"whose?", "ours"}
    return all(found.get(path) in texts for path, texts in allowed.items()) and set(found) <= set(EXPECTED)


def test_the_matrix_covers_what_the_design_names() -> None:
    assert set(PLACES) >= {
        f"posix.{place}"
        for place in ("mid_write", "after_sync", "after_digest", "before_rename", "after_rename", "after_trash")
    }


@pytest.mark.kill
@pytest.mark.parametrize("restarts", [1, 2])
@pytest.mark.parametrize("passing", [1, 2, 3])
@pytest.mark.parametrize("place", PLACES)
def test_killed_at_a_place_and_restarted_it_ends_in_the_same_state(
    tmp_path: Path, place: str, passing: int, restarts: int
) -> None:
    prepare(tmp_path)
    fence, deaths = 1, 0
    for _ in range(restarts):
        deaths += start(tmp_path, fence, f"{place}:{passing}") == -signal.SIGKILL
        assert final_names_are_whole(tmp_path)
        fence += 1
    if passing == 1:
        assert deaths >= 1
    assert start(tmp_path, fence, "") == 0
    assert stored(tmp_path) == EXPECTED
    assert set(json.loads((tmp_path / "outcomes.json").read_text()).values()) == {"Promoted"}
    staging = tmp_path / "destination" / ".alyx-staging"
    assert [file for file in staging.rglob("*") if file.is_file()] == []
