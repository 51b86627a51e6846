"""An import of files killed again and again, before and after a batch is committed: it goes on, and ends as if nobody had."""

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from datasets.imports import running, taking
from datasets.imports.running import SPOOLED
from datasets.imports.taking import BATCH_DONE, BATCH_STORED
from datasets.models import FileRecord
from tests.imports.big_dump import Size, write_dump
from tests.imports.dumps import take
from tests.imports.state import state
from tests.imports.test_command import command

pytestmark = [pytest.mark.kill, pytest.mark.once]

BATCH = 25
FIFTHS = [(SPOOLED, 1), (BATCH_STORED, 1), (BATCH_DONE, 2), (BATCH_STORED, 3), (BATCH_DONE, 4), (BATCH_STORED, 5)]
"""Where to kill, and after how many fifths of the way. Each run begins where the one before was killed."""


def rows_of(found: dict[str, list[Any]]) -> dict[str, set[str]]:
    """Table → its rows."""
    return {table: set(map(repr, rows)) for table, rows in found.items()}


def assert_nothing_is_half(part: dict[str, list[Any]], whole: dict[str, list[Any]]) -> None:
    """What is here is as it will be, with all that comes along in its batch: versions and links."""
    whole_rows = rows_of(whole)
    for table, some in rows_of(part).items():
        assert some <= whole_rows[table], table
    for table, rows in part.items():
        owner = "datasets.Dataset" if table == "versions" else table.rpartition(".")[0]
        if owner in part and table != owner:
            here = {row[0] for row in part[owner]}
            assert rows == [row for row in whole[table] if row[0] in here], table


def test_killed_again_and_again_it_goes_on_and_ends_the_same(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dump.json.gz"
    write_dump(path, Size(sessions=42, subjects=4, files=4, channels=2, tasks=2))
    passed = Counter[str]()
    with monkeypatch.context() as counting, transaction.atomic():
        for module in (running, taking):
            counting.setattr(module, "failpoint", lambda name: passed.update([name]))
        take(path, size=BATCH)
        whole = state()
        transaction.set_rollback(True)

    copies = []
    for place, fifths in FIFTHS:
        count = max(1, passed[place] * fifths // 5)
        killed = command(tmp_path, path, BATCH, ALYX_FAILPOINTS=f"{place}:{count}")
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
        assert_nothing_is_half(state(), whole)
        copies.append(FileRecord.objects.count())
    assert copies[0] == 0
    assert copies == sorted(copies)
    assert any(0 < count < len(whole["datasets.FileRecord"]) for count in copies), copies
    done = command(tmp_path, path, BATCH)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert state() == whole
