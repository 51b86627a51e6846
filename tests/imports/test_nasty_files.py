"""Whatever stands in a dump about files and recordings: kept and flagged, or refused with its reason."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alyx.core.models import Note, ReviewFlag
from datasets.models import DataFormat, Dataset, Download, FileRecord, Repository
from sessions.models import FOV, BrainRegion, Channel, ProbeInsertion, Task, TrajectoryEstimate
from tests.imports.dumps import LAB, USER, a_lab, a_mouse, a_user, key, one, take, write
from tests.imports.test_nasty import rules, run

pytestmark = pytest.mark.django_db
MD5 = "d41d8cd98f00b204e9800998ecf8427e"
DAY = "2024-05-06T10:00:00"


def a_session(name: str = "s") -> dict[str, Any]:
    return one("actions.session", name, subject=key("M1"), lab=key(LAB), start_time=DAY, number=1)


def words() -> list[dict[str, Any]]:
    """What datasets need."""
    return [
        a_mouse(),
        a_session(),
        one("data.datasettype", "type", name="spikes.times"),
        one("data.dataformat", "npy", name="npy", file_extension=".npy"),
        one("data.datarepository", "here", name="lab_SR", globus_is_personal=True, timezone="Europe/London"),
        one("data.datarepository", "there", name="flatiron_lab", timezone="Mars", data_url="https://host/lab/Subjects"),
    ]


def a_dataset(name: str, /, **fields: Any) -> dict[str, Any]:
    known = {"session": key("s"), "dataset_type": key("type"), "data_format": key("npy"), "collection": "alf"}
    return one("data.dataset", name, **{**known, "name": f"{name}.npy", **fields})


def a_copy(name: str, dataset: str, place: str = "here", **fields: Any) -> dict[str, Any]:
    known = {"relative_path": f"M1/2024-05-06/001/alf/{dataset}.npy", "exists": True}
    return one("data.filerecord", name, dataset=key(dataset), data_repository=key(place), **{**known, **fields})


def test_datasets_as_bad_as_they_come(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        *words(),
        a_dataset("good", file_size=12, hash=MD5.upper(), created_datetime="2024-07-01T12:00:00"),
        a_dataset("uuid", file_size=12, md5="d41d8cd9-8f00-b204-e980-0998ecf8427e"),
        a_dataset("huge", file_size=2**62, hash="a" * 64),
        a_dataset("sizeless", hash=MD5),
        a_dataset("below", file_size=-1, hash="no digest"),
        a_dataset("spaced", name="two words.npy"),
        a_dataset("wordless", dataset_type=None, data_format=key("nowhere")),
        a_dataset("nameless", name=None),
        a_copy("nameless copy", "nameless", relative_path="M1/2024-05-06/001/alf/found.npy"),
        a_dataset("climbs", collection="../../etc"),
        a_dataset("path", name="alf/x.npy"),
        a_dataset("control", name="a\nb.npy"),
        a_dataset("lost", session=key("nowhere")),
        a_dataset("nobody's", session=None),
        a_dataset("twin", name="good.npy", file_size=12, hash=MD5),
        a_dataset("other", name="good.npy", file_size=13, hash="b" * 32),
        a_dataset("mouse", session=None, content_type=["subjects", "Subject"], object_id=key("M1"), collection=None),
        a_dataset("no mouse", session=None, content_type=["subjects", "subject"], object_id=key("M2")),
    )  # fmt: skip
    tally = report.models["data.dataset"]
    assert dict(tally.reasons) == {
        "its path climbs out of its folder, or its name is a path": 2,
        "its path cannot be kept (path_without_control_characters)": 1,
        "its session is neither in the file nor here": 1,
        "it belongs to no session and to no other object": 1,
        "the object it belongs to is neither in the file nor here": 1,
    }
    assert (tally.created, tally.remapped) == (10, 1)
    good = Dataset.objects.get(pk=key("good"))
    assert (good.md5, good.size_bytes, good.hash_state) == (MD5, 12, "attested")
    assert good.created_at == datetime(2024, 7, 1, 11, tzinfo=UTC)
    assert Dataset.objects.get(pk=key("uuid")).md5 == MD5
    assert Dataset.objects.get(pk=key("huge")).sha256 == "a" * 64
    for name in ("sizeless", "below"):
        assert (Dataset.objects.get(pk=key(name)).hash_state, rules(name)) == ("pending", {"value-not-kept"})
    assert rules("spaced") == {"path-not-alf"}
    wordless = Dataset.objects.select_related("dataset_type", "data_format").get(pk=key("wordless"))
    assert (wordless.dataset_type.name, wordless.data_format.name) == ("unknown", "unknown")
    assert rules("wordless") == {"broken-reference"}
    assert Dataset.objects.get(pk=key("nameless")).name == "found.npy"
    other = Dataset.objects.get(pk=key("other"))
    assert other.withdrawn_at is not None
    assert rules("other") == {"path-taken"}
    assert str(Dataset.objects.get(session=None).object_id) == key("M1")


def test_copies_as_bad_as_they_come(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        *words(),
        a_dataset("d"),
        a_dataset("f"),
        a_dataset("twin", name="d.npy"),
        a_copy("gone", "d", exists=False, relative_path="M1/2024-05-06/001/d.npy"),
        a_copy("kept", "d"),
        a_copy("of twin", "twin", "there", relative_path=f"M1/2024-05-06/001/alf/d.{key('twin')}.npy"),
        a_copy("thief", "f", relative_path="M1/2024-05-06/001/alf/d.npy"),
        a_copy("climber", "f", relative_path="../../etc/passwd"),
        a_copy("nowhere", "f", "mars"),
    )
    tally = report.models["data.filerecord"]
    assert dict(tally.reasons) == {
        "another dataset's copy has its path at this repository": 1,
        "its path climbs out of its folder, or its name is a path": 1,
        "its data_repository is neither in the file nor here": 1,
    }
    assert (tally.created, tally.remapped, rules("kept")) == (2, 1, {"copy-twice"})
    assert set(FileRecord.objects.values_list("dataset_id", "state")) == {
        (Dataset.objects.get(name="d.npy").pk, "claimed")
    }
    there = FileRecord.objects.get(repository__name="flatiron_lab")
    assert there.stored_path == f"M1/2024-05-06/001/alf/d.{there.dataset_id}.npy"
    assert there.relative_path == "M1/2024-05-06/001/alf/d.npy"


def test_repositories_formats_and_downloads(tmp_path: Path) -> None:
    ours = DataFormat.objects.create(name="ours", file_extension=".bin")
    run(
        tmp_path,
        *words()[:4],
        one("data.datarepositorytype", "kind", name="Fileserver"),
        one("data.datarepository", "there", name="aws_lab", timezone="Mars", data_url="https://me:pw@host/",
            repository_type=key("kind"), globus_endpoint_id="none", json={"bucket_name": "b", "Secret access key": "x"}),
        one("data.dataformat", "theirs", name="theirs", file_extension=ours.file_extension),
        a_dataset("d"),
        one("data.download", "n", user=key(USER), dataset=key("d"), count=3, first_download="2024-07-01T12:00:00"),
        one("data.datanotice", "w", description="careful", importance=50, datasets=[key("d"), key("x")]),
    )  # fmt: skip
    place = Repository.objects.get(name="aws_lab")
    assert (place.json, place.data_url, place.repository_type) == ({"bucket_name": "b"}, None, "Fileserver")
    assert rules("there") == {"value-not-kept", "secret-not-kept"}
    assert not ReviewFlag.objects.filter(facts__icontains="pw@").exists()
    assert rules("theirs") == {"extension-taken"}
    assert Download.objects.get().created_at == datetime(2024, 7, 1, 11, tzinfo=UTC)
    assert rules("w") == {"broken-reference"}


def test_recordings_as_bad_as_they_come(tmp_path: Path) -> None:
    def trajectory(name: str, **fields: Any) -> dict[str, Any]:
        return one("experiments.trajectoryestimate", name, **{"probe_insertion": key("p"), "provenance": 70, **fields})

    def channel(name: str, of: str, **fields: Any) -> dict[str, Any]:
        return one("experiments.channel", name, trajectory_estimate=key(of), **fields)

    def location(name: str, provenance: str) -> dict[str, Any]:
        return one("experiments.fovlocation", name, field_of_view=key("f"), provenance=provenance,
                   default_provenance=True, x=[1], y=[2], z=[3], n_xyz=[1, 1, 1], brain_region=[5, 77])  # fmt: skip

    def task(name: str, /, **fields: Any) -> dict[str, Any]:
        return one("jobs.task", name, **{"session": key("s"), "name": "Step", "arguments": None, **fields})

    region = {"acronym": "XX5", "name": "five", "parent": None}
    report = run(
        tmp_path,
        a_mouse(),
        a_session(),
        {"model": "experiments.brainregion", "pk": 5, "fields": region},
        {"model": "experiments.brainregion", "pk": 6, "fields": region},
        {"model": "experiments.brainregion", "pk": "x", "fields": region},
        one("experiments.probeinsertion", "p", session=key("s"), name="probe00", model=key("x")),
        one("experiments.probeinsertion", "q", session=key("s"), name="probe00"),
        one("experiments.probeinsertion", "r", session=None, name="probe00"),
        trajectory("old", datetime="2024-01-01T00:00:00", x=1.0),
        trajectory("new", datetime="2024-02-01T00:00:00", x=2.0),
        trajectory("unsaid", provenance=None),
        trajectory("alone", probe_insertion=key("r")),
        channel("a", "old", axial=40.0, lateral=0.0, brain_region=6),
        channel("b", "new", axial=20.0, lateral=0.0, brain_region=77),
        channel("c", "new", axial=20.0, lateral=0.0, brain_region=5),
        channel("d", "new", axial=None, lateral=None),
        channel("e", "new", axial=None, lateral=None),
        one("experiments.fov", "f", session=key("s"), name="FOV_00"),
        location("l1", "E"),
        location("l2", "H"),
        task("child", parents=[key("t"), key("nothing")], name="Next"),
        task("t"),
        task("again", status=99),
        task("else", arguments={"a": 1}, priority=10**9),
    )
    assert report.models["experiments.brainregion"].remapped == 1
    assert BrainRegion.objects.get(pk=5).last > 0
    assert set(ProbeInsertion.objects.values_list("name", flat=True)) == {"probe00", "probe00.2"}
    assert rules("q") == {"name-taken"}
    kept = TrajectoryEstimate.objects.get()
    assert (str(kept.pk), kept.x, rules("new")) == (key("new"), 2.0, {"trajectory-twice"})
    assert report.models["experiments.trajectoryestimate"].refused == 2
    assert Channel.objects.filter(trajectory=kept).count() == 4
    assert Channel.objects.get(pk=key("a")).brain_region_id == 5
    assert rules("b") == {"broken-reference", "channel-twice"}
    locations = FOV.objects.get().locations
    assert [one.provenance for one in locations.filter(default_provenance=True)] == ["E"]
    assert [one.pk for one in locations.get(provenance="H").brain_regions.all()] == [5]
    assert rules("l2") == {"default-taken", "broken-reference"}
    child = Task.objects.get(pk=key("child"))
    assert [str(one.pk) for one in child.parents.all()] == [key("t")]
    assert rules("child") == {"broken-reference"}
    assert set(Task.objects.filter(withdrawn_at=None).values_list("pk", flat=True)) == {
        child.pk, *Task.objects.filter(pk__in=[key("t"), key("else")]).values_list("pk", flat=True)
    }  # fmt: skip
    assert rules("again") == {"task-twice", "value-not-kept"}
    assert rules("else") == {"value-not-kept"}


def test_what_a_note_is_about_by_name_and_by_number(tmp_path: Path) -> None:
    same = key("M1")
    number = {"model": "contenttypes.contenttype", "pk": 8, "fields": {"app_label": "actions", "model": "session"}}
    session = {**a_session(), "pk": same}  # two things with one key: only the content type tells them apart
    known = {"object_id": same, "user": key(USER), "date_time": DAY}
    run(
        tmp_path,
        number,
        a_mouse(),
        session,
        one("misc.note", "n", content_type=["subjects", "subject"], **known),
        one("misc.note", "m", content_type=8, **known),
    )
    assert [Note.objects.get(pk=key(name)).content_type.model for name in "nm"] == ["subject", "session"]


def test_a_lab_that_was_here_before_gets_its_repositories(tmp_path: Path) -> None:
    run(tmp_path)
    place = one("data.datarepository", "here", name="lab_SR", globus_is_personal=True)
    report = take(write(tmp_path, [a_user(), a_lab(repositories=[key("here")]), place]))
    assert report.models["misc.lab"].unchanged == 1
    assert [lab.name for lab in Repository.objects.get().labs.all()] == [LAB]
