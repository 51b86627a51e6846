"""ALF paths: what parses, what is refused by which rule, and that ONE reads the same."""

import datetime
import pathlib
import string
import unicodedata
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one.alf import path as one_path
from one.alf import spec as one_spec

from datasets.rules import alf
from datasets.rules.alf import AlfPath, SessionPath, parse_registration, parse_relative, parse_session, path_key

DAY = datetime.date(2024, 3, 1)
S1 = SessionPath("KS001", DAY, 1)
PATH = "KS001/2024-03-01/001"

REAL_NAMES = [
    "spikes.times.npy",
    "_ibl_trials.goCue_times_bpod.csv",
    "_iblrig_taskData.raw.jsonable",
    "_iblrig_leftCamera.raw.mp4",
    "_spikeglx_ephysData_g0_t0.imec0.ap.cbin",
    "_spikeglx_ephysData_g0_t0.imec.wiring.json",
    "_kilosort_raw.output.tar",
    "_iblrig_x.raw.tar.gz",
    "_ni-usb-6211_DAQdata.raw.tdms",
    "iblsorter_parameters.yaml",
    "channels._phy_ids.csv",
    "templates.waveforms.sparse_npz",
]

words = st.text(string.ascii_letters + string.digits + "_-é", min_size=1, max_size=12)
folders = st.builds(lambda a, b: a + b, words, st.sampled_from(["", ".x", "_2"]))
revisions = st.just("") | st.dates().map(str) | st.builds(lambda d, a: f"{d}{a}", st.dates(), st.sampled_from("abc"))
names = st.lists(words, min_size=2, max_size=5).map(".".join)
sessions = st.builds(SessionPath, folders, st.dates(), st.integers(0, 999))
paths = st.builds(
    AlfPath, sessions, st.lists(folders, max_size=3).map("/".join), revisions, names | st.sampled_from(REAL_NAMES)
)


# --- parse and format


@given(paths)
def test_parsing_what_was_formatted_gives_the_same_parts(path: AlfPath) -> None:
    assert parse_relative(str(path)) == path
    assert parse_registration(str(path.session), path.in_session) == path
    assert parse_session(str(path)) == path.session


@given(paths)
def test_an_aggregate_is_all_collection(path: AlfPath) -> None:
    whole = AlfPath(None, f"subjects/{path.collection}" if path.collection else "subjects", path.revision, path.name)
    assert parse_relative(str(whole), aggregate=True) == whole


@given(paths, st.integers(0, 20))
def test_it_does_not_matter_where_the_path_is_cut_into_path_and_filename(path: AlfPath, cut: int) -> None:
    parts = str(path).split("/")
    cut = min(cut, len(parts) - 1)
    assert parse_registration("/".join(parts[:cut]), "/".join(parts[cut:])) == path


@pytest.mark.parametrize(
    ("path", "filename"),
    [
        (PATH, "alf/probe00/#2024-03-02#/spikes.times.npy"),
        ("KS001\\2024-03-01\\001", "alf\\probe00\\#2024-03-02#\\spikes.times.npy"),
        ("./KS001//2024-03-01/1/", "./alf//probe00/./#2024-03-02#/spikes.times.npy"),
        (f"{PATH}/alf", "probe00/#2024-03-02#/spikes.times.npy"),
    ],
)
def test_separators_and_padding_are_put_right(path: str, filename: str) -> None:
    parsed = parse_registration(path, filename)
    assert parsed == AlfPath(S1, "alf/probe00", "2024-03-02", "spikes.times.npy")
    assert str(parsed) == f"{PATH}/alf/probe00/#2024-03-02#/spikes.times.npy"


@pytest.mark.parametrize("name", REAL_NAMES)
def test_real_names_are_accepted(name: str) -> None:
    assert parse_registration(PATH, f"raw_ephys_data/probe00/{name}").name == name


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("001", 1), ("0", 0), ("999", 999), ("0012", 12)])
def test_session_numbers_are_read_with_and_without_zeros(text: str, number: int) -> None:
    assert parse_session(f"KS001/2024-03-01/{text}").number == number


# --- refusals

