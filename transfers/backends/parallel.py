"""Several requests at once, in bounded memory, while the lease is asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from transfers.backends.base import Beat
from transfers.backends.judging import check

One = TypeVar("One")
Made = TypeVar("Made")

_BEAT_SECONDS = 1.0


class Pulse:
    """A beat for several threads: one asks (`beat`), the others know the last answer (`known`)."""

    def __init__(self, beat: Beat) -> None:
        self._beat, self._alive = beat, True

    def beat(self) -> bool:
        """Ask. Once lost is lost."""
        self._alive = self._alive and self._beat()
        return self._alive

    def known(self) -> bool:
        """What the last question gave."""
        return self._alive


def each(work: Callable[[One], Made], todo: Iterable[One], beat: Beat, workers: int) -> Iterator[tuple[One, Made]]:
    """`work` done for each, as they end; `beat` is asked before each begins and while they run. Raises LeaseLost, what
    `work` raises."""
    left = iter(todo)
    running: dict[Future[Made], One] = {}
    with ThreadPoolExecutor(workers) as pool:
        while True:
            for one in left:
                check(beat)
                running[pool.submit(work, one)] = one
                if len(running) == workers:
                    break
            if not running:
                return
            ended, _ = wait(running, timeout=_BEAT_SECONDS, return_when=FIRST_COMPLETED)
            check(beat)
            for future in ended:
                yield running.pop(future), future.result()


def in_order(work: Callable[[One], Made], todo: Iterable[One], beat: Beat, workers: int) -> Iterator[Made]:
    """The same in the order of `todo`, some of them ahead of their turn."""
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for one in todo:
            check(beat)
            waiting.append(pool.submit(work, one))
            if len(waiting) == workers:
                yield _awaited(waiting.popleft(), beat)
        while waiting:
            yield _awaited(waiting.popleft(), beat)


def _awaited(future: Future[Made], beat: Beat) -> Made:
    while not wait([future], timeout=_BEAT_SECONDS).done:
        check(beat)
    check(beat)
    return future.result()
