"""Programs the tests use from Debian: found, or installed when we are root."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
NO_DAEMONS = Path("/usr/sbin/policy-rc.d")
OLDEST = 15
PATIENCE_S = 60.0


class Missing(RuntimeError):
    """A program is not there and was not installed; the message says how to get it."""


def browser() -> str:
    """The path of Chromium.

    Raises:
        Missing: it is not there and cannot be installed.
    """
    given = os.environ.get("ALYX_CHROMIUM")
    if given:
        return given
    install({"chromium": "chromium"})
    return str(shutil.which("chromium"))


def debian_postgres() -> Path:
    """The folder of the newest of Debian's PostgreSQL programs.

    Raises:
        Missing: there is none of version 15 or newer.
    """
    found = sorted(
        int(folder.name) for folder in DEBIAN_POSTGRES.glob("[0-9]*") if (folder / "bin" / "initdb").exists()
    )
    if not found or found[-1] < OLDEST:
        raise Missing(f"Debian's PostgreSQL here is older than {OLDEST}")
    return DEBIAN_POSTGRES / str(found[-1]) / "bin"


def redis_server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A Redis on loopback at a free port that keeps nothing, and its URL.

    Raises:
        Missing: it does not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(["redis-server", *options], stdout=log, stderr=log)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"redis://127.0.0.1:{port}/0"
        time.sleep(0.05)
    process.kill()
    raise Missing(f"redis-server does not answer; see {folder / 'redis.log'}")


def install(wanted: Mapping[str, str | None]) -> None:
    """Install the packages whose program is missing, without starting their daemons.

    Args:
        wanted: Debian package → its program (None: PostgreSQL's, which are not on the PATH).

    Raises:
        Missing: we are not root, or this is not Debian, or it failed.
    """
    packages = [package for package, program in wanted.items() if not _is_there(program)]
    if not packages:
        return
    line = f"apt-get install {' '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"not installed here, and we are not root on Debian: sudo {line}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_daemons():
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{line} failed: {done.stderr.strip()[-400:]}")


def _is_there(program: str | None) -> bool:
    if program is None:
        return any(DEBIAN_POSTGRES.glob("[0-9]*/bin/initdb"))
    return shutil.which(program) is not None


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Debian starts a daemon with its package unless this file forbids it; one that is there already decides."""
    if NO_DAEMONS.exists():
        yield
        return
    NO_DAEMONS.write_text("#!/bin/sh\nexit 101\n")
    NO_DAEMONS.chmod(0o755)
    try:
        yield
    finally:
        NO_DAEMONS.unlink(missing_ok=True)
