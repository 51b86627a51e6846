"""`make demo ARGS=--once`: the whole day, in processes of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.served import ROOT
from tests.clients.conftest import own_servers

pytestmark = pytest.mark.clients


def test_the_demo_shows_what_it_should_and_ends_with_its_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with own_servers(slot=1) as own:
        done = subprocess.run(
            [sys.executable, "-m", "demo", "--once", "--port", "0", "--var", str(tmp_path / "var")],
            cwd=ROOT,
            env={**os.environ, **own, "HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.sub(r"\s+", " ", done.stdout)
    assert "spikes.clusters.npy: The copy that arrived differs from the registered file" in said
    last = done.stdout.strip().splitlines()[-1]
    found = re.fullmatch(
        r"demo: (\d+) of (\d+) datasets verified on flatiron_demolab, (\d+) of (\d+) loaded back identical", last
    )
    assert found, last
    assert set(found.groups()) == {"18"}
    assert not (home / ".one").exists(), "the settings of whoever runs the demo stay as they are"
