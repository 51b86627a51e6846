"""The protocol keeps its promises in every history, and the model would see it if it did not.

ALYX_MODEL_RUNS: histories for the protocol as written (default 1,500).
"""

import os
from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Protocol
from tests.model.safeguards import FOUND_AS, Broken, Promise, Safeguard
from transfers.rules import evidence
from transfers.rules.evidence import Meant, Reading

pytestmark = pytest.mark.model

RUNS = int(os.environ.get("ALYX_MODEL_RUNS", "1500"))
SEEDS = range(8)
RUNS_PER_SEED = 1_000
STEPS = 25
COMMON = settings(
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
WEAKER: dict[Safeguard, Callable[[Reading, Meant], bool]] = {
    Safeguard.DIGEST_NOT_EXISTENCE: lambda _reading, _meant: True,
    Safeguard.DIGEST_NOT_SIZE: lambda reading, meant: reading.size_bytes == meant.size_bytes,
}
"""What a mutant takes for a proof."""

REACHED = {
    # what every 1,000 histories must really have contained (about a third of what they do)
    "nights": 600,
    "verified by the night": 1000,
    "proved by a look": 1500,
    "killed worker": 30,
    "killed looker": 40,
    "frozen": 50,
    "woken": 190,
    "taken over": 140,
    "resumed": 8,
    "swept": 100,
    "stopped by the fence": 100,
    "late acts": 90,
    "trashed": 500,
    "observed": 18,
    "stale": 500,
    "errors seen": 800,
    "copy superseded": 1500,
    "copy suspect": 400,
    "copy missing": 50,
    "copy corrupt": 70,
    "trouble source_changed": 70,
    "trouble source_truncated": 70,
    "trouble source_vanished": 100,
    "trouble digest_mismatch": 80,
    "trouble unreachable": 300,
    "ends proved": 700,
    "ends named": 250,
}


def test_the_protocol_holds() -> None:
    class AsWritten(Protocol):
        totals: ClassVar[dict[str, int]] = {}

    run_state_machine_as_test(
        AsWritten,
        settings=settings(COMMON, max_examples=RUNS, derandomize=True, phases=[Phase.generate, Phase.shrink]),
    )
    print(f"model: {RUNS} histories hold, with {AsWritten.totals.get('killed worker', 0)} workers killed")
    if RUNS < 1_000:
        return  # too few to count
    missed = {what: (AsWritten.totals.get(what, 0), least) for what, least in REACHED.items()}
    missed = {what: (had, least) for what, (had, least) in missed.items() if had < least * RUNS / 1_000}
    assert not missed, f"the histories are too tame (had, at least per 1,000 runs): {missed}"


@pytest.mark.parametrize("safeguard", list(Safeguard), ids=lambda safeguard: safeguard.name.lower())
def test_each_missing_safeguard_is_found(
    safeguard: Safeguard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if safeguard in WEAKER:
        monkeypatch.setattr(evidence, "proves", WEAKER[safeguard])
    promise, histories = _hunt(safeguard)
    capsys.readouterr()  # the failing history, which is the expected one
    print(f"mutant: {safeguard:<55} {promise or 'SURVIVED':<45} {histories:>6} histories")
    assert promise is not None, f"nobody missed it: {safeguard}"
    assert promise in FOUND_AS[safeguard]


def _hunt(safeguard: Safeguard) -> tuple[Promise | None, int]:
    """The promise found broken and the number of histories it took; None if no seed found any."""
    histories = 0
    for number in SEEDS:

        class Mutant(Protocol):
            without = safeguard
            totals: ClassVar[dict[str, int]] = {}

            def __init__(self) -> None:
                nonlocal histories
                histories += 1
                super().__init__()

        try:
            run_state_machine_as_test(
                seed(number)(Mutant), settings=settings(COMMON, max_examples=RUNS_PER_SEED, phases=[Phase.generate])
            )
        except Broken as broken:
            return broken.promise, histories
    return None, histories
