"""A scan reads files at its repository, so it obeys what may be moved there."""

from datetime import timedelta
from pathlib import Path

import pytest

from alyx.core import clock
from datasets.models import Repository
from tests.agent.place import make_found
from tests.transfers.doors import Doors
from transfers.backends.base import OutOfHours
from transfers.models import Scan
from transfers.services import pacing, scanning


def test_a_scan_waits_for_the_hours_and_reads_no_faster_than_the_limit(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = Doors()
    monkeypatch.setattr(pacing, "make_door", doors.make)
    found = make_found(tmp_path)
    place = found.world.here
    file = Path(place.root) / found.folder / "alf/spikes.times.npy"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"s" * 300_000)

    def limit(text: str) -> Repository:
        Repository.objects.filter(pk=place.pk).update(bandwidth=text)
        return Repository.objects.get(pk=place.pk)

    limited = limit("00:00-24:00 50 kB/s")
    scanning.by_hand(limited)
    clock.advance(timedelta(minutes=16))
    local = clock.now().astimezone(place.zone)
    closed = limit(f"{local - timedelta(hours=1):%H:%M}-{local + timedelta(hours=1):%H:%M} nothing")
    with pytest.raises(OutOfHours):
        scanning.by_hand(closed)
    assert "lets nothing be moved at this hour" in Scan.objects.latest("created_at").problem
    assert doors.bytes_at(place.name) == 0
    scan, _ = scanning.by_hand(limit("00:00-24:00 50 kB/s"))
    assert scan.registered == 1
    assert doors.bytes_at(place.name) >= 300_000
    doors.assert_never_above(place.name, 50_000)
