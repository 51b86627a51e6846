"""Filling a bucket against plain boto3 `upload_file`, on one server with the same bytes.

    python -m benchmarks.s3_throughput [--rounds 5] [--server swift|moto] [--where FOLDER]

In each round, in turns: `upload_file` for each file; the same and then each object read back through MD5 and SHA-256; ours staged
only; ours staged and read back; ours whole (staged, read back, named, the staging place cleared). The server is a process on this
machine (Swift with its S3 interface, or moto), so what it computes counts as well. Read the ratios: of wall time, and of processor
time (ours and the server's), which other programs on the machine disturb less.
"""

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import boto3

from benchmarks.copy_with_proof import make_source
from tests.s3.servers import servers
from transfers.backends.base import FileSpec, JobSpec, Moved, Promoted, Proved
from transfers.backends.posix import PosixBackend
from transfers.backends.s3 import Place, S3Backend

CASES = {"1 file of 96 MiB": (1, 96 << 20), "4 files of 24 MiB": (4, 24 << 20), "40 files of 256 KiB": (40, 256 << 10)}
READ = 1 << 20
MARK = "bench"
LIMIT = 1.1
"""Staging, as a multiple of the processor time of `upload_file`."""


class Bench:
    """One case: a source, its files, and ways to bring them into folders of their own."""

    def __init__(self, source: Path, specs: list[FileSpec], place: Place) -> None:
        self.source, self.specs, self.place = source, specs, place
        session = boto3.Session(profile_name=place.credential, region_name=place.region)
        self.plain = session.client("s3", endpoint_url=place.endpoint)  # as anybody makes one

    def upload_file(self, *, read_back: bool) -> None:
        """What anybody would do."""
        folder = uuid4().hex
        for spec in self.specs:
            self.plain.upload_file(
                str(self.source / spec.source_path), self.place.bucket, f"{folder}/{spec.final_path}"
            )
        if read_back:
            for spec in self.specs:
                md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
                body = self.plain.get_object(Bucket=self.place.bucket, Key=f"{folder}/{spec.final_path}")["Body"]
                while data := body.read(READ):
                    md5.update(data)
                    sha256.update(data)
                assert (md5.hexdigest(), sha256.hexdigest()) == (spec.content.md5, spec.content.sha256)

    def ours(self, *, proof: bool, names: bool = True) -> None:
        """The engine's way, as far as it is asked for."""
        here = PosixBackend(self.source, MARK)
        place = Place(
            self.place.bucket, f"{uuid4().hex}/", self.place.endpoint, self.place.region, self.place.credential
        )
        there = S3Backend(place, MARK)
        there.establish_canary(MARK)
        job = JobSpec(there.prepare(), 1, tuple(self.specs), date(2026, 11, 21))
        sent = there.send(here, job).outcomes
        assert all(isinstance(outcome, Moved) for outcome in sent.values())
        if not proof:
            return
        proofs = {key: one for key, one in there.prove(here, job).items() if isinstance(one, Proved)}
        assert len(proofs) == len(self.specs)
        if not names:
            return
        done = there.promote(job, proofs)
        assert len([one for one in done.values() if isinstance(one, Promoted)]) == len(self.specs)
        there.release(job)


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock on the wall, and of processor time, the server's included."""

    wall: float
    cpu: float


def cost_of(way: Callable[[], None]) -> Cost:
    """What it costs, with the source in the page cache for everybody."""
    began, cpu = time.perf_counter(), cpu_seconds()
    way()
    return Cost(time.perf_counter() - began, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """Of this process and the servers it has started."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == os.getpid():
            ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def one_round(bench: Bench, turn: int) -> dict[str, Cost]:
    """All ways once, each round beginning with another."""
    ways: list[tuple[str, Callable[[], None]]] = [
        ("upload_file", lambda: bench.upload_file(read_back=False)),
        ("+ read", lambda: bench.upload_file(read_back=True)),
        ("staged", lambda: bench.ours(proof=False)),
        ("proved", lambda: bench.ours(proof=True, names=False)),
        ("whole", lambda: bench.ours(proof=True)),
    ]
    order = ways[turn % len(ways) :] + ways[: turn % len(ways)]
    done = {name: cost_of(way) for name, way in order}
    return {name: done[name] for name, _ in ways}


def main() -> int:
    """Print a row for each case; 1 when staging is slower than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", choices=["swift", "moto"], default="swift")
    parser.add_argument("--where", type=Path, default=None)
    parser.add_argument("--only", default="", help="cases that have this in their name")
    options = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory(dir=options.where) as folder:
        for number, (name, (count, size)) in enumerate(CASES.items()):
            if options.only not in name:
                continue
            # a server of its own for each case: what the others stored does not weigh on it
            with tempfile.TemporaryDirectory(dir=folder) as own, servers(Path(own)) as running:
                source = Path(folder) / f"source{number}"
                source.mkdir()
                PosixBackend(source, None).establish_canary(MARK)
                bench = Bench(
                    source,
                    make_source(source, count, size),
                    running.swift if options.server == "swift" else running.versioned,
                )
                one_round(bench, 0)  # clients connected, code loaded
                rounds = [one_round(bench, turn) for turn in range(options.rounds)]
            worst = max(worst, _told(name, rounds))
    return int(worst > LIMIT)


COMPARED = (("staged", "upload_file"), ("proved", "+ read"), ("whole", "+ read"), ("whole", "upload_file"))


def _told(name: str, rounds: list[dict[str, Cost]]) -> float:
    """Print the medians, and the medians of the ratios within a round, of wall and of processor time; staging's of the latter."""
    walls = [f"{statistics.median(one[way].wall for one in rounds):.2f} s" for way in rounds[0]]
    ratios = [
        (
            statistics.median(one[mine].wall / one[theirs].wall for one in rounds),
            statistics.median(one[mine].cpu / one[theirs].cpu for one in rounds),
        )
        for mine, theirs in COMPARED
    ]
    told = [f"{wall:.2f} ({cpu:.2f})" for wall, cpu in ratios]
    print(f"| {name} | {' | '.join(walls)} | {' | '.join(told)} |", flush=True)
    return ratios[0][1]


if __name__ == "__main__":
    print(f"load {os.getloadavg()[0]:.1f}; ratios of wall time (of processor time)")
    print(
        f"| case | upload_file | + read | staged | proved | whole | {' | '.join(' ÷ '.join(pair) for pair in COMPARED)} |"
    )
    sys.exit(main())
