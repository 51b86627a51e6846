"""A night with planted faults: what the morning page has to name."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from alyx.core import clock
from datasets.models import Dataset, Repository, RepositoryRole
from datasets.rules.copies import CopyState
from tests.transfers.world import World, make_repository
from transfers.models import TransferJob
from transfers.services import night
from transfers.services.leases import claim_job
from transfers.services.windows import close_by_hand, open_by_hand

_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_VERSION_3 = 0x20080522


@contextmanager
def owner_only() -> Iterator[None]:
    """Root obeys the mode of files in this block, as every other user does."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    held = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, held) == 0
    fewer = (ctypes.c_uint32 * 6)(*held)
    fewer[0] &= ~((1 << _DAC_OVERRIDE) | (1 << _DAC_READ_SEARCH))
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0


@dataclass
class Planted:
    """Each fault, by the file it befell."""

    good: list[Dataset]
    vanished: Dataset
    changed: Dataset
    denied: Dataset
    revised: Dataset
    late: Dataset
    """Its worker died; another took over."""
    mirror: Repository
    """Its disk went away."""


def faulty_night(world: World, folder: Path) -> Planted:
    """One night by hand in this process, with every fault at once."""
    planted = Planted(
        good=[world.add_file(f"good {number}".encode() * 9) for number in range(4)],
        vanished=world.add_file(b"vanishes", name="gone.times.npy"),
        changed=world.add_file(b"meant bytes", name="changed.times.npy", on_disk=b"other bytes"),
        denied=world.add_file(b"closed", name="closed.times.npy"),
        revised=world.add_file(b"first", name="revised.times.npy"),
        late=world.add_file(b"late" * 999, name="late.times.npy"),
        mirror=make_repository(
            world.lab, folder, f"mirror_of_{world.lab.name}", role=RepositoryRole.MIRROR, uuid_in_names=True
        ),
    )
    for dataset in planted.good[:2]:
        world.add_record(dataset, planted.mirror, CopyState.EXPECTED)
    world.path_of(planted.vanished, world.here).unlink()
    world.path_of(planted.denied, world.here).chmod(0)
    shutil.move(planted.mirror.root, f"{planted.mirror.root}.away")
    windows = open_by_hand(actor=None, repositories=[world.here])
    keys = [window.pk for window in windows]
    with owner_only():
        night.prepare()
        world.revise(planted.revised, b"second, longer")
        dies = claim_job(windows=keys)
        assert dies is not None
        TransferJob.objects.filter(pk=dies.job_id).update(lease_until=clock.now() - timedelta(seconds=1))
        night.run_jobs(windows=keys)
    close_by_hand(windows)
    return planted