HOSTILE: list[tuple[str, type[alf.PathRefused]]] = [
    ("../spikes.times.npy", alf.Traversal),
    ("alf/../../spikes.times.npy", alf.Traversal),
    ("alf\\..\\spikes.times.npy", alf.Traversal),
    ("..", alf.Traversal),
    ("/etc/passwd", alf.AbsolutePath),
    ("//server/share/spikes.times.npy", alf.AbsolutePath),
    ("\\\\server\\share\\spikes.times.npy", alf.AbsolutePath),
    ("C:\\data\\spikes.times.npy", alf.AbsolutePath),
    ("c:spikes.times.npy", alf.AbsolutePath),
    ("alf/spikes.times.npy\x00", alf.ControlCharacter),
    ("alf/spikes\n.times.npy", alf.ControlCharacter),
    ("alf/spikes.times.npy\x85", alf.ControlCharacter),
    ("spikes.\ud800.npy", alf.NotText),
    ("", alf.EmptyPath),
    ("alf/", alf.EmptyPath),
    (".", alf.EmptyPath),
    ("alf/.", alf.EmptyPath),
    ("my alf/spikes.times.npy", alf.OutsideAlphabet),
    ("alf/spikes times.npy", alf.OutsideAlphabet),
    ("alf+/spikes.times.npy", alf.OutsideAlphabet),
    ("alf/spikes.times(1).npy", alf.OutsideAlphabet),
    ("alf/spikes.times\u202e.npy", alf.OutsideAlphabet),
    ("~/spikes.times.npy", alf.OutsideAlphabet),
    ("alf/a#b.times.npy", alf.OutsideAlphabet),
    ("alf/spikes.times.npy.", alf.IllegalCharacter),
    ("alf /spikes.times.npy", alf.IllegalCharacter),
    ("alf./spikes.times.npy", alf.IllegalCharacter),
    ("alf/.../spikes.times.npy", alf.IllegalCharacter),
    *((f"alf/spikes{c}.times.npy", alf.IllegalCharacter) for c in ':*?"<>|'),
    ("#2024-01-10#/alf/spikes.times.npy", alf.RevisionMisplaced),
    ("alf/#a#/#b#/spikes.times.npy", alf.RevisionMisplaced),
    ("alf/#2024-01-10/spikes.times.npy", alf.RevisionMisplaced),
    ("alf/##/spikes.times.npy", alf.RevisionMisplaced),
    ("alf/x#2024#/spikes.times.npy", alf.RevisionMisplaced),
    (".alyx-trash/2024-01-10/spikes.times.npy", alf.ReservedName),
    ("alf/.ALYX-canary", alf.ReservedName),
    (f"alf/{'x' * 300}.npy", alf.TooLong),
    (f"alf/{'x' * 215}.npy", alf.TooLong),
    (f"{'x' * 256}/spikes.times.npy", alf.TooLong),
    (f"{'µ' * 128}/spikes.times.npy", alf.TooLong),
    ("/".join(["x" * 100] * 10) + "/spikes.times.npy", alf.TooLong),
]


@pytest.mark.parametrize(("filename", "refusal"), HOSTILE)
@pytest.mark.parametrize("aggregate", [True, False])
def test_hostile_file_names_are_refused_by_their_rule(
    filename: str, refusal: type[alf.PathRefused], aggregate: bool
) -> None:
    path = "subjects/KS001" if aggregate else PATH
    with pytest.raises(alf.PathRefused) as caught:
        parse_registration(path, filename, aggregate=aggregate)
    assert type(caught.value) is refusal
    assert caught.value.fix


@pytest.mark.parametrize("value", [None, 7, b"spikes.times.npy", ["spikes.times.npy"], {"a": 1}, True])
def test_only_text_is_a_path(value: Any) -> None:
    with pytest.raises(alf.NotText):
        parse_registration(PATH, value)
    with pytest.raises(alf.NotText):
        parse_registration(value, "spikes.times.npy")


@pytest.mark.parametrize(
    "path",
    ["", "KS001", "KS001/2024-03-01", "KS001/2024-3-1/001", "KS001/2024-02-30/001", "KS001/0000-01-01/001",
     "KS001/２０２４-03-01/001", "KS001/2024-03-01/1000", "KS001/2024-03-01/-1", "KS001/2024-03-01/one",
     "KS001/2024-03-01/٣", f"KS001/2024-03-01/{'9' * 5000}"],
)  # fmt: skip
def test_a_path_that_begins_with_no_session_is_refused(path: str) -> None:
    with pytest.raises((alf.NotASession, alf.TooLong)):
        parse_registration(path, "alf")


def test_a_session_without_a_file_is_refused() -> None:
    with pytest.raises(alf.EmptyPath):
        parse_registration("KS001/2024-03-01", "001")


@given(st.text(), st.text())
def test_any_text_is_parsed_or_refused_and_what_is_parsed_is_safe(path: str, filename: str) -> None:
    for aggregate in (True, False):
        try:
            parsed = parse_registration(path, filename, aggregate=aggregate)
        except alf.PathRefused:
            continue
        stored = parsed.stored(uuid4())
        assert ".." not in stored.split("/")
        assert not stored.startswith("/")
        assert len(stored.encode()) <= alf.PATH_LIMIT
        assert all(len(part.encode()) <= alf.COMPONENT_LIMIT for part in stored.split("/"))


