"""Copying with proof against `cp` + `sync` + one real read of the copy through the same digests.

    python benchmarks/copy_with_proof.py [--rounds 5] [--where FOLDER]

Both ways in the same run, taking turns, each on a cold source (its pages are dropped before) and an empty destination;
"real read" means that the copy's pages are dropped too before it is hashed. Ours is the whole way of the engine's
storage side: canaries, staging, sync, read-back, comparison, atomic names, folders synced. Uses about 0.6 GB in FOLDER.
"""

import argparse
import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from transfers.backends.base import Content, FileSpec, JobSpec, Moved, Promoted, Proved
from transfers.backends.posix import PosixBackend
from transfers.backends.posix.calls import drop_cache
from transfers.backends.posix.content import hash_file

CASES = {"2 files of 128 MiB": (2, 128 << 20), "10,000 files of 10 kB": (10_000, 10_000)}
FILES_PER_FOLDER = 250
LIMIT = 1.3


def make_source(folder: Path, count: int, size: int) -> list[FileSpec]:
    """Files as sessions have them, and what the registry knows of them."""
    noise, specs = random.Random(1), []
    for number in range(count):
        path = f"lab/Subjects/s{number // FILES_PER_FOLDER:03d}/2026-11-20/001/alf/f{number:05d}.npy"
        data = noise.randbytes(size)
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        specs.append(FileSpec(str(number), path, path, Content(size, md5, hashlib.sha256(data).hexdigest())))
    return specs


def forget(folder: Path) -> None:
    """Synced, and out of the page cache."""
    os.sync()
    for file in folder.rglob("*.npy"):
        with file.open("rb") as opened:
            drop_cache(opened.fileno())


def baseline(source: Path, target: Path, specs: list[FileSpec]) -> None:
    """What anybody would do by hand."""
    subprocess.run(["cp", "-r", str(source / "lab"), str(target / "lab")], check=True)
    subprocess.run(["sync"], check=True)
    for spec in specs:
        fd = os.open(target / spec.final_path, os.O_RDONLY)
        try:
            drop_cache(fd)
            assert spec.content.matches(hash_file(fd, os.fstat(fd)))
        finally:
            os.close(fd)


def ours(source: Path, target: Path, specs: list[FileSpec]) -> None:
    """The engine's way."""
    here, there = PosixBackend(source, "bench-source"), PosixBackend(target, "bench-target")
    there.establish_canary("bench-target")
    job = JobSpec(there.prepare(), 1, tuple(specs), date(2026, 11, 20))
    sent = there.send(here, job).outcomes
    assert all(isinstance(outcome, Moved) for outcome in sent.values())
    proofs = {key: proof for key, proof in there.prove(here, job).items() if isinstance(proof, Proved)}
    done = there.promote(job, proofs)
    assert len(done) == len(specs)
    assert all(isinstance(outcome, Promoted) for outcome in done.values())
    there.release(job)


def timed(
    way: Callable[[Path, Path, list[FileSpec]], None], source: Path, target: Path, specs: list[FileSpec]
) -> float:
    """Seconds of one run on a cold source and an empty target."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    forget(source)
    start = time.perf_counter()
    way(source, target, specs)
    return time.perf_counter() - start


def one_round(source: Path, target: Path, specs: list[FileSpec], *, swapped: bool) -> tuple[float, float]:
    """Seconds by hand and with proof; `swapped`: ours goes first."""
    if swapped:
        proved = timed(ours, source, target, specs)
        return timed(baseline, source, target, specs), proved
    return timed(baseline, source, target, specs), timed(ours, source, target, specs)


def main() -> int:
    """Print one row for each case; 1 when a ratio is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--where", type=Path, default=None)
    options = parser.parse_args()
    worst = 0.0
    print("| case | cp + sync + read | with proof | ratio | limit | rounds |")
    print("|---|---|---|---|---|---|")
    for name, (count, size) in CASES.items():
        with tempfile.TemporaryDirectory(dir=options.where) as folder:
            source, target = Path(folder) / "source", Path(folder) / "target"
            source.mkdir()
            PosixBackend(source, None).establish_canary("bench-source")
            specs = make_source(source, count, size)
            rounds = [one_round(source, target, specs, swapped=bool(turn % 2)) for turn in range(options.rounds)]
        by_hand, proved = (statistics.median(times) for times in zip(*rounds, strict=True))
        ratio = statistics.median(mine / theirs for theirs, mine in rounds)
        worst = max(worst, ratio)
        print(f"| {name} | {by_hand:.2f} s | {proved:.2f} s | {ratio:.2f} | {LIMIT} | {options.rounds} |", flush=True)
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
