"""A failpoint kills exactly where and when it is told to, and is nothing otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alyx.core import failpoints

PROGRAM = """
from alyx.core.failpoints import declare, failpoint
one, two = declare("one"), declare("two")
for _ in range(4):
    failpoint(one)
    print("one", flush=True)
    failpoint(two)
"""


def run(tmp_path: Path, names: str, *, once: bool = False) -> tuple[int, int]:
    """(return code, how often the first place was passed alive)."""
    extra = {"ALYX_FAILPOINTS_ONCE": str(tmp_path / "once")} if once else {}
    environment = {**os.environ, "ALYX_FAILPOINTS": names, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    environment.pop("ALYX_FAILPOINTS_ONCE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment | extra, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.count("one")


@pytest.mark.parametrize(
    ("names", "code", "passed"),
    [
        ("", 0, 4),
        ("other", 0, 4),
        ("one", -signal.SIGKILL, 0),
        ("one:3", -signal.SIGKILL, 2),
        ("two", -signal.SIGKILL, 1),
        ("other, two:2", -signal.SIGKILL, 2),
        ("one:9", 0, 4),
    ],
)
def test_it_kills_at_the_place_and_passing_named(tmp_path: Path, names: str, code: int, passed: int) -> None:
    assert run(tmp_path, names) == (code, passed)


def test_a_place_noted_as_passed_does_not_kill_the_restarted_process(tmp_path: Path) -> None:
    assert run(tmp_path, "one,two", once=True)[0] == -signal.SIGKILL
    assert run(tmp_path, "one,two", once=True)[0] == -signal.SIGKILL
    assert run(tmp_path, "one,two", once=True) == (0, 4)


def test_a_name_is_declared_once() -> None:
    failpoints.declare("test.once")
    try:
        with pytest.raises(ValueError, match="twice"):
            failpoints.declare("test.once")
    finally:
        failpoints.DECLARED.discard("test.once")
