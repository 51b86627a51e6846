"""The proxy as tests hold it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alyx.runtime.instance import ROOT


@dataclass
class Wire:
    """One proxy in front of one server."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        """For what speaks HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def _say(self, **said: Any) -> dict[str, int]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(said) + "\n")
        stdin.flush()
        found: dict[str, int] = json.loads(stdout.readline())
        return found

    def plant(self, kind: str, match: str = "", **facts: Any) -> None:
        """One fault (`proxy.Fault`)."""
        self._say(plant={"kind": kind, "match": match, **facts})

    def weather(self, seed: int, rate: float, kinds: list[str], **facts: Any) -> None:
        """Random faults (`proxy.Weather`)."""
        self._say(weather={"seed": seed, "rate": rate, "kinds": kinds, **facts})

    def heal(self) -> dict[str, int]:
        """No more faults; how often each kind struck so far."""
        return self._say(heal=True)

    @property
    def hits(self) -> dict[str, int]:
        """How often each kind struck so far."""
        return self._say()


@contextmanager
def wire(host: str, port: int) -> Iterator[Wire]:
    """A proxy in front of this server, until the end of the block."""
    command = [sys.executable, "-m", "tests.wire.proxy", host, str(port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield Wire(process, int(process.stdout.readline()))
        finally:
            process.kill()
