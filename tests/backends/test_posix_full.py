"""A full, a read-only and a failing disk: real small file systems where we may mount them, else the system's own answer."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backends.rig import NAME, bytes_of, code
from tests.backends.test_posix import PosixRig
from transfers.backends.base import Failure, Moved, Promoted
from transfers.backends.posix import sending
from transfers.rules.errors import ErrorCode, Side


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; skips where we may not mount one."""
    disk = tmp_path / "destination"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "alyx-test", str(disk)], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"no small disk: {mount.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def rig(tmp_path: Path) -> PosixRig:
    return PosixRig.below(tmp_path)


def test_a_full_disk_blocks_the_repository_and_leaves_nothing_at_the_final_names(
    small_disk: Path, tmp_path: Path
) -> None:
    rig = _rig_on(small_disk, tmp_path)
    specs = [rig.spec(bytes_of(900_000, i), f"lab/{i}.npy", str(i)) for i in range(4)]
    sent = rig.destination.send(rig.source, rig.job(*specs)).outcomes
    assert [sent["0"], sent["1"]] == [Moved(900_000)] * 2
    for key in ("2", "3"):
        outcome = sent[key]
        assert isinstance(outcome, Failure)
        assert (outcome.code, outcome.side) == (ErrorCode.NO_SPACE, Side.DESTINATION)
    assert not (small_disk / "lab").exists()


def test_after_room_was_made_the_same_job_goes_through(small_disk: Path, tmp_path: Path) -> None:
    rig = _rig_on(small_disk, tmp_path)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    job = rig.job(rig.spec(bytes_of(900_000)))
    assert code(rig.carry(job)["1"]) is ErrorCode.NO_SPACE
    ballast.unlink()
    assert rig.carry(replace(job, fence=2)) == {"1": Promoted()}


def test_a_read_only_disk_is_the_repositorys_failure(small_disk: Path, tmp_path: Path) -> None:
    rig = _rig_on(small_disk, tmp_path)
    remounted = subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=False)
    if remounted.returncode:
        pytest.skip("may not mount read-only")
    assert rig.destination.probe().read_only
    assert code(rig.carry(rig.job(rig.spec(b"abc")))["1"]) is ErrorCode.READ_ONLY


def _rig_on(disk: Path, tmp_path: Path) -> PosixRig:
    return PosixRig.of(tmp_path / "source", disk)


@pytest.mark.parametrize(
    ("number", "expected", "side"),
    [
        (28, ErrorCode.NO_SPACE, Side.DESTINATION),
        (122, ErrorCode.NO_SPACE, Side.DESTINATION),
        (5, ErrorCode.IO_ERROR, Side.BETWEEN),
        (116, ErrorCode.UNREACHABLE, Side.BETWEEN),
        (9999, ErrorCode.UNKNOWN, Side.BETWEEN),
    ],
)
def test_an_error_while_copying_is_named_and_leaves_nothing_staged(
    rig: PosixRig, monkeypatch: pytest.MonkeyPatch, number: int, expected: ErrorCode, side: Side
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, "made for the test")

    monkeypatch.setattr(sending, "copy", fail)
    job = rig.job(rig.spec(b"abc"))
    outcome = rig.carry(job)["1"]
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.side) == (expected, side)
    assert not rig.staged(job, "1").exists()
    assert rig.get(NAME) is None


def test_a_failed_sync_means_that_nothing_was_moved(rig: PosixRig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "made for the test")

    monkeypatch.setattr(os, "fsync", fail)
    assert code(rig.destination.send(rig.source, rig.job(rig.spec(b"abc"))).outcomes["1"]) is ErrorCode.IO_ERROR
