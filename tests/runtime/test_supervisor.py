"""`serve`: everything comes up, everything goes down, whatever dies comes back."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from alyx.runtime.instance import ROOT
from demo.served import Served, free_port

pytestmark = [pytest.mark.kill, pytest.mark.embedded]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An embedded instance; a test that ends it starts it again."""
    instance = Served(
        tmp_path_factory.mktemp("instance"),
        free_port(),
        admin_password=secrets.token_urlsafe(),
        extra={"DATABASE_URL": "", "REDIS_URL": ""},
    )
    with instance:
        yield instance
    subprocess.run([sys.executable, "-m", "alyx.runtime", "stop"], cwd=ROOT, env=instance.environment(), check=True)


def children(served: Served) -> list[psutil.Process]:
    assert served.process
    return psutil.Process(served.process.pid).children(recursive=True)


def program(served: Served, word: str) -> psutil.Process:
    """The direct child that runs it."""
    assert served.process
    return next(child for child in psutil.Process(served.process.pid).children() if runs(child, word))


def runs(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return False


def steadily_healthy(served: Served) -> bool:
    """For three seconds on end: orphans of a killed web server answer a moment longer, and a database that moved has its
    programs started again once more."""
    for _ in range(15):
        if not served.healthy():
            return False
        time.sleep(0.2)
    return True


def command(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alyx.runtime", *arguments],
        cwd=ROOT,
        env=served.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def postgres_runs(served: Served) -> bool:
    return "does not run" not in command(served, "status").stdout


def test_healthz_names_each_part_and_the_ready_line_the_address(served: Served) -> None:
    with urllib.request.urlopen(f"{served.url}/healthz", timeout=10) as answer:  # noqa: S310  (our own address)
        assert json.load(answer) == {"database": "ok", "worker": "ok", "beat": "ok"}
    assert eventually(lambda: f"ready: {served.url}/" in served.said())


def test_admin_logs_in_with_the_given_password_and_nothing_else_is_open(served: Served) -> None:
    token = served.manage(
        "shell",
        "-c",
        "from django.contrib.auth import authenticate as a; import os;"
        "print(a(username='admin', password=os.environ['ALYX_ADMIN_PASSWORD']), a(username='admin', password='admin'))",
    )
    assert token.split()[-2:] == ["admin", "None"]


def test_a_command_beside_it_uses_its_database_and_leaves_it_running(served: Served) -> None:
    served.manage("check", "--database", "default")
    assert postgres_runs(served)


def test_second_supervisor_of_the_same_state_is_refused_and_says_who_has_it(served: Served) -> None:
    assert served.process
    refused = command(served, "serve", "--port", str(free_port()))
    assert refused.returncode == 1
    assert f"process {served.process.pid} at {served.url}" in refused.stderr


def test_taken_port_is_refused_before_anything_starts(served: Served, tmp_path: Path) -> None:
    other = Served(tmp_path / "var", served.port, extra=served.extra)
    refused = command(other, "serve", "--port", str(served.port))
    assert refused.returncode == 1
    assert "Try another PORT" in refused.stderr
    assert not (tmp_path / "var" / "postgres").exists()


@pytest.mark.parametrize("word", ["worker", "beat", "gunicorn"])
def test_killed_program_is_started_again(served: Served, word: str) -> None:
    before = program(served, word)
    before.kill()
    assert eventually(lambda: any(runs(child, word) for child in children(served) if child.pid != before.pid))
    assert eventually(lambda: steadily_healthy(served))


def test_killed_postgres_is_started_again(served: Served) -> None:
    pid = int((served.var / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    # Each program tells of the lost connections: what the supervisor said stands far above the end of the log.
    assert eventually(lambda: "PostgreSQL ended by itself" in served.said(1_000_000) and steadily_healthy(served))


def test_silent_worker_is_told_by_healthz(served: Served) -> None:
    """Its last heartbeat is made to lie in the past, as if it hung."""
    worker = program(served, "worker")
    worker.suspend()
    try:
        os.utime(served.var / "heartbeat" / "worker", (0, 0))
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{served.url}/healthz", timeout=10)  # noqa: S310  (our own address)
        assert refused.value.code == 503
        assert json.load(refused.value) == {"database": "ok", "worker": "not heard", "beat": "ok"}
        refused.value.close()
    finally:
        worker.resume()


def test_killed_supervisor_takes_its_programs_along_and_the_next_finds_postgres(served: Served) -> None:
    ours = children(served)
    assert served.process
    before = (served.var / "postgres" / "data" / "postmaster.pid").read_text()
    served.process.kill()
    served.process.wait()
    assert eventually(lambda: not [child for child in ours if child.is_running()])
    assert postgres_runs(served)
    served.start()
    assert (served.var / "postgres" / "data" / "postmaster.pid").read_text() == before


def test_sigterm_ends_everything_in_order(served: Served) -> None:
    ours = children(served)
    assert served.process
    served.process.terminate()
    assert served.process.wait(PATIENCE_S) == 0
    assert not [child for child in ours if child.is_running()]
    assert not postgres_runs(served)
