"""A row for every endpoint of the contract, and a body that each would take."""

from typing import Any

from alyx.labs.models import Location, Role
from datasets.models import DataNotice, DatasetType, Download, Repository, RepositoryRole, RepositoryType, Revision, Tag
from sessions.models import CoordinateSystem, FOVLocation, ImagingStack
from subjects.models import WaterType
from tests.factories.animals import a_surgery, a_water, a_weighing, a_word, an_implant
from tests.factories.copies import a_copy
from tests.factories.engine import a_window, an_item
from tests.factories.people import a_lab, a_member, a_project, a_user
from tests.factories.recordings import a_channel, a_fov, a_region, a_task, a_trajectory, an_insertion
from tests.factories.records import a_dataset, a_format, a_note, a_repository, a_session, a_subject

RAW_CALL = [
    *("created_by", "path", "filenames", "hashes", "filesizes", "name", "exists", "server_only", "default", "versions"),
    *("check_protected", "labs", "projects", "qc", "content_type", "object_id", "hostname", "datasets", "user"),
]
COMPLETE: dict[str, dict[str, Any]] = {
    "sessions": {"subject": "M1"},
    "subjects": {"lab": "cortexlab"},
    "projects": {"name": "q"},
    "register-file": {"path": "M1/2026-03-09/001", "filenames": ["spikes.times.npy"], "name": "central"},
    "datasets": {"name": "spikes.times.npy", "subject": "M1", "date": "2026-03-09", "number": 1},
    "revisions": {"name": "r"},
    "tags": {"name": "s"},
    "water-administrations": {"subject": "M1", "water_administered": 0.5},
    "water-type": {"name": "Beer"},
    "weighings": {"subject": "M1", "weight": 24.5},
}
"""Bodies that would be taken, so that one bad field reaches the service."""


def hanging_on(keys: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The same, of what refers to other rows by their keys."""
    place = {**dict.fromkeys(("x", "y", "depth", "theta", "phi"), 1.0), "provenance": "Planned"}
    corners = {"x": [0] * 4, "y": [0] * 4, "z": [0] * 4, "n_xyz": [1, 1, 1], "provenance": "L"}
    return {
        "insertions": {"session": keys["sessions"], "name": "probe07"},
        "trajectories": {**place, "probe_insertion": keys["insertions"]},
        "channels": {"trajectory_estimate": keys["trajectories"], "axial": 1.0, "lateral": 2.0},
        "chronic-insertions": {"subject": "M1", "name": "probe07"},
        "fields-of-view": {"session": keys["sessions"], "name": "FOV_07"},
        "fov-location": {**corners, "field_of_view": keys["fields-of-view"]},
        "imaging-stack": {"name": "s"},
        "tasks": {"session": keys["sessions"], "name": "A"},
        "notes": {"content_type": "session", "object_id": keys["sessions"], "text": "x"},
        "data-notices": {"name": "late", "datasets": [keys["datasets"]]},
        "data-repository-type": {"name": "Tape"},
        "new-download": {"datasets": [keys["datasets"]]},
    }


def rows() -> dict[str, str]:
    """A row of each kind; what stands for it in the path, by endpoint."""
    lab = a_lab("cortexlab")
    subject = a_subject(lab, "M1")
    dataset = a_dataset(a_session(subject))
    central: Repository = a_repository(lab, name="central", role=RepositoryRole.CENTRAL)
    trajectory = a_trajectory(an_insertion(dataset.session))
    place = FOVLocation.objects.create(
        field_of_view=a_fov(dataset.session),
        provenance="E",
        coordinate_system=a_word(CoordinateSystem),
        **dict.fromkeys(("x", "y", "z"), [0.0] * 4),
        n_xyz=[1, 1, 1],
    )
    item = an_item("bound", dataset=dataset)
    return {
        "brain-regions": str(a_region("CA1").pk),
        "channels": str(a_channel(trajectory).pk),
        "chronic-insertions": str(an_implant(a_surgery(subject)).pk),
        "fields-of-view": str(place.field_of_view_id),
        "fov-location": str(place.pk),
        "imaging-stack": str(ImagingStack.objects.create().pk),
        "insertions": str(trajectory.probe_insertion_id),
        "trajectories": str(trajectory.pk),
        "data-notices": str(DataNotice.objects.create(name="late").pk),
        "data-repository-type": RepositoryType.objects.create(name="Fileserver").name,
        "downloads": str(Download.objects.create(user=a_user(), dataset=dataset).pk),
        "notes": str(a_note(dataset.session).pk),
        "tasks": str(a_task(dataset.session).pk),
        "uploaded": "notes/none.png",
        "labs": lab.name,
        "locations": Location.objects.create(name="rig_1", lab=lab).name,
        "projects": a_project("p").name,
        "users": a_member(lab, Role.HEAD, "head").username,
        "subjects": "M1",
        "sessions": str(dataset.session_id),
        "datasets": str(dataset.pk),
        "files": str(a_copy(dataset, central).pk),
        "data-repository": central.name,
        "dataset-types": DatasetType.objects.get().name,
        "data-formats": a_format().name,
        "revisions": Revision.objects.create(name="2024-01-01").name,
        "surgeries": str(a_surgery(subject).pk),
        "tags": Tag.objects.create(name="t").name,
        "transfers/items": str(item.pk),
        "transfers/jobs": str(item.job_id),
        "transfers/windows": str(a_window().pk),
        "water-administrations": str(a_water(subject).pk),
        "water-requirement": subject.nickname,
        "water-type": a_word(WaterType, "Water").name,
        "weighings": str(a_weighing(subject).pk),
    }
