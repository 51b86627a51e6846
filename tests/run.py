"""`make test`: every test embedded, then the integration tests on servers from Debian. It says which it did.

The servers are private ones: Debian's programs, a folder below `var/test`, ports of their own. What runs on the machine
already is left alone, unless ALYX_TEST_DATABASE_URL and ALYX_TEST_REDIS_URL name servers to use.

A test or two that failed in the crowd are tried once more, alone. One that fails again fails the run; one that passes is
named in the last lines as unsteady, to be mended: its cause is the machine's load, or another test.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from alyx.runtime.instance import ROOT
from alyx.runtime.locks import Hold
from alyx.runtime.postgres import Postgres
from tests.servers import Missing, browser, debian_postgres, install, redis_server

STATE = ROOT / "var" / "test"
PARALLEL = ("-n", "4", "--no-loadscope-reorder", "--durations", "20")
NOT_FAULTS = "not faults"
"""What `make test` leaves to `make test-faults`."""
INTEGRATION = f"not model and not browser and not embedded and not once and {NOT_FAULTS}"
"""What is run again on the servers: not what needs no server, looks at pages, tries the embedded ones or every page and body."""


FAULTS = (
    "tests/soak",
    "tests/wire",
    "tests/model",
    "tests/kill",
    "tests/globus/test_killed_night.py",
    "tests/globus/test_killed.py",
    "tests/s3/test_killed.py",
    "tests/agent/test_agent_killed.py",
    "tests/backends/test_posix_killed.py",
    "tests/labs/test_mailing_killed.py",
    "tests/imports/test_killed.py",
)
"""Where `make test-faults` looks: with what is marked `faults`, and with the short selection of it in `make test`."""
BESIDE = ("-n", "3", "--no-loadscope-reorder", "--durations", "20", "--tb=short")
"""How: the soak alone in one process, the rest in two; they wait for leases, servers and children more than they compute."""

UNWANTED = {"DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"}
"""What the tests' processes do not take over: servers are named by us, and each of the hundreds of processes would compile anew."""
MOST_AGAIN = 2
"""More failures than that are no accident of the machine's load."""
FAILED = 1
"""What pytest exits with when tests failed, and nothing else went wrong."""


@dataclass(frozen=True)
class Outcome:
    """How one run of pytest ended."""

    title: str
    passed: bool
    seconds: float
    unsteady: tuple[str, ...] = ()
    """The tests that passed only when tried alone."""

    def __str__(self) -> str:
        line = f"tests: {'passed' if self.passed else 'FAILED'} in {self.seconds:.0f} s: {self.title}"
        return "".join((line, *(f"\ntests: UNSTEADY, passed only alone: {test}" for test in self.unsteady)))


def main(arguments: Sequence[str]) -> int:
    """Run both; the exit code is 0 when nothing failed. Arguments are handed to pytest (and then nothing runs in parallel)."""
    alone = Hold(STATE / "lock")
    if not alone.alone():
        sys.stderr.write("tests: another `make test` runs in this folder\n")
        return 1
    if "--screenshots" in arguments:
        return screenshots()
    if "--journeys" in arguments:
        return journeys([one for one in arguments if one != "--journeys"])
    if "--faults" in arguments:
        return faults([one for one in arguments if one != "--faults"])
    chosen = list(arguments) or list(PARALLEL)
    outcomes = [embedded(chosen)]
    try:
        outcomes.append(on_servers(chosen))
    except Missing as missing:
        outcomes.append(Outcome(f"not run on servers: {missing}", not os.environ.get("CI"), 0))
    for outcome in outcomes:
        say(str(outcome))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def embedded(arguments: list[str]) -> Outcome:
    """All tests, on the private PostgreSQL of the wheel and messages by files."""
    title = "everything, on the embedded PostgreSQL, messages by files"
    try:
        install({"ffmpeg": "ffmpeg"})
    except Missing as missing:
        say(f"tests: no tests of video: {missing}")
    try:
        chromium = browser()
    except Missing as missing:
        say(f"tests: no browser tests: {missing}")
        title += " (without the browser tests)"
        return pytest(title, [*arguments, "-m", f"not browser and {NOT_FAULTS}"], {})
    return pytest(title, [*arguments, "-m", NOT_FAULTS], {"ALYX_CHROMIUM": chromium})


