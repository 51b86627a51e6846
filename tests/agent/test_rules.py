"""What decides about found files, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.rules.compressing import Kind, MetaRefused, misfit, read_meta, recipe_for
from transfers.rules.intake import FIXES, SENTENCES, Why
from transfers.rules.quiescence import Sight, is_quiet, seen_again
from transfers.rules.session_paths import NotOfASession, is_no_data, of_session

pytestmark = pytest.mark.once

T0 = datetime(2026, 3, 9, tzinfo=UTC)
SIGHTS = st.builds(Sight, st.integers(0, 2), st.integers(0, 2))


@given(st.lists(st.tuples(st.integers(0, 20), SIGHTS), min_size=1, max_size=12), st.integers(1, 30))
def test_a_file_is_quiet_only_when_every_look_for_so_long_saw_the_same(
    looks: list[tuple[int, Sight]], quiet: int
) -> None:
    at, known, seen = T0, None, list[tuple[datetime, Sight]]()
    for minutes, sight in looks:
        at += timedelta(minutes=minutes)
        known = seen_again(known, sight, at)
        seen.append((at, sight))
        if is_quiet(known, at, quiet):
            assert seen[0][0] <= at - timedelta(minutes=quiet)
            assert {one for when, one in seen if when >= at - timedelta(minutes=quiet)} == {sight}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("KS014/2026-03-09/001/alf/probe00/#2026-01-01#/spikes.times.npy", True),
        ("KS014/2026-03-09/001/_iblrig_taskData.raw.jsonable", True),
        ("KS014/2026-03-09/1/alf/spikes.times.npy", False),
        ("KS014/2026-03-09/spikes.times.npy", False),
        ("KS014/notes.txt", False),
        ("lab/Subjects/KS014/2026-03-09/001/alf/spikes.times.npy", False),
        ("KS014/2026-03-09/001/alf/with space.npy", False),
        ("KS014/2026-13-09/001/alf/spikes.times.npy", False),
    ],
)
def test_only_files_in_a_sessions_folder_are_its_files(path: str, found: bool) -> None:
    assert isinstance(of_session(path), NotOfASession) is not found


@given(st.text(max_size=60))
def test_any_name_a_disk_can_hold_is_judged(path: str) -> None:
    judged = of_session(path)
    assert isinstance(judged, NotOfASession) or str(judged[1]) == path
    is_no_data(path)


@pytest.mark.parametrize(
    ("name", "products"),
    [
        ("_spikeglx_ephysData_g0_t0.imec0.ap.bin", ("_spikeglx_ephysData_g0_t0.imec0.ap.cbin", "_spikeglx_ephysData_g0_t0.imec0.ap.ch")),
        ("_spikeglx_ephysData_g0_t0.imec.lf.bin", ("_spikeglx_ephysData_g0_t0.imec.lf.cbin", "_spikeglx_ephysData_g0_t0.imec.lf.ch")),
        ("_spikeglx_ephysData_g0_t0.nidq.bin", ("_spikeglx_ephysData_g0_t0.nidq.cbin", "_spikeglx_ephysData_g0_t0.nidq.ch")),
        ("_iblrig_leftCamera.raw.avi", ("_iblrig_leftCamera.raw.mp4",)),
        ("_spikeglx_ephysData_g0_t0.imec0.ap.cbin", None),
        ("_ibl_leftCamera.dlc.mp4", None),
        ("_iblrig_micData.raw.wav", None),
    ],
)  # fmt: skip
def test_names_of_what_is_made_are_those_that_one_reads(name: str, products: tuple[str, ...] | None) -> None:
    recipe = recipe_for(name, ephys=True, video=True)
    assert (recipe.products if recipe else None) == products
    assert recipe_for(name, ephys=False, video=False) is None
    assert recipe is None or recipe_for(name, ephys=recipe.kind is Kind.VIDEO, video=recipe.kind is Kind.EPHYS) is None


@given(st.text(max_size=200))
def test_any_meta_file_is_read_or_refused(text: str) -> None:
    try:
        recording = read_meta(text)
    except MetaRefused:
        return
    assert recording.n_channels > 0
    assert misfit(recording, 2 * recording.n_channels - 1)


def test_each_reason_has_a_sentence_and_what_nobody_can_do_ends_by_itself() -> None:
    assert set(SENTENCES) == set(Why)
    assert set(Why) - set(FIXES) == {Why.CHANGING, Why.NO_FLAG, Why.TO_COMPRESS}
