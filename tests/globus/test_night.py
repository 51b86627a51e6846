"""A lab's night over Globus: the engine, the real SDK, the stand-in."""

import os
from datetime import timedelta

import pytest

from alyx.core import clock
from datasets.models import Repository
from datasets.rules.copies import CopyState
from tests.globus.night import GlobusNight
from transfers.models import Attempt, TransferItem, TransferJob
from transfers.services.planning import plan_transfers

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_a_night_goes_from_the_lab_to_the_central_collection_and_is_proved_there(globus_night: GlobusNight) -> None:
    contents = [os.urandom(3 << 20), b"", *(b"%d" % n * 100 for n in range(6))]
    copies = [globus_night.add(content) for content in contents]
    unhashed = globus_night.add(b"nobody hashed this", hashed=False)
    globus_night.until(lambda: globus_night.arrived(copies[0], contents[0]) and globus_night.settled())
    assert all(globus_night.arrived(copy, content) for copy, content in zip(copies, contents, strict=True))
    unhashed.refresh_from_db()
    assert (unhashed.state, unhashed.evidence_level) == (CopyState.VERIFIED, 3)
    assert unhashed.sha256 == unhashed.dataset.sha256 != ""
    job = TransferJob.objects.get(destination=globus_night.central.repository)
    assert (job.remote_state, job.files_total, globus_night.tasks()) == ("succeeded", 9, 1)
    assert Attempt.objects.filter(job=job, outcome="done").count() == 9
    assert plan_transfers(actor=None).items == 0
