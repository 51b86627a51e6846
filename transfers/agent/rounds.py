"""The agent's day: round after round, each a look through its repository."""

from collections.abc import Callable
from dataclasses import dataclass, field

from alyx.core import clock
from alyx.core.audit import acting
from datasets.models import FileRecord, Repository, RepositoryKind
from datasets.rules.copies import CopyState
from transfers.agent import lock
from transfers.agent.hands import AgentHands
from transfers.agent.workshop import Workshop
from transfers.backends.base import BackendFailure
from transfers.backends.posix import PosixBackend
from transfers.models import NightWindow, Scan
from transfers.models.scan import ScanKind
from transfers.models.window import WindowState
from transfers.rules.errors import policy
from transfers.services import scanning, scans
from transfers.services.looking import due_looks, look_at
from transfers.services.places import backend_for
from transfers.services.planning import Scope
from transfers.services.scanning import Pass

MOST_PASSES = 3
"""In one round: a file that was made in the first is registered in the second."""


@dataclass
class Round:
    """What one round came to."""

    scan: Scan
    registered: int = 0
    done: Pass = field(default_factory=Pass)
    announced: int = 0
    troubles: list[str] = field(default_factory=list)


def why_not(repository: Repository) -> str:
    """Why no agent can work there; "" when one can."""
    if repository.kind != RepositoryKind.POSIX:
        return f"{repository.name} is {repository.get_kind_display()}: an agent works on a directory of its own machine"
    return scanning.why_not(repository)


def agent_for(repository: Repository) -> AgentHands:
    """The agent's hands at this repository's root. Raises BackendFailure."""
    backend = backend_for(repository)
    if not isinstance(backend, PosixBackend):
        raise TypeError(repository.kind)
    return AgentHands(Workshop(backend))


def _never() -> bool:
    return False


def one_round(repository: Repository, hands: AgentHands, *, stopping: Callable[[], bool] = _never) -> Round:
    """Finish what was begun, look through everything, register what is finished, look at what was announced.

    Raises BackendFailure: the place cannot be read; nothing was registered or moved. AnotherAgent, ScanLost.
    """
    with acting(path=f"copy agent of {repository.name}"):
        health = hands.workshop.backend.probe()  # before anything of ours is written there, a lock included
        if health.problem is not None:
            scan = scans.open_scan(repository=repository, kind=ScanKind.AGENT)
            failure = BackendFailure(health.problem, health.detail)
            scans.leave(scan, problem=sentence(failure))
            raise failure
        with lock.held(hands.workshop.root):
            return _round(scans.open_scan(repository=repository, kind=ScanKind.AGENT), hands, stopping)


def sentence(failure: BackendFailure) -> str:
    """For people."""
    return f"{policy(failure.code).sentence} ({failure.detail}) Nothing was registered."


def _round(scan: Scan, hands: AgentHands, stopping: Callable[[], bool]) -> Round:
    found = Round(scan)
    try:
        found.troubles = hands.resume()
        before = scan.registered
        for _ in range(MOST_PASSES):
            found.done = scanning.one_pass(scan, hands=hands, go_on=lambda: not stopping())
            if stopping() or not found.done.look_again:
                break
        found.registered = scan.registered - before
        found.announced = _announced(scan.repository)
    except BackendFailure as failure:
        scans.leave(scan, problem=sentence(failure))
        raise
    scans.leave(scan, problem="; ".join(found.troubles))
    return found


def _announced(repository: Repository) -> int:
    """Hash announced files where they lie, at night: by day they may still be on their way here. How many were looked at."""
    night = NightWindow.objects.filter(
        repository=repository, state=WindowState.OPEN, starts_at__lte=clock.AlyxNow(), ends_at__gt=clock.AlyxNow()
    )
    if not night.exists():
        return 0
    due = due_looks(Scope(repository=repository)).filter(state=CopyState.ANNOUNCED)
    rows = FileRecord.objects.filter(pk__in=due.values("pk"))
    return look_at(actor=None, rows=rows).total


def work(
    repository: Repository,
    *,
    stopped: Callable[[float], bool],
    every_s: float,
    say: Callable[[Round | str], None],
    stopping: Callable[[], bool] = _never,
) -> None:
    """Round after round until `stopped` (asked with the seconds to wait) says so. `stopping` is asked within a round, from
    file to file: what it cuts short goes on in the next."""
    hands = agent_for(repository)
    while True:
        try:
            say(one_round(repository, hands, stopping=stopping))
        except BackendFailure as failure:
            say(sentence(failure))
        except (lock.AnotherAgent, scans.ScanLost) as other:
            say(str(other))
        if stopped(every_s):
            return
