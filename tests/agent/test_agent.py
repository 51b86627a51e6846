"""Rounds of the copy agent on real files."""

import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import mtscomp
import numpy as np
import pytest

from alyx.core import clock
from datasets.models import Dataset, FileRecord
from datasets.rules.copies import CopyState
from tests.agent import neuropixels
from tests.agent.place import Found
from tests.transfers.world import run
from transfers.agent import lock, rounds
from transfers.agent.hands import AgentHands
from transfers.backends.base import BackendFailure
from transfers.models import FoundFile, Scan
from transfers.rules.intake import Why

PROBE = "raw_ephys_data/probe00"
NIDQ = "raw_ephys_data/_spikeglx_ephysData_g0_t0.nidq"
AP = f"{PROBE}/_spikeglx_ephysData_g0_t0.imec0.ap"


def one_round(found: Found, hands: AgentHands | None = None) -> rounds.Round:
    """A round of an agent that was just started, unless it is given."""
    return rounds.one_round(found.world.here, hands or rounds.agent_for(found.world.here))


def record(found: Found, name: str = AP, *, seconds: float = 2.5) -> bytes:
    """A recording with its .meta file, finished."""
    data = neuropixels.raw(seconds)
    meta = neuropixels.meta(len(data))
    found.put(f"{name}.bin", data)
    found.put(f"{name}.meta", meta.replace(b"imSampRate", b"niSampRate") if name == NIDQ else meta)
    found.allow(compress_ephys=True, quiet_minutes=0)
    return data


def set_aside(found: Found) -> dict[str, Path]:
    """Originals in the trash, by name."""
    return {file.name: file for file in (found.root / ".alyx-trash").rglob("*") if file.is_file()}


def left_in_the_workshop(found: Found) -> list[Path]:
    """Files of ours that no round has cleared away."""
    return [file for file in (found.root / ".alyx-agent").rglob("*") if file.is_file()]


def assert_compressed_and_registered(found: Found, data: bytes) -> None:
    """The three files are registered and proved, the original lies in the trash whole, nothing is left over."""
    assert found.names() == {f"{AP}.cbin", f"{AP}.ch", f"{AP}.meta"}
    copies = FileRecord.objects.filter(repository=found.world.here)
    assert set(copies.values_list("state", flat=True)) == {CopyState.VERIFIED}
    for copy in copies.select_related("dataset"):
        content = (found.root / copy.stored_path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == copy.dataset.sha256
    reader = mtscomp.decompress(found.root / found.folder / f"{AP}.cbin", found.root / found.folder / f"{AP}.ch")
    assert reader[:].tobytes() == data
    reader.close()
    assert {name: file.read_bytes() for name, file in set_aside(found).items()} == {f"{Path(AP).name}.bin.v0": data}
    assert not (found.root / found.folder / f"{AP}.bin").exists()
    assert left_in_the_workshop(found) == []
    assert not FoundFile.objects.exists()


def test_files_are_registered_when_two_rounds_saw_them_the_same(found: Found) -> None:
    found.put("alf/spikes.times.npy", b"spikes")
    assert one_round(found).registered == 0
    clock.advance(timedelta(minutes=16))
    again = one_round(found)
    assert (again.registered, found.names()) == (1, {"alf/spikes.times.npy"})
    assert FileRecord.objects.get(repository=found.world.here).evidence["by"] == "copy agent"
    assert Scan.objects.get().kind == "agent"
    run()
    assert FileRecord.objects.get(repository=found.world.central).state == CopyState.VERIFIED


def test_raw_ephys_is_packed_without_loss_before_it_is_registered(found: Found) -> None:
    data = record(found)
    assert one_round(found).registered == 3
    assert_compressed_and_registered(found, data)
    dataset = Dataset.objects.get(name__endswith=".cbin")
    facts = dataset.json["made_from"]
    assert (dataset.generating_software, dataset.software_version) == (
        "mtscomp",
        f"mtscomp 1.0.2, numpy {np.__version__}, Python {sys.version.split()[0]}",
    )
    assert facts["made_from"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert (facts["lossless"], facts["made_from"]["name"]) == (True, f"{Path(AP).name}.bin")
    assert (found.root / facts["set_aside"]).read_bytes() == data
    assert dataset.size_bytes is not None
    assert dataset.size_bytes < len(data)
    run()
    assert set(FileRecord.objects.filter(repository=found.world.central).values_list("state", flat=True)) == {
        "verified"
    }


def test_what_was_recorded_beside_the_probes_is_packed_too(found: Found) -> None:
    data = record(found, NIDQ)
    assert one_round(found).registered == 3
    assert found.names() == {f"{NIDQ}.cbin", f"{NIDQ}.ch", f"{NIDQ}.meta"}
    assert Dataset.objects.get(name__endswith=".cbin").dataset_type.name == "ephysData.raw.nidq"
    reader = mtscomp.decompress(found.root / found.folder / f"{NIDQ}.cbin", found.root / found.folder / f"{NIDQ}.ch")
    assert reader[:].tobytes() == data
    reader.close()


def test_a_second_round_after_packing_does_nothing(found: Found) -> None:
    data = record(found)
    hands = rounds.agent_for(found.world.here)
    one_round(found, hands)
    assert one_round(found, hands).registered == 0
    assert_compressed_and_registered(found, data)


def test_a_servers_scan_leaves_packing_to_the_agent(found: Found) -> None:
    record(found)
    found.look()
    assert found.reasons() == {f"{AP}.bin": Why.TO_COMPRESS}


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (None, "does not lie beside it"),
        (b"typeThis=imec\nnSavedChans=9", "no sample rate"),
        (b"imSampRate=30000\nnSavedChans=7", "not whole samples of 7 channels"),
        (b"imSampRate=30000\nnSavedChans=9\nfileSizeBytes=1", "its .meta file says 1"),
    ],
)
def test_what_cannot_be_packed_stays_as_it_was_and_says_why(found: Found, meta: bytes | None, words: str) -> None:
    data = record(found, seconds=0.1)
    if meta is None:
        (found.root / found.folder / f"{AP}.meta").unlink()
    else:
        found.put(f"{AP}.meta", meta)
    one_round(found)
    left = FoundFile.objects.get(path__endswith=".bin")
    assert (left.why, words in left.detail) == (Why.NOT_COMPRESSED, True), left.detail
    assert (found.root / left.path).read_bytes() == data
    assert (set_aside(found), left_in_the_workshop(found)) == ({}, [])
    assert found.names() <= {f"{AP}.meta"}


