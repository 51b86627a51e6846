"""`GET /healthz`."""

import json
import os
import secrets
import time
from pathlib import Path
from unittest.mock import patch

import pytest
import redis
from django.db import OperationalError
from django.test import Client

from alyx import health
from alyx.runtime.heartbeat import Heartbeat
from alyx.runtime.instance import Instance


@pytest.fixture
def instance(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """An instance in which nothing was heard yet."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.INSTANCE = Instance(tmp_path)  # type: ignore[attr-defined]
    return Instance(tmp_path)


def heard(instance: Instance, *roles: str) -> None:
    for role in roles:
        Heartbeat(role, instance.path("heartbeat")).beat()


@pytest.mark.django_db
def test_healthz_is_200_for_anybody_once_worker_and_beat_were_heard(
    client: Client, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_STARTED", time.monotonic())  # this server has just started: no tick is missed yet
    heard(instance, "worker", "beat")
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert json.loads(answer.content) == {"database": "ok", "worker": "ok", "beat": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize("silent", ["worker", "beat"])
def test_healthz_is_503_and_names_who_is_silent(client: Client, instance: Instance, silent: str) -> None:
    heard(instance, *({"worker", "beat"} - {silent}))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert json.loads(answer.content)[silent] == "not heard"


def test_healthz_is_503_when_the_database_is_gone(client: Client, instance: Instance) -> None:
    heard(instance, "worker", "beat")
    with patch("alyx.health.connection.cursor", side_effect=OperationalError("gone")):
        answer = client.get("/healthz")
    assert answer.status_code == 503
    assert json.loads(answer.content) == {"database": "not heard", "worker": "ok", "beat": "ok"}


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_healthz_takes_no_other_method(client: Client, method: str) -> None:
    assert getattr(client, method)("/healthz").status_code == 405


def test_heartbeat_grows_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    pulse = Heartbeat("worker", tmp_path)
    assert not pulse.lives()
    pulse.beat()
    assert pulse.lives()
    pulse.forget()
    assert not pulse.lives()


@pytest.mark.skipif(not os.environ.get("REDIS_URL"), reason="needs a Redis server")
def test_heartbeat_by_redis_reaches_every_machine_and_expires(tmp_path: Path) -> None:
    role = f"test-{secrets.token_hex(4)}"
    pulse, elsewhere = Heartbeat(role, tmp_path / "here"), Heartbeat(role, tmp_path / "there")
    assert not elsewhere.lives()
    pulse.beat()
    assert elsewhere.lives()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as server:
        assert 0 < int(str(server.ttl(f"alyx:heartbeat:{role}"))) <= 30
        server.delete(f"alyx:heartbeat:{role}")


def test_broker_that_cannot_be_asked_counts_as_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    assert not Heartbeat("worker", tmp_path).lives()