def on_servers(arguments: list[str]) -> Outcome:
    """The integration tests, on PostgreSQL and Redis servers.

    Raises:
        Missing: there are none, and they cannot be installed.
    """
    with ExitStack() as running:
        given = os.environ.get("ALYX_TEST_DATABASE_URL"), os.environ.get("ALYX_TEST_REDIS_URL")
        if given[0] and given[1]:
            urls, title = {"DATABASE_URL": given[0], "REDIS_URL": given[1]}, "the servers named in the environment"
        else:
            install({"redis-server": "redis-server", "postgresql": None})
            binaries = debian_postgres()
            postgres = Postgres(STATE / "servers" / binaries.parent.name, binaries)
            urls = {"DATABASE_URL": postgres.acquire()}
            running.callback(postgres.release)
            redis, url = redis_server(STATE / "servers")
            running.callback(redis.wait)
            running.callback(redis.terminate)
            urls["REDIS_URL"] = url
            title = f"Debian's PostgreSQL {binaries.parent.name} and Redis"
        return pytest(f"integration tests, on {title}", [*arguments, "-m", INTEGRATION], urls)


def pytest(title: str, arguments: list[str], environment: dict[str, str]) -> Outcome:
    """Run pytest in a process of its own, its output on ours; what failed in the crowd, once more alone."""
    say(f"tests: {title}")
    began = time.monotonic()
    cache = STATE / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    clean = {name: value for name, value in os.environ.items() if name not in UNWANTED}

    def run(*chosen: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *chosen],
            cwd=ROOT,
            env={**clean, "ALYX_VAR": str(STATE), **environment},
            check=False,
        ).returncode

    code, unsteady = run(*arguments), ()
    if code == FAILED and "-n" in arguments:
        noted = cache / "v" / "cache" / "lastfailed"
        failed = sorted(json.loads(noted.read_text())) if noted.exists() else []
        if 0 < len(failed) <= MOST_AGAIN:
            say(f"tests: once more, alone: {', '.join(failed)}")
            code = run(*failed)
            unsteady = tuple(failed) if code == 0 else ()
    return Outcome(title, code == 0, time.monotonic() - began, unsteady)


def screenshots() -> int:
    """Only the tests that open pages, keeping what they saw."""
    try:
        environment = {"ALYX_CHROMIUM": browser(), "ALYX_SCREENSHOTS": str(ROOT / "screenshots")}
    except Missing as missing:
        sys.stderr.write(f"screenshots: {missing}\n")
        return 1
    return 0 if pytest("screenshots", ["-m", "browser"], environment).passed else 1


def journeys(arguments: list[str]) -> int:
    """Only the days of real people, in a real browser."""
    try:
        environment = {"ALYX_CHROMIUM": browser()}
    except Missing as missing:
        sys.stderr.write(f"journeys: {missing}\n")
        return 1
    outcome = pytest("journeys in a real browser", [*(arguments or ["tests/journeys"]), "-m", NOT_FAULTS], environment)
    say(str(outcome))
    return 0 if outcome.passed else 1


def faults(arguments: list[str]) -> int:
    """The whole of what breaks things on purpose: kills, faults on the wire, the soak, the model; what each counted, together."""
    try:
        install({"redis-server": "redis-server"})
    except Missing as missing:
        say(f"tests: no faults between a worker and Redis, so this is not the whole: {missing}")
        return 1
    chosen = arguments or [*FAULTS, *BESIDE]
    outcome = pytest("everything that breaks something on purpose", chosen, {"ALYX_WHOLE": "faults"})
    say(str(outcome))
    return 0 if outcome.passed else 1


def say(text: str) -> None:
    """At once, so that it stands where it belongs among pytest's lines."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
