"""The servers, started once for a run of tests and ended by their process ids."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alyx.runtime.instance import ROOT
from tests.s3.ports import FILE
from transfers.backends.s3 import Place

PATIENCE_S = 60.0
REGION = "us-east-1"
BUCKET = "alyx-tests"
SWIFT_KEY_ID, SWIFT_SECRET = "alyx:tester", "a-secret-for-tests"


@dataclass(frozen=True)
class Servers:
    """A bucket on each. `wrong` has keys that its server refuses; `credentials` is the file of profiles."""

    swift: Place
    versioned: Place
    wrong: Place
    credentials: Path


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Both servers with a bucket each, and a file of profiles that boto3 finds meanwhile."""
    with ExitStack() as running:
        profiles = {"swift": (SWIFT_KEY_ID, SWIFT_SECRET), "moto": ("moto", "any"), "wrong": (SWIFT_KEY_ID, "wrong")}
        credentials = folder / "credentials"
        credentials.write_text(
            "".join(
                f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
                for name, (key, secret) in profiles.items()
            )
        )
        running.enter_context(_environment(AWS_SHARED_CREDENTIALS_FILE=str(credentials)))
        started = {name: running.enter_context(_program(name, folder / name)) for name in ("swift", "moto")}
        ports = {name: _port(process, folder / name) for name, process in started.items()}
        places = {name: Place(BUCKET, "", f"http://127.0.0.1:{port}", REGION, name) for name, port in ports.items()}
        for place in places.values():
            place.client().create_bucket(Bucket=BUCKET)
        places["moto"].client().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        wrong = Place(BUCKET, "", places["swift"].endpoint, REGION, "wrong")
        yield Servers(places["swift"], places["moto"], wrong, credentials)


@contextmanager
def _program(name: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", f"tests.s3.{name}_server", str(folder)],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    until = time.monotonic() + PATIENCE_S
    while not (folder / FILE).exists():
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        assert time.monotonic() < until, f"{folder.name} does not begin to listen"
        time.sleep(0.05)
    return int((folder / FILE).read_text())


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
