"""How fast a job may go: its share of a place's limit, kept by a bucket that fills with what has passed. Pure: no Django, and the
time is told.

In any T seconds no more passes than rate x (T + ALLOWANCE_S) and one piece: the burst is a quarter of a second and the piece that
was begun.
"""

from dataclasses import dataclass

ALLOWANCE_S = 0.25
"""What may pass ahead of its time: shorter waits cost more than they hold back."""
PIECE_S = 0.5
"""Where a file is moved in pieces, one is what may pass in so many seconds."""
LEAST_PIECE = 64 << 10
ASK_S = 5.0
"""How often a running job asks anew what its share is."""
NOTICED_S = 2 * ASK_S
"""A newcomer lets the others notice it before it takes its share: until then they have the whole."""
MOMENT_S = 1e-3
"""The shortest wait."""
WAIT_S = 1.0
"""Nobody sleeps longer without looking whether it still holds what it waits for."""


def share_of(limit: int | None, jobs: int) -> float | None:
    """What each of so many jobs at a place may move, in bytes a second."""
    return None if limit is None else limit / max(1, jobs)


def piece_at(rate: float | None, most: int) -> int:
    """How much of a file is moved at once."""
    if rate is None:
        return most
    return min(most, max(LEAST_PIECE, int(rate * PIECE_S)))


@dataclass
class Bucket:
    """What has passed and is not paid for by time yet. `rate` in bytes a second; None: no limit; 0: nothing passes."""

    rate: float | None
    owed: float = 0.0
    at: float = 0.0

    def change(self, rate: float | None, now: float) -> None:
        """Another rate from now on; what was owed under the old one stays owed."""
        self._drain(now)
        self.rate = rate

    def take(self, size: int, now: float) -> float:
        """Let `size` bytes pass: 0 when they may begin now (and count), else for how many seconds to wait before asking again."""
        self._drain(now)
        if self.rate is None:
            self.owed = 0.0
            return 0.0
        ahead = self.rate * ALLOWANCE_S
        if self.rate > 0 and self.owed <= ahead:
            self.owed += size
            return 0.0
        return WAIT_S if not self.rate else max(MOMENT_S, (self.owed - ahead) / self.rate)

    def _drain(self, now: float) -> None:
        if self.rate:
            self.owed = max(0.0, self.owed - self.rate * max(0.0, now - self.at))
        self.at = max(self.at, now)
