"""Whatever a dump holds: taking it in again makes nothing and changes nothing."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.imports import taking
from datasets.imports.report import OUTCOMES
from datasets.models import FileRecord
from tests.imports.big_dump import Size, write_dump
from tests.imports.dumps import LAB, USER, a_lab, a_mouse, a_user, key, one, take, write
from tests.imports.state import state

pytestmark = pytest.mark.django_db

NAMES = st.sampled_from(["A", "a", "B", "", "two words", "Ä"])
KEYS = st.sampled_from([key("k1"), key("k2"), key("k3"), key("nothing"), None, "no key"])
DAYS = st.sampled_from(["2024-01-01", "2024-02-30", None, "2024-06-01"])
TIMES = st.sampled_from(["2024-03-31T01:30:00", "2024-03-31T01:30:00", "2024-03-31T09:00:00Z", None, "soon", 3])
NUMBERS = st.sampled_from([20.0, 0, -1, None, "x", 1e9, 2])


def objects_of(model: str, **fields: Any) -> Any:
    """Objects of a model with few keys, so that they meet."""
    names = st.sampled_from(["k1", "k2", "k3"])
    return st.builds(lambda name, values: one(model, name, **values), names, st.fixed_dictionaries(fields))


DUMPS = st.lists(
    st.one_of(
        objects_of("subjects.line", name=NAMES, nickname=NAMES, lab=st.just(key(LAB))),
        objects_of("subjects.subject", nickname=NAMES, lab=st.sampled_from([key(LAB), None]), line=KEYS, litter=KEYS,
                   birth_date=DAYS, death_date=DAYS, responsible_user=st.just(key(USER))),
        objects_of("subjects.litter", name=NAMES, line=KEYS, breeding_pair=KEYS, birth_date=DAYS),
        objects_of("subjects.breedingpair", name=NAMES, father=KEYS, mother1=KEYS, start_date=DAYS, end_date=DAYS),
        objects_of("actions.session", subject=KEYS, start_time=TIMES, number=NUMBERS, parent_session=KEYS, name=NAMES),
        objects_of("actions.weighing", subject=KEYS, date_time=TIMES, weight=NUMBERS, user=st.just(key(USER))),
        objects_of("actions.waterrestriction", subject=KEYS, start_time=TIMES, end_time=TIMES, reference_weight=NUMBERS),
        objects_of("misc.lablocation", name=NAMES, lab=KEYS),
        objects_of("data.datarepository", name=NAMES, globus_is_personal=st.booleans(), data_url=NAMES),
        objects_of("data.dataset", session=KEYS, object_id=KEYS, content_type=st.sampled_from([None, 3, ["subjects", "line"]]),
                   name=NAMES, collection=NAMES, hash=st.sampled_from([None, "a" * 32, "b" * 32, "c"]), file_size=NUMBERS,
                   default_dataset=st.booleans(), created_datetime=TIMES),
        objects_of("data.filerecord", dataset=KEYS, data_repository=KEYS, relative_path=NAMES, exists=st.booleans()),
        objects_of("experiments.probeinsertion", session=KEYS, name=NAMES),
        objects_of("experiments.trajectoryestimate", probe_insertion=KEYS, provenance=st.sampled_from([10, 70, 5]), x=NUMBERS),
        objects_of("experiments.channel", trajectory_estimate=KEYS, axial=NUMBERS, lateral=NUMBERS, brain_region=NUMBERS),
        objects_of("experiments.fov", session=KEYS, name=NAMES),
        objects_of("experiments.fovlocation", field_of_view=KEYS, provenance=st.sampled_from(["E", "H", ""]),
                   default_provenance=st.booleans(), brain_region=st.just([1, 2])),
        objects_of("jobs.task", session=KEYS, name=NAMES, parents=st.lists(KEYS, max_size=2), arguments=NUMBERS, status=NUMBERS),
    ),
    max_size=40,
)  # fmt: skip


@given(objects=DUMPS, size=st.integers(1, 9))
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_import_after_import_is_import(objects: list[Any], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder, transaction.atomic():
        region = {"model": "experiments.brainregion", "pk": 2, "fields": {"acronym": "R", "parent": 1}}
        mouse, session = a_mouse(), one("actions.session", "k1", subject=key("M1"), start_time="2024-01-01T09:00:00")
        path = write(Path(folder), [a_lab(repositories=[key("k1")]), a_user(), mouse, region, session, *objects])
        first = take(path, size=size)
        before = state()
        second = take(path, size=size + 3)
        assert state() == before
        for label, tally in second.models.items():
            assert tally.read == sum(getattr(tally, name) for name in OUTCOMES)
            assert (tally.created, tally.differs, tally.flagged) == (0, 0, {}), label
            assert tally.refused == first.models[label].refused
        transaction.set_rollback(True)


class Stopped(Exception):
    """As if somebody had pulled the plug between two batches."""


def test_stopped_among_the_files_and_run_again_it_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dump.json.gz"
    write_dump(path, Size(sessions=21, subjects=3, files=3, channels=2, tasks=2))
    with transaction.atomic():
        take(path)
        whole = state()
        transaction.set_rollback(True)

    def stop(name: str) -> None:
        if name == taking.BATCH_DONE and FileRecord.objects.exists():
            raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(taking, "failpoint", stop)
        with pytest.raises(Stopped):
            take(path, size=20)
    part = state()
    assert part["datasets.Dataset"] == whole["datasets.Dataset"]
    assert 0 < len(part["datasets.FileRecord"]) < len(whole["datasets.FileRecord"])
    take(path, size=30)
    assert state() == whole
