"""A recording that no rig registered: the lab's agent finds it, packs it, is killed, goes on; the stock client lists it."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.served import ROOT, Served
from demo.story import Story
from tests.agent import neuropixels
from tests.clients.conftest import administrator, night

pytestmark = [pytest.mark.clients, pytest.mark.once]

DAY = "2026-03-20"
AP = "raw_ephys_data/probe00/_spikeglx_ephysData_g0_t0.imec0.ap"
POLICY = """
from alyx.labs.models import Lab, User
from transfers.services.intake import set_intake
values = {"account": User.objects.get(username=RIG), "create_sessions": True, "compress_ephys": True, "quiet_minutes": 0, "nightly": False}
set_intake(actor=User.objects.get(username="admin"), lab=Lab.objects.get(repositories__name=PLACE), values=values)
"""


def test_files_of_a_lab_server_reach_the_analyst_although_the_agent_is_killed(
    served: Served, lab: Story, analyst: Any
) -> None:
    place = lab.lab_repository
    names = f"RIG, PLACE = {lab.rig_user!r}, {place!r}"
    served.manage("shell", "-c", f"{names}\n{POLICY}")
    folder = Path(lab.lab_folder) / lab.subjects[0] / DAY / "001"
    raw, spikes = neuropixels.raw(1.5), np.arange(9.0)
    (folder / AP).parent.mkdir(parents=True)
    (folder / f"{AP}.bin").write_bytes(raw)
    (folder / f"{AP}.meta").write_bytes(neuropixels.meta(len(raw)))
    (folder / "alf").mkdir()
    np.save(folder / "alf" / "spikes.times.npy", spikes)

    killed = subprocess.run(
        [sys.executable, "manage.py", "copy_agent", "--repository", place],
        cwd=ROOT,
        env={**served.environment(), "ALYX_FAILPOINTS": "agent.placed"},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    said = served.manage("copy_agent", "--repository", place, "--once")
    assert "4 files seen, 2 registered, 0 wait, 0 need somebody" in said  # the others were, before it was killed
    night(served)

    eid = analyst.search(subject=lab.subjects[0], date_range=DAY, query_type="remote")[0]
    listed = [f"{AP}.cbin", f"{AP}.ch", f"{AP}.meta", "alf/spikes.times.npy"]
    assert sorted(analyst.list_datasets(eid, query_type="remote")) == sorted(listed)
    np.testing.assert_array_equal(analyst.load_dataset(eid, "spikes.times", query_type="remote"), spikes)
    records = administrator(served).rest("datasets", "list", session=str(eid))
    central = [
        copy for one in records for copy in one["file_records"] if copy["data_repository"] == lab.central_repository
    ]
    assert [copy["exists"] for copy in central] == [True] * 4
