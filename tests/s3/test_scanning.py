"""A lab whose rigs write to a bucket: a scan registers what lies there and proves it by reading it."""

from datetime import timedelta
from pathlib import Path

import pytest

from alyx.core import clock
from datasets.models import FileRecord, RepositoryRole
from tests.agent.place import Found, make_found
from tests.s3.buckets import make_bucket
from tests.s3.servers import Servers
from transfers.models import FoundFile
from transfers.rules.intake import Why
from transfers.services import scanning

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def found(transactional_db: None, tmp_path: Path) -> Found:
    return make_found(tmp_path)


def test_a_scan_of_a_bucket_registers_what_lies_there(found: Found, s3: Servers) -> None:
    bucket = make_bucket(found.world.lab, s3.swift, "swift", role=RepositoryRole.LAB, uuid_in_names=False)
    bucket.put(f"{found.folder}/alf/spikes.times.npy", b"spikes in a bucket")
    bucket.put(f"{found.folder}/alf/unheard.of.npy", b"?")
    scanning.by_hand(bucket.repository)
    clock.advance(timedelta(minutes=16))
    scan, _ = scanning.by_hand(bucket.repository)
    assert (scan.registered, scan.left) == (1, 1)
    copy = FileRecord.objects.get(repository=bucket.repository)
    assert (copy.state, copy.evidence_level, copy.dataset.size_bytes) == ("verified", 4, len(b"spikes in a bucket"))
    assert FoundFile.objects.get(repository=bucket.repository).why == Why.NO_TYPE
