"""Doors with a clock of their own, that write down what passes: bytes by simulated second."""

import threading
from dataclasses import dataclass, field

from transfers.backends.base import Beat, unattended
from transfers.backends.pacing import Pacer
from transfers.rules.pacing import ALLOWANCE_S


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self._lock = 1000.0, threading.Lock()

    def read(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        with self._lock:
            self.now += seconds


@dataclass
class Doors:
    """To stand for `services.pacing.make_door`. `shut_after`: at which place, and after how many bytes, it shuts; once."""

    clock: Clock = field(default_factory=Clock)
    passed: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    shut_after: tuple[str, int] | None = None

    def make(self, name: str) -> Pacer:
        """A door of this place."""
        return _Counting(name, self)

    def bytes_at(self, name: str) -> int:
        """How many bytes have passed there."""
        return sum(size for _, size in self.passed.get(name, []))

    def seconds_at(self, name: str) -> float:
        """How long it took."""
        log = self.passed[name]
        return log[-1][0] - log[0][0]

    def assert_never_above(self, name: str, rate: float) -> None:
        """In no interval more than the limit and one burst."""
        log = self.passed[name]
        for first, (began, _) in enumerate(log):
            total = 0
            for at, size in log[first:]:
                total += size
                assert total <= rate * (at - began + ALLOWANCE_S) + size + 1, (name, began, at, total)


class _Counting(Pacer):
    def __init__(self, name: str, doors: Doors) -> None:
        super().__init__(name, doors.clock.read, doors.clock.sleep)
        self.doors = doors

    def take(self, size: int, beat: Beat = unattended) -> None:
        shut = self.doors.shut_after
        if shut is not None and shut[0] == self.name and self.doors.bytes_at(self.name) + size > shut[1]:
            self.doors.shut_after = None
            self.allow(0)
        super().take(size, beat)
        self.doors.passed.setdefault(self.name, []).append((self.doors.clock.now, size))
