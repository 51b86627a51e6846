"""Globus over a wire with faults, at the level of the backend: one task, whatever is lost; one end state."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.backends.rig import bytes_of
from tests.globus.conftest import Ends, credentials, ends, process  # noqa: F401  (fixtures)
from tests.globus.driver import StandIn
from tests.wire.driver import Wire, wire
from tests.wire.proxy import ASK_LATER
from transfers.backends.base import BackendFailure, JobSpec, Promoted, Proved
from transfers.backends.globus.tasks import Standing

pytestmark = pytest.mark.once

TIMES = 12
SUBMIT, POLL, RENAME, LOOK = (
    r"^POST [^ ]*/transfer ",
    r"^GET [^ ]*/task",
    r"^POST [^ ]*/rename",
    r"^GET [^ ]*/(ls|stat)",
)
BUSY, BUSY_FOR_A_SECOND = (ASK_LATER.format(more=more) for more in ("", "Retry-After: 1\r\n"))
Plants = list[tuple[str, str, dict[str, Any]]]

SHORT: dict[str, Plants] = {
    "the answer to the submission is lost": [("drop", SUBMIT, {"after": 0})],
    "the answer to the submission ends early": [("truncate", SUBMIT, {"after": 90, "times": 3})],
}
MORE: dict[str, Plants] = {
    "the submission breaks off": [("cut", SUBMIT, {"after": 200, "times": 3})],
    "the submission happens and is called an error until the client gives up": [("after_effect", SUBMIT, {"times": 8})],
    "the server hears half of the submission": [("half_close", SUBMIT, {"after": 200})],
    "the task's state is lost": [("drop", POLL, {"after": 0, "times": 5})],
    "the task's state ends early": [("truncate", POLL, {"after": 120, "times": 5})],
    "a rename happens and nobody hears of it": [("drop", RENAME, {"after": 0, "times": 3})],
    "a rename happens and is called an error until the client gives up": [("after_effect", RENAME, {"times": 8})],
    "looks are lost": [("drop", LOOK, {"after": 0, "times": 6})],
    "the service asks for patience": [("instead", "", {"times": 4, "answer": BUSY_FOR_A_SECOND})],
    "the service asks for patience and does not say how long": [("instead", "", {"times": 8, "answer": BUSY})],
    "everything is slow": [("delay", "", {"seconds": 0.2, "times": 30})],
}


@pytest.fixture(scope="module")
def link(process: StandIn) -> Iterator[Wire]:  # noqa: F811
    at = urlsplit(process.url)
    with wire(str(at.hostname), int(at.port or 0)) as found:
        yield found


@pytest.fixture
def over(ends: Ends, link: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:  # noqa: F811
    """Both collections, reached over the wire."""
    for service in ("TRANSFER", "AUTH"):
        monkeypatch.setenv(f"GLOBUS_SDK_SERVICE_URL_{service}", f"{link.url}/")
    for backend in (ends.source, ends.destination):
        backend.place.forget()
    yield ends
    link.heal()
    for backend in (ends.source, ends.destination):
        backend.place.forget()


def carry(ends: Ends, job: JobSpec) -> int:  # noqa: F811
    """As an engine does that takes the job up again after each failure; how often it did."""
    for number in range(1, TIMES + 1):
        try:
            sent = ends.destination.send(ends.source, job)
            if not isinstance(sent, Standing) or sent.id == job.handle:  # no task, or not known
                continue
            ends.wait(sent.id)
            proofs = ends.destination.prove(ends.source, job)
            good = {key: proof for key, proof in proofs.items() if isinstance(proof, Proved)}
            outcomes = ends.destination.promote(job, good)
            if len(outcomes) == len(job.files) and all(isinstance(one, Promoted) for one in outcomes.values()):
                return number
        except BackendFailure:
            continue
    raise AssertionError("it never came to its end")


def told(name: str, plants: Plants, ends: Ends, link: Wire) -> None:  # noqa: F811
    contents = {f"lab/Subjects/a/2026-11-20/001/alf/obj{n}.times.npy": bytes_of(3_000 + n, n) for n in range(4)}
    job = ends.job(*(ends.spec(data, path, str(n)) for n, (path, data) in enumerate(contents.items())))
    before = {task["id"] for task in ends.service.tasks()}
    struck = sum(link.heal().values())
    for kind, match, facts in plants:
        link.plant(kind, match, **facts)
    times = carry(ends, job)
    struck = sum(link.heal().values()) - struck
    assert struck > 0, "no fault struck: the case shows nothing"
    for path, data in contents.items():
        assert ends.get(path) == data
    made = [task for task in ends.service.tasks() if task["id"] not in before and task["type"] == "TRANSFER"]
    assert len(made) == 1, "one task, whatever was lost"
    print(f"\nGlobus wire: {name}: {struck} faults, taken up {times} times, one task")


@pytest.mark.parametrize("name", SHORT)
def test_one_task_whatever_is_lost(name: str, over: Ends, link: Wire) -> None:
    told(name, SHORT[name], over, link)


@pytest.mark.faults
@pytest.mark.parametrize("name", MORE)
def test_every_fault(name: str, over: Ends, link: Wire) -> None:
    told(name, MORE[name], over, link)
