"""An instance's folder and what the environment decides."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alyx.runtime.instance import ROOT, Instance


def test_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = Instance(tmp_path / "a")
    assert first.secret_key() == Instance(tmp_path / "a").secret_key() != Instance(tmp_path / "b").secret_key()
    assert len(first.secret_key()) >= 50
    assert first.path("secret_key").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_read_one_secret_key(tmp_path: Path) -> None:
    ask = "from alyx.runtime.instance import Instance; print(Instance.from_environment().secret_key())"
    environment = {**os.environ, "ALYX_VAR": str(tmp_path / "var"), "ALYX_SECRET_KEY": ""}
    asking = [
        subprocess.Popen([sys.executable, "-c", ask], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert len({process.communicate()[0] for process in asking}) == 1


def test_only_redis_url_decides_where_messages_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    files = Instance(tmp_path).celery_settings()
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/3")
    redis = Instance(tmp_path).celery_settings()
    assert files["broker_url"].startswith("filesystem://")
    assert redis["broker_url"] == "redis://127.0.0.1:6379/3"
    differing = {name for name in files if files[name] != redis[name]}
    assert differing == {"broker_url", "broker_transport_options"}


def test_state_folder_is_chosen_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALYX_VAR", str(tmp_path / "x" / ".." / "y"))
    assert Instance.from_environment().var == tmp_path / "y"
    monkeypatch.setenv("ALYX_VAR", "")
    assert Instance.from_environment().var == ROOT / "var"
