"""What a scan registers, what it leaves and why."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, Membership
from datasets.models import Dataset, FileRecord
from datasets.rules.copies import CopyState
from sessions.models import Session
from subjects.models import Subject
from tests.agent.place import Found
from tests.transfers.world import run
from transfers.backends.base import BackendFailure
from transfers.models import FoundFile, Scan
from transfers.rules.errors import ErrorCode
from transfers.rules.intake import Why
from transfers.services import scanning

ALF = ["alf/probe00/spikes.times.npy", "alf/probe00/#2026-03-10#/spikes.times.npy", "alf/clusters.metrics.pqt"]


def test_finished_files_are_registered_with_both_digests_and_proved_where_they_lie(found: Found) -> None:
    for path in ALF:
        found.put(path, path.encode())
    scan, _ = found.look_twice()
    assert found.names() == set(ALF)
    assert (scan.registered, scan.waiting, scan.left) == (3, 0, 0)
    copy = FileRecord.objects.get(repository=found.world.here, dataset__name="clusters.metrics.pqt")
    assert (copy.state, copy.evidence_level, copy.evidence["by"]) == (CopyState.VERIFIED, 4, "scan")
    assert copy.dataset.sha256 == hashlib.sha256(ALF[2].encode()).hexdigest()
    assert copy.dataset.created_by == found.rig
    assert not FoundFile.objects.exists()


def test_what_was_registered_so_arrives_centrally_the_same_night(found: Found) -> None:
    found.put(ALF[0], b"spikes")
    found.look_twice()
    run()
    central = FileRecord.objects.get(repository=found.world.central)
    assert (central.state, (Path(found.world.central.root) / central.stored_path).read_bytes()) == (
        "verified",
        b"spikes",
    )


def test_a_second_look_registers_nothing_twice(found: Found) -> None:
    found.put(ALF[0])
    found.look_twice()
    before = Dataset.objects.get()
    scan, _ = found.look()
    assert (scan.known, scan.registered) == (1, 0)
    again = Dataset.objects.get()
    assert (again.pk, again.content_version, again.updated_at) == (before.pk, 1, before.updated_at)


def test_a_file_that_grows_between_two_looks_waits(found: Found) -> None:
    file = found.put(ALF[0], b"half")
    found.look()
    clock.advance(timedelta(minutes=14))
    found.look()
    assert found.reasons() == {ALF[0]: Why.CHANGING}
    file.write_bytes(b"half and more")
    clock.advance(timedelta(minutes=14))
    found.look()
    assert found.names() == set()
    clock.advance(timedelta(minutes=15))
    found.look()
    assert Dataset.objects.get().size_bytes == len(b"half and more")


def test_the_rest_is_kept_with_its_reason(found: Found) -> None:
    found.put("alf/unheard.of.npy")
    found.put("/KS014/2026-03-09/002/alf/spikes.times.npy")
    found.put("/nobody/2026-03-09/001/alf/spikes.times.npy")
    found.put("/cortexlab/Subjects/KS014/2026-03-09/001/alf/spikes.times.npy")
    found.put("/KS014/2026-03-09/1/alf/spikes.times.npy")
    for passed in ("Thumbs.db", "transferred.flag", ".DS_Store"):
        found.put(passed)
    found.look_twice()
    assert found.reasons() == {
        "alf/unheard.of.npy": Why.NO_TYPE,
        "KS014/2026-03-09/002/alf/spikes.times.npy": Why.NO_SESSION,
        "nobody/2026-03-09/001/alf/spikes.times.npy": Why.NO_SUBJECT,
        "cortexlab/Subjects/KS014/2026-03-09/001/alf/spikes.times.npy": Why.OUTSIDE,
        "KS014/2026-03-09/1/alf/spikes.times.npy": Why.OUTSIDE,
    }
    hint = FoundFile.objects.get(path__startswith="cortexlab/").detail
    assert "root end in cortexlab/Subjects" in hint
    assert found.names() == set()


def test_a_lab_without_a_policy_has_nothing_registered(found: Found) -> None:
    found.put(ALF[0])
    found.policy.delete()
    found.look_twice()
    assert (found.names(), found.reasons()) == (set(), {ALF[0]: Why.NO_POLICY})


def test_a_session_is_made_where_the_policy_says_so_once_and_flagged(found: Found) -> None:
    found.allow(create_sessions=True)
    for name in ("spikes.times.npy", "clusters.metrics.pqt"):
        found.put(f"/KS014/2026-03-11/002/alf/{name}", name.encode())
    scan, _ = found.look_twice()
    session = Session.objects.get(path_date="2026-03-11")
    assert (session.number, session.lab, session.subject.nickname) == (2, found.world.lab, "KS014")
    assert (scan.sessions_made, session.datasets.count()) == (1, 2)
    assert ReviewFlag.objects.get(object_id=session.pk).rule == "session_made_from_folder"
    found.look_twice()
    assert Session.objects.filter(path_date="2026-03-11").count() == 1


def test_a_subject_of_two_labs_of_the_repository_is_nobodys(found: Found) -> None:
    other = Lab.objects.create(name="otherlab", timezone="Europe/London")
    Subject.objects.create(nickname="KS014", lab=other)
    found.world.here.labs.add(other)
    found.allow(create_sessions=True)
    found.put("/KS014/2026-03-12/001/alf/spikes.times.npy")
    found.put(ALF[0])
    found.look_twice()
    assert found.reasons() == {"KS014/2026-03-12/001/alf/spikes.times.npy": Why.SEVERAL_SESSIONS}
    assert found.names() == {ALF[0]}, "the session that is registered is clear"


def test_other_bytes_than_registered_are_never_made_a_version(found: Found) -> None:
    dataset = found.world.add_file(
        b"the registered bytes", name="spikes.times.npy", state=CopyState.EXPECTED, on_disk=b"the other bytes 6789"
    )
    longer = found.world.add_file(b"short", name="obj.times.npy", on_disk=b"not so short")
    found.look_twice()
    dataset.refresh_from_db()
    assert (dataset.content_version, found.world.copy(dataset, found.world.here).state) == (1, CopyState.EXPECTED)
    assert found.reasons() == dict.fromkeys([dataset.path, longer.path], Why.DIFFERS)


def test_registered_elsewhere_and_found_here_it_becomes_a_proved_copy(found: Found) -> None:
    dataset = found.world.add_file(b"the registered bytes", name="obj.times.npy", state=CopyState.EXPECTED)
    found.look_twice()
    dataset.refresh_from_db()
    assert found.world.copy(dataset, found.world.here).state == CopyState.VERIFIED
    assert (dataset.content_version, len(dataset.sha256)) == (1, 64)


def test_an_empty_mount_registers_nothing_forgets_nothing_and_says_so(found: Found) -> None:
    found.put("alf/unheard.of.npy")
    found.look()
    (found.root / ".alyx-canary").unlink()
    found.put(ALF[0])
    with pytest.raises(BackendFailure) as failure:
        found.look(patient=False)
    assert failure.value.code == ErrorCode.CANARY_MISSING
    assert found.names() == set()
    assert found.reasons() == {"alf/unheard.of.npy": Why.NO_TYPE}
    assert "Nothing was registered" in Scan.objects.latest("created_at").problem


def test_a_file_that_is_gone_is_forgotten(found: Found) -> None:
    file = found.put("alf/unheard.of.npy")
    found.look()
    file.unlink()
    clock.advance(timedelta(minutes=1))
    found.look()
    assert found.reasons() == {}


def test_a_session_waits_for_its_flag_where_the_lab_wants_one(found: Found) -> None:
    found.allow(flag_name="complete.txt")
    found.put(ALF[0])
    found.look_twice()
    assert found.reasons() == {ALF[0]: Why.NO_FLAG}
    found.put("complete.txt")
    found.look()
    assert (found.names(), found.reasons()) == ({ALF[0]}, {})


def test_an_account_that_lost_its_role_registers_nothing(found: Found) -> None:
    found.put(ALF[0])
    Membership.objects.filter(user=found.rig).delete()
    found.look_twice()
    assert found.reasons() == {ALF[0]: Why.REFUSED}
    assert "it needs the role" in FoundFile.objects.get().detail


def test_announced_files_are_left_to_the_look_that_hashes_them(found: Found) -> None:
    dataset = found.world.add_file(b"announced", state=CopyState.ANNOUNCED, hashed=False)
    scan, _ = found.look_twice()
    assert (scan.known, scan.registered) == (1, 0)
    run()
    assert found.world.copy(dataset, found.world.here).state == CopyState.VERIFIED


def test_a_page_costs_the_same_number_of_statements_however_many_files(found: Found) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            scanning.preview(found.world.here)
        return len(queries)

    for number in range(3):
        found.put(f"alf/probe{number:02d}/spikes.times.npy", bytes([number]))
    few = statements()
    for number in range(300):
        found.put(f"alf/set{number:03d}/spikes.times.npy", bytes([number % 256]))
        found.put(f"/M{number}/2026-03-09/001/alf/spikes.times.npy")
    assert statements() == few


def test_a_preview_writes_nothing(found: Found) -> None:
    found.put(ALF[0])
    found.put("alf/unheard.of.npy")
    counts, done = scanning.preview(found.world.here, patient=False)
    assert (counts["registered"], counts["left"], done.registered) == (1, 1, [f"{found.folder}/{ALF[0]}"])
    assert [model.objects.count() for model in (FoundFile, Scan, Dataset)] == [0, 0, 0]
