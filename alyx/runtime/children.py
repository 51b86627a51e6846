"""A child process that ends with its parent, and is started again when it dies by itself."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from alyx.runtime.instance import ROOT

_PR_SET_PDEATHSIG = 1
_LONGEST_PAUSE_S = 30.0
_STEADY_AFTER_S = 60.0


@dataclass
class Child:
    """One program of the instance.

    Attributes:
        orphaned: the signal the kernel sends it when the supervisor dies without a word (kill -9).
    """

    name: str
    command: Sequence[str]
    orphaned: signal.Signals = signal.SIGTERM
    deaths: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0
    _start_again_at: float = field(default=0.0)

    def start(self) -> None:
        """Start it, with the environment of now, in a process group of its own (Ctrl-C reaches the supervisor only)."""
        parent = os.getpid()
        orphaned = int(self.orphaned)

        def end_with_parent() -> None:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, orphaned)
            if os.getppid() != parent:
                os._exit(1)

        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *self.command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=end_with_parent,  # noqa: PLW1509  (the supervisor has one thread)
        )

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self.running() and self._process else None

    def running(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        """How it ended; None while it runs or before it did."""
        return self._process.poll() if self._process else None

    def keep_alive(self) -> str | None:
        """Start it again after a pause that doubles with each death in a row. Answers what happened, for the log."""
        if self.running():
            return None
        now = time.monotonic()
        if self._start_again_at == 0.0:
            self.deaths = 1 if now - self._started_at > _STEADY_AFTER_S else self.deaths + 1
            pause = min(_LONGEST_PAUSE_S, 0.5 * 2**self.deaths)
            self._start_again_at = now + pause
            return f"{self.name} ended by itself ({self.exit_code()}); started again in {pause:.0f} s"
        if now >= self._start_again_at:
            self._start_again_at = 0.0
            self.start()
        return None

    def send(self, number: signal.Signals) -> None:
        """Signal the program if it runs."""
        if self.running() and self._process:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End the program and all it started, now."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
