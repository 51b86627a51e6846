"""A worker to be killed: carries one job between two marked folders, as told by a file. Run as a program.

    python -m tests.backends.killed_worker <folder> <fence>

`<folder>/job.json` has the handle and the files. Like the engine it goes the whole way again after a crash, with what
is on the disk as its only memory; the outcomes end up in `<folder>/outcomes.json`.
"""

import hashlib
import json
import sys
from datetime import date
from pathlib import Path

from transfers.backends.base import Content, FileSpec, JobSpec, Proved
from transfers.backends.posix import PosixBackend, content

NIGHT = date(2026, 11, 20)


def content_of(text: str) -> Content:
    """What the registry knows of a file holding `text`."""
    data = text.encode()
    return Content(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest())


def run(folder: Path, fence: int) -> dict[str, str]:
    """Carry the job; what became of each file, by its class and trash path."""
    content.SLICE = 64 << 10
    told = json.loads((folder / "job.json").read_text())
    source = PosixBackend(folder / "source", "source")
    destination = PosixBackend(folder / "destination", "destination")
    specs = tuple(
        FileSpec(
            key,
            file["path"],
            file["path"],
            content_of(file["text"]),
            version=2,
            replaces=(1, content_of(file["old"])) if "old" in file else None,
        )
        for key, file in told["files"].items()
    )
    job = JobSpec(told["handle"], fence, specs, NIGHT)
    proofs = destination.prove(source, job)
    if not all(isinstance(proof, Proved) for proof in proofs.values()):
        destination.send(source, job)
        proofs = destination.prove(source, job)
    proved = {key: proof for key, proof in proofs.items() if isinstance(proof, Proved)}
    done = destination.promote(job, proved)
    return {key: type(outcome).__name__ for key, outcome in (proofs | done).items()}


def main() -> None:
    """See the module."""
    folder, fence = Path(sys.argv[1]), int(sys.argv[2])
    (folder / "outcomes.json").write_text(json.dumps(run(folder, fence)))


if __name__ == "__main__":
    main()
