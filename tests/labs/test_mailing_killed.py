"""A sender killed between claim and mail, and between mail and note: nothing leaves twice, nothing is lost from sight."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from alyx.core import clock
from alyx.labs import mailing
from alyx.labs.models import Delivery
from alyx.runtime.instance import ROOT
from tests.labs.test_mailing import FILES, fresh, mails_in, news

pytestmark = pytest.mark.kill
SEND = "import alyx.celery, django; django.setup(); from alyx.labs.tasks import deliver; deliver.apply().get()"


@pytest.fixture(autouse=True)
def _now(transactional_db: None) -> Iterator[None]:
    clock.set_offset(timedelta(0))
    yield
    clock.set_offset(timedelta(0))


def sender(folder: Path, place: str) -> int:
    """The job in a process of its own, killed at `place`; its exit code."""
    known = connection.settings_dict
    user = known["USER"] + (f":{known['PASSWORD']}" if known["PASSWORD"] else "")
    url = f"postgres://{user}@{known['HOST'].replace('/', '%2F')}:{known['PORT']}/{known['NAME']}"
    var = {"ALYX_VAR": str(folder), "DATABASE_URL": url, "ALYX_FAILPOINTS": place, "ALYX_SMTP_HOST": ""}
    done = subprocess.run(
        [sys.executable, "-c", SEND], cwd=ROOT, env={**os.environ, **var}, capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    return done.returncode


@pytest.mark.parametrize(("place", "left"), [(mailing.CLAIMED, 0), (mailing.LEFT, 1)])
def test_a_killed_sender(place: str, left: int, tmp_path: Path, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = FILES, tmp_path / "mail"
    killed, other = news(title="first"), news(title="second")
    assert sender(tmp_path, place) == -9
    assert sorted((fresh(killed).state, fresh(other).state)) == ["sending", "waiting"]
    if fresh(killed).state == "waiting":
        killed, other = other, killed
    assert mailing.send_due() == 1
    clock.set_offset(mailing.LEASE - timedelta(seconds=30))
    assert not mailing.tick()
    assert (fresh(killed).state, fresh(other).state) == ("sending", "sent")
    clock.set_offset(mailing.LEASE + timedelta(seconds=30))
    assert not mailing.tick()
    assert fresh(killed).state == "unsure"
    assert mailing.send_due() == 0
    assert len(mails_in(tmp_path / "mail")) == left + 1
    assert Delivery.objects.filter(pk=killed.pk, attempts=1).exists()
    mailing.send_again(actor=killed.user, delivery=killed)
    assert mailing.send_due() == 1
    assert fresh(killed).state == "sent"
    ids = [line for mail in mails_in(tmp_path / "mail") for line in mail.splitlines() if line.startswith("Message-ID")]
    assert ids.count(f"Message-ID: {mailing.message_id(killed.pk)}") == left + 1
