"""An environment of its own for stock ibllib, made on demand: about 1.6 GB and a minute and a half, then cached.

`python -m tests.clients.ibllib_env` makes it by hand. `ALYX_IBLLIB_VENV` puts it elsewhere.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = Path(__file__).with_name("ibllib_constraints.txt")
REQUIREMENTS = ("ibllib==4.1.0", "ONE-api==3.6.1")
STAMP = "made_by_ibllib_env"
HEADLESS = {"QT_QPA_PLATFORM": "offscreen", "MPLBACKEND": "Agg"}
"""Nothing of what we run opens a window; these keep any import from trying to."""


class EnvironmentNotMade(RuntimeError):
    """pip or venv failed; the message holds the end of what they said."""


def environment_folder() -> Path:
    """Where the environment lives."""
    return Path(os.environ.get("ALYX_IBLLIB_VENV") or ROOT / ".venv-ibllib").resolve()


def ibllib_python() -> Path:
    """The interpreter that can import stock ibllib; makes the environment the first time.

    Raises: EnvironmentNotMade.
    """
    folder = environment_folder()
    python = folder / "bin" / "python"
    with _alone(folder):
        if _stamp_of(folder) == _wanted():
            return python
        started = time.monotonic()
        print(f"making {folder} for stock ibllib 4.1.0: 1.6 GB, one or two minutes, this once ...", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(folder))
        _install(python)
        _run(str(python), "-c", "import ibllib.oneibl.registration, ibllib.oneibl.data_handlers")
        (folder / STAMP).write_text(_wanted())
        print(f"made in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return python


def _install(python: Path) -> None:
    pip = (str(python), "-m", "pip", "install", "--no-input", "--quiet", "--no-compile", "--prefer-binary")
    if sys.version_info[:2] == (3, 11):
        _run(*pip, *REQUIREMENTS, "-c", str(CONSTRAINTS))
    else:  # the recorded wheels are those of 3.11
        _run(*pip, *REQUIREMENTS)


def _wanted() -> str:
    text = "\n".join([*REQUIREMENTS, sys.version, CONSTRAINTS.read_text()])
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp_of(folder: Path) -> str | None:
    stamp = folder / STAMP
    return stamp.read_text() if stamp.exists() else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    with Path(tempfile.gettempdir(), f"ibllib-env-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **HEADLESS}, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise EnvironmentNotMade(f"{' '.join(command[:4])} … failed ({done.returncode}):\n{said}")


if __name__ == "__main__":
    print(ibllib_python())
