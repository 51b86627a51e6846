"""The door through which bytes pass to and from a place: it holds them back, and stays shut where nothing may be moved.

Backends ask it before each piece that they read or write. What the place allows is told from outside (`allow`).
"""

import threading
import time
from collections.abc import Callable

from transfers.backends.base import Beat, LeaseLost, Meter, OutOfHours, unattended
from transfers.rules.pacing import WAIT_S, Bucket, piece_at


class Pacer(Meter):
    """A place with limits, shared by all threads of one job.

    `name` is for the log. `clock` and `sleep`: in seconds.
    """

    def __init__(
        self, name: str, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name, self._clock, self._sleep = name, clock, sleep
        self._lock = threading.Lock()
        self._bucket = Bucket(None, at=clock())
        self._not_before = 0.0
        self._stopped = False
        self.passed = 0
        """Bytes let through."""

    def allow(self, rate: float | None, *, after: float = 0.0) -> None:
        """From now on so many bytes a second (None: no limit, 0: nothing), the first of them in `after` seconds."""
        with self._lock:
            now = self._clock()
            self._bucket.change(rate, now)
            if after:
                self._not_before = now + after

    def stop(self) -> None:
        """Nobody is let through any more: the job is somebody else's."""
        self._stopped = True

    def take(self, size: int, beat: Beat = unattended) -> None:
        while (wait := self._asked(size)) > 0:
            self._sleep(min(wait, WAIT_S))
            if not beat():
                raise LeaseLost

    def _asked(self, size: int) -> float:
        if self._stopped:
            raise LeaseLost
        with self._lock:
            now = self._clock()
            if self._bucket.rate == 0:
                raise OutOfHours(self.name)
            if self._bucket.rate is not None and now < self._not_before:
                return self._not_before - now
            wait = self._bucket.take(size, now)
            if not wait:
                self.passed += size
            return wait

    def piece(self, most: int) -> int:
        return piece_at(self._bucket.rate, most)
