"""The command: its report, its refusals, and what remains when it is killed."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from alyx.labs.models import Lab
from datasets.imports.taking import BATCH_DONE
from sessions.models import Session
from subjects.models import Subject
from tests.imports.dumps import REAL, a_lab, a_mouse, take, write
from tests.imports.state import state


@pytest.mark.django_db
def test_it_reports_for_people_and_for_programs(tmp_path: Path) -> None:
    path, said = write(tmp_path, [a_lab(), a_mouse()], "dump.json.gz"), StringIO()
    call_command("import_alyx", path, server_timezone="Europe/London", stdout=said)
    assert ["subjects.subject", "1", "1"] in [line.split()[:3] for line in said.getvalue().splitlines()]
    said = StringIO()
    call_command("import_alyx", path, json=True, stdout=said)
    report = json.loads(said.getvalue())
    assert report["total"]["read"] == report["total"]["unchanged"] == 2
    assert report["models"]["misc.lab"]["unchanged"] == 1


@pytest.mark.django_db
def test_what_cannot_be_begun_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, [a_lab(), a_mouse()], "dump.json.gz")
    path.write_bytes(path.read_bytes()[:-15])
    with pytest.raises(CommandError, match=r"cannot be read to its end.*Nothing was changed"):
        call_command("import_alyx", path)
    with pytest.raises(CommandError, match="no such time zone"):
        call_command("import_alyx", path, server_timezone="Mars/Olympus")
    with pytest.raises(CommandError, match="no such lab"):
        call_command("import_alyx", path, default_lab="elsewhere")
    assert not Lab.objects.exists()


def command(folder: Path, dump: Path = REAL, batch: int = 60, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A real process on the test's database."""
    known = connection.settings_dict
    user = known["USER"] + (f":{known['PASSWORD']}" if known["PASSWORD"] else "")
    url = f"postgres://{user}@{known['HOST'].replace('/', '%2F')}:{known['PORT']}/{known['NAME']}"
    return subprocess.run(
        [sys.executable, "manage.py", "import_alyx", dump, "--server-timezone", "Europe/London", "--batch", str(batch)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": url, "ALYX_VAR": str(folder / "var"), **more},
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.kill
def test_killed_in_the_middle_and_run_again_it_ends_the_same(transactional_db: None, tmp_path: Path) -> None:
    with transaction.atomic():
        take(REAL)
        whole = state()
        transaction.set_rollback(True)
    assert command(tmp_path, ALYX_FAILPOINTS=f"{BATCH_DONE}:16").returncode == -signal.SIGKILL
    assert Subject.objects.count() == 968  # some is here …
    assert 0 < Session.objects.count() < 337  # … and some is not
    done = command(tmp_path)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert state() == whole