# --- keys


@given(st.text())
def test_names_that_look_the_same_have_the_same_key(text: str) -> None:
    for case_sensitive in (True, False):
        keys = {path_key(unicodedata.normalize(form, text), case_sensitive=case_sensitive) for form in ("NFC", "NFD")}
        assert len(keys) == 1


def test_case_counts_only_where_the_file_system_tells_it_apart() -> None:
    assert path_key("a/B.npy", case_sensitive=True) != path_key("a/b.npy", case_sensitive=True)
    assert path_key("a/B.npy", case_sensitive=False) == path_key("a/b.npy", case_sensitive=False)


@given(paths, st.booleans())
def test_a_key_fits_where_the_path_fits(path: AlfPath, case_sensitive: bool) -> None:
    assert len(path_key(path.stored(uuid4()), case_sensitive=case_sensitive)) <= alf.PATH_LIMIT


# --- ONE as the oracle


@given(paths, st.uuids(version=4))
def test_the_uuid_goes_where_one_puts_it(path: AlfPath, uuid: UUID) -> None:
    stored = path.stored(uuid)
    assert stored == one_path.add_uuid_string(pathlib.PurePosixPath(str(path)), uuid).as_posix()
    assert alf.without_uuid(stored) == one_path.remove_uuid_string(pathlib.PurePosixPath(stored)).as_posix()


@given(paths, st.uuids(version=4))
def test_taking_the_uuid_away_gives_the_name_back(path: AlfPath, uuid: UUID) -> None:
    assert alf.without_uuid(path.stored(uuid)) == str(path)
    assert path.stored() == str(path)


A_UUID = UUID("9f1b0c5e-3d57-4a43-8c57-9a4f6f6c2b11")


@pytest.mark.parametrize(
    "name",
    [f"spikes.times.{A_UUID}.npy", f"{A_UUID}.npy", f"a.{A_UUID}", f"a.{A_UUID.hex}.npy", f"a.b.{{{A_UUID}}}.npy",
     f"a.{UUID(int=1)}.npy", f"a.{str(A_UUID).upper()}.npy", "README", ".hidden", "a.b.tar.gz"],
)  # fmt: skip
def test_odd_names_are_treated_as_one_treats_them(name: str) -> None:
    uuid = uuid4()
    path = pathlib.PurePosixPath("alf", name)
    assert alf.with_uuid(f"alf/{name}", uuid) == one_path.add_uuid_string(path, uuid).as_posix()
    assert alf.without_uuid(f"alf/{name}") == one_path.remove_uuid_string(path).as_posix()


def test_a_uuid_that_is_there_already_is_not_doubled() -> None:
    uuid = uuid4()
    assert alf.with_uuid(f"alf/a.b.{uuid}.npy", uuid) == f"alf/a.b.{uuid}.npy"


@given(paths)
def test_one_finds_the_same_session_and_folders(path: AlfPath) -> None:
    assert path.session is not None
    parts = one_path.folder_parts(pathlib.PurePosixPath(str(path)).parent, as_dict=True)
    assert parts["subject"] == path.session.subject
    assert parts["date"] == path.session.date.isoformat()
    assert int(parts["number"]) == path.session.number
    assert (parts["collection"] or "") == path.collection
    assert (parts["revision"] or "") == path.revision


@given(names | st.sampled_from(REAL_NAMES) | st.from_regex(one_spec.regex(one_spec.FILE_SPEC), fullmatch=True))
def test_object_and_attribute_are_those_one_reads(name: str) -> None:
    name = name.rstrip("\n")
    if one_spec.is_valid(name):
        _, obj, attribute, *_ = one_path.filename_parts(name)
        assert alf.object_attribute(name) == f"{obj}.{attribute}"
    else:
        assert alf.object_attribute(name) is None


# --- probes


@pytest.mark.parametrize(
    ("collection", "labels"),
    [
        ("alf/probe00", ("probe00",)),
        ("raw_ephys_data/probe01", ("probe01",)),
        ("alf/FOV_00", ("FOV_00",)),
        ("alf/probe00/pykilosort", ("pykilosort", "probe00")),
        ("alf", ()),
        ("", ()),
    ],
)
def test_collections_name_the_insertion_they_belong_to(collection: str, labels: tuple[str, ...]) -> None:
    assert alf.insertion_labels(collection) == labels
