"""Which dataset type and format a file name has, with the shipped vocabulary and the stock client as the oracle."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from one.registration import get_dataset_type

import datasets
from datasets.rules.matching import (
    AmbiguousType,
    FormatMatcher,
    FormatRow,
    TypeMatcher,
    TypeRow,
    UnknownFormat,
    UnknownType,
)
from datasets.services.vocabularies import read_rows

VOCABULARY = Path(datasets.__file__).parent / "vocabulary"
TYPES = [
    TypeRow(row["id"], row["name"], row["filename_pattern"]) for row in read_rows(VOCABULARY / "dataset_types.csv")
]
FORMATS = [
    FormatRow(row["id"], row["name"], row["file_extension"]) for row in read_rows(VOCABULARY / "data_formats.csv")
]


def rows(**patterns: str) -> list[TypeRow]:
    return [TypeRow(uuid4(), name.replace("__", "."), pattern) for name, pattern in patterns.items()]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spikes.times.npy", "spikes.times"),
        ("SPIKES.TIMES.NPY", "spikes.times"),
        ("_ibl_trials.choice.npy", "trials.choice"),
        ("_ibl_trials.goCue_times.npy", "trials.goCue_times"),
        ("_ibl_trials.intervals_bpod.npy", "trials.intervals"),
        ("_ibl_trials.table.pqt", "trials.table"),
        ("_ibl_subjectTrials.table.pqt", "subjectTrials.table"),
        ("_ibl_wheel.position.npy", "wheel.position"),
        ("_ibl_wheel.timestamps.npy", "wheel.timestamps"),
        ("_ibl_leftCamera.times.npy", "camera.times"),
        ("_iblrig_leftCamera.raw.mp4", "_iblrig_Camera.raw"),
        ("_iblrig_taskData.raw.jsonable", "_iblrig_taskData.raw"),
        ("_ibl_experiment.description.yaml", "_ibl_experiment.description"),
        ("_spikeglx_ephysData_g0_t0.imec0.ap.cbin", "ephysData.raw.ap"),
        ("_spikeglx_ephysData_g0_t0.imec0.ap.ch", "ephysData.raw.ch"),
        ("widefield.raw.meta.json", "widefield.raw.meta"),
        ("mpci.times.npy", "mpci.times"),
        ("iblsorter_parameters.yaml", "iblsorter_parameters"),
    ],
)
def test_names_of_the_field_find_their_type(name: str, expected: str) -> None:
    assert TypeMatcher(TYPES).match(name).name == expected


def example(row: TypeRow) -> str:
    if not row.filename_pattern:
        return f"{row.name}.npy"
    name = row.filename_pattern.replace("_*_", "_ns_").replace("*", "")
    if name.endswith("."):
        return f"{name}npy"
    return f"{name}.npy" if row.filename_pattern.endswith("*") else name


@pytest.mark.parametrize("row", TYPES, ids=lambda row: row.name)
def test_every_shipped_type_is_found_by_its_own_pattern_and_the_client_agrees(row: TypeRow) -> None:
    name = example(row)
    assert TypeMatcher(TYPES).match(name) == row
    try:
        theirs: Any = get_dataset_type(name, [SimpleNamespace(**other._asdict()) for other in TYPES])
    except ValueError as several:
        assert "Multiple" in str(several)  # noqa: PT017
        assert row.name == "widefield.raw.meta"
    else:
        assert theirs.name == row.name


def test_the_longer_pattern_wins() -> None:
    types = rows(short="*raw.*", long="*raw.meta.*")
    assert TypeMatcher(types).match("widefield.raw.meta.json").name == "long"


def test_an_exact_name_wins_over_a_pattern() -> None:
    types = rows(trials__table="*trials.table*", subjectTrials__table="")
    assert TypeMatcher(types).match("_ibl_subjectTrials.table.pqt").name == "subjectTrials.table"


def test_an_exact_name_is_told_by_its_case() -> None:
    with pytest.raises(UnknownType):
        TypeMatcher(rows(mpci__times="")).match("MPCI.times.npy")


def test_a_tie_is_refused_naming_both() -> None:
    types = rows(one="*abc.*", two="*.def*")
    with pytest.raises(AmbiguousType, match="one and two"):
        TypeMatcher(types).match("abc.def.npy")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownType, match=r"spikes\.times") as caught:
        TypeMatcher(TYPES).match("spike.time.npy")
    assert caught.value.rule == "file_has_a_dataset_type"


def test_character_classes_work() -> None:
    types = rows(digits="probe[0-9].*")
    assert TypeMatcher(types).match("probe7.raw.bin").name == "digits"
    with pytest.raises(UnknownType):
        TypeMatcher(types).match("probex.raw.bin")


def test_many_unknown_names_are_refused_in_a_moment() -> None:
    matcher = TypeMatcher(TYPES)
    started = time.process_time()
    for i in range(2000):
        with pytest.raises(UnknownType):
            matcher.match(f"thing{i}.unknownAttribute.npy")
    assert time.process_time() - started < 1


def test_four_hundred_names_are_matched_in_a_moment() -> None:
    names = [f"_ibl_unit{i}_spikes.times.npy" for i in range(400)]
    matcher = TypeMatcher(TYPES)
    started = time.process_time()
    assert {matcher.match(name).name for name in names} == {"spikes.times"}
    assert time.process_time() - started < 0.25


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spikes.times.npy", "npy"),
        ("SPIKES.TIMES.NPY", "npy"),
        ("_spikeglx_ephysData.imec0.ap.cbin", "cbin"),
        ("templates.waveforms.sparse_npz", "sparse npz"),
        ("trials.table.pqt", "parquet"),
        ("x.frames.tif.bz2", "bzip2"),
    ],
)
def test_the_extension_gives_the_format(name: str, expected: str) -> None:
    assert FormatMatcher(FORMATS).match(name).name == expected


def test_the_longest_extension_wins() -> None:
    formats = [FormatRow(uuid4(), extension, extension) for extension in (".gz", ".tar.gz", "")]
    assert FormatMatcher(formats).match("_iblrig_x.raw.tar.gz").name == ".tar.gz"
    assert FormatMatcher(formats).match("_iblrig_x.raw.gz").name == ".gz"


@pytest.mark.parametrize("name", ["README", "spikes.times.xyz", ".npy", "spikes.times"])
def test_an_unknown_extension_is_refused(name: str) -> None:
    with pytest.raises(UnknownFormat):
        FormatMatcher(FORMATS).match(name)


def test_a_mistyped_extension_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownFormat, match=r"\.npy"):
        FormatMatcher(FORMATS).match("spikes.times.npyy")


def test_keys_are_kept() -> None:
    assert TypeMatcher(TYPES).match("spikes.times.npy").id == UUID("1427b6ba-6535-4f8f-9058-e3df63f0261e")
