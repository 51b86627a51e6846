"""Messages by files."""

from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from threading import Thread
from typing import Any

import pytest
from kombu import Connection

from alyx.runtime.instance import Instance

pytestmark = pytest.mark.embedded


@pytest.fixture
def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """One connection's channel, on folders of its own."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings = Instance(tmp_path).celery_settings()
    options = settings["broker_transport_options"]
    with Connection(settings["broker_url"], transport_options=options) as connection:
        yield connection.default_channel


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "broker").rglob("*") if path.is_file()]


def test_messages_of_a_queue_arrive_in_the_order_they_were_sent(channel: Any) -> None:
    for number in range(20):
        channel._put("posix", {"number": number})
    channel._put("verify", {"number": 99})
    assert [channel._get("posix")["number"] for _ in range(20)] == list(range(20))
    with pytest.raises(Empty):
        channel._get("posix")
    assert channel._get("verify") == {"number": 99}


def test_message_read_leaves_no_file_behind(channel: Any, tmp_path: Path) -> None:
    channel._put("posix", {})
    assert len(files(tmp_path)) == 1
    channel._get("posix")
    assert files(tmp_path) == []


def test_message_being_written_is_not_seen(channel: Any, tmp_path: Path) -> None:
    (tmp_path / "broker" / "messages" / "00000000000000000001_x.writing").write_text("{")
    with pytest.raises(Empty):
        channel._get("posix")


def test_message_is_delivered_to_one_of_many_readers(channel: Any) -> None:
    for number in range(200):
        channel._put("posix", {"number": number})
    got: list[int] = []

    def read() -> None:
        while True:
            try:
                got.append(channel._get("posix")["number"])
            except Empty:
                return

    readers = [Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert sorted(got) == list(range(200))
