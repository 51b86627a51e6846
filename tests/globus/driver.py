"""The stand-in as tests hold it: started, told to fail, killed, started again."""

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

CLIENT, SECRET, REFRESH = (
    "3f1c9d9e-1a6f-4c1c-9d61-2a7a3d1f0001",
    "a-secret-of-the-tests",
    "a-refresh-token-of-the-tests",
)
NATIVE = "3f1c9d9e-1a6f-4c1c-9d61-2a7a3d1f0002"
PATIENCE_S = 20.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class StandIn:
    """One process with its state in `folder`."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where Transfer and Auth are."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, on the port it had before if it had one. Raises RuntimeError when it does not answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        told = self.folder / "port"
        told.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.globus.stand_in", str(self.folder), str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        ends = time.monotonic() + PATIENCE_S
        while not told.exists():
            if time.monotonic() > ends or self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)
        self.port = int(told.read_text())
        self.control("client", CLIENT, secret=SECRET)
        self.control("client", NATIVE, secret=None, refresh=REFRESH)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def control(self, kind: str, key: str = "", method: str = "POST", **body: Any) -> Any:
        """Ask what only tests ask."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}_control/{kind}/{key}".rstrip("/"), json.dumps(body).encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.loads(answer.read())

    def collection(self, root: Path, entity_type: str = "GCSv5_guest_collection", **more: Any) -> str:
        """Register a folder as a collection; its id."""
        root.mkdir(parents=True, exist_ok=True)
        key = str(uuid4())
        state = {"connected": True, "paused": None, "lapsed": False, "free": None} | more
        self.control("collection", key, id=key, name=root.name, root=str(root), entity_type=entity_type, **state)
        return key

    def fail(self, what: str, match: str = "", times: int | None = 1, **facts: Any) -> None:
        """Plant a fault (see `world.World.plant`)."""
        self.control("faults", what=what, match=match, times=times, **facts)

    def heal(self) -> None:
        """No more faults."""
        self.control("faults", method="DELETE")

    def calls(self, part: str) -> int:
        """How many calls have this in their method and path."""
        return sum(part in call for call in self.control("calls", method="GET"))

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks as they are stored."""
        return list(self.control("tasks", method="GET"))