def test_a_packer_that_loses_a_bit_is_found_out(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    data = record(found)
    honest = mtscomp.Writer.get_chunk

    def lying(self: mtscomp.Writer, index: int) -> np.ndarray:
        chunk = np.array(honest(self, index))
        chunk[-1, -1] ^= 1
        return chunk

    monkeypatch.setattr(mtscomp.Writer, "get_chunk", lying)
    one_round(found)
    assert found.names() == {f"{AP}.meta"}
    assert "does not unpack to the same bytes" in FoundFile.objects.get().detail
    assert (found.root / found.folder / f"{AP}.bin").read_bytes() == data
    assert set_aside(found) == {}


def test_a_cbin_that_lies_there_already_is_not_written_over(found: Found) -> None:
    record(found)
    found.put(f"{AP}.cbin", b"somebody else's")
    one_round(found)
    assert (found.root / found.folder / f"{AP}.cbin").read_bytes() == b"somebody else's"
    assert found.reasons()[f"{AP}.bin"] == Why.NOT_COMPRESSED
    assert set_aside(found) == {}


def test_a_failed_file_is_not_tried_again_until_it_changes(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    record(found, seconds=0.1)
    found.put(f"{AP}.meta", b"")
    hands = rounds.agent_for(found.world.here)
    one_round(found, hands)
    data = neuropixels.raw(0.2, seed=1)
    found.put(f"{AP}.meta", neuropixels.meta(len(data)))
    one_round(found, hands)
    assert found.names() == {f"{AP}.meta"}
    found.put(f"{AP}.bin", data)
    one_round(found, hands)
    assert f"{AP}.cbin" in found.names()


def test_two_agents_do_not_work_on_one_disk(found: Found) -> None:
    found.put("alf/spikes.times.npy")
    with lock.held(found.root), pytest.raises(lock.AnotherAgent, match="process"):
        one_round(found)
    one_round(found)


def test_an_empty_mount_is_neither_believed_nor_written_to(found: Found) -> None:
    found.put("alf/spikes.times.npy")
    one_round(found)
    (found.root / ".alyx-canary").unlink()
    before = sorted(found.root.rglob("*"))
    with pytest.raises(BackendFailure):
        one_round(found)
    assert sorted(found.root.rglob("*")) == before
    assert "Nothing was registered" in Scan.objects.get().problem
    assert FoundFile.objects.count() == 1


def test_the_agent_goes_on_round_after_round_until_it_is_stopped(found: Found) -> None:
    said: list[rounds.Round | str] = []
    mark = found.root / ".alyx-canary"

    def stopped(seconds: float) -> bool:
        assert seconds == 300
        if len(said) == 1:
            mark.rename(found.root / ".alyx-away")
        if len(said) == 2:
            (found.root / ".alyx-away").rename(mark)
        return len(said) == 3

    found.allow(quiet_minutes=0)
    found.put("alf/spikes.times.npy")
    rounds.work(found.world.here, stopped=stopped, every_s=300, say=said.append)
    first, away, back = said
    assert isinstance(first, rounds.Round)
    assert isinstance(back, rounds.Round)
    assert (first.registered, back.registered) == (1, 0)
    assert "Nothing was registered" in str(away)


def test_announced_files_are_hashed_by_the_agent_at_night(found: Found) -> None:
    dataset = found.world.add_file(b"announced", name="obj.times.npy", state=CopyState.ANNOUNCED, hashed=False)
    assert one_round(found).announced == 0
    now = clock.now()
    found.world.here.windows.create(local_date=now.date(), starts_at=now, ends_at=now + timedelta(hours=1))
    assert one_round(found).announced == 1
    assert found.world.copy(dataset, found.world.here).state == CopyState.VERIFIED


def test_numpy_and_mtscomp_are_loaded_by_the_packing_only() -> None:
    program = (
        "import django, sys; django.setup(); import transfers.tasks, transfers.agent.rounds; "
        "print([name for name in ('mtscomp', 'tqdm') if name in sys.modules])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "alyx.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
