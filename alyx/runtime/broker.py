"""Celery's `filesystem://` transport, with two changes for messages in a hurry.

A message appears whole (written beside its place, then renamed: the stock transport lets a reader take a file that is still
empty), and is taken into a folder of the instance instead of the machine's shared temporary folder.
"""

import os
import uuid
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    """One connection's view of the message folder."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time_ns():020d}_{uuid.uuid4()}"
        hidden = folder / f"{name}.writing"
        hidden.write_text(dumps(payload))
        hidden.rename(folder / f"{name}.{queue}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """The oldest message of `queue` that nobody else took first."""
        for name in sorted(os.listdir(self.data_folder_in)):  # noqa: PTH208  (polled: names are all that is needed)
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = Path(self.processed_folder) / name
            try:
                (Path(self.data_folder_in) / name).rename(taken)
            except FileNotFoundError:
                continue
            payload = taken.read_text()
            taken.unlink()
            return loads(payload)
        raise Empty


class Transport(filesystem.Transport):
    """The transport Celery is told to use when `REDIS_URL` is not set."""

    Channel = Channel
