"""What a rig would have recorded: ALF files of two sessions, the same at every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Path below the session folder → array."""

REVISION = "2026-01-15"
TO_PATCH = "alf/probe00/spikes.amps.npy"
TO_DAMAGE = "alf/probe00/spikes.clusters.npy"


def first_session(seed: int) -> Arrays:
    """Behaviour, a camera and one probe. Times in seconds, amplitudes in volts."""
    return {**behaviour(seed, n_trials=480), **camera(seed), **spikes(seed, n_spikes=120_000)}


def second_session(seed: int) -> Arrays:
    """Behaviour and one probe."""
    return {**behaviour(seed, n_trials=350), **spikes(seed, n_spikes=40_000)}


def behaviour(seed: int, n_trials: int) -> Arrays:
    """Trials and the wheel."""
    rng = np.random.default_rng([seed, 1])
    starts = np.cumsum(rng.uniform(2.0, 6.0, n_trials))
    wheel_times = np.arange(0.0, starts[-1] + 5.0, 0.01)
    return {
        "alf/_ibl_trials.intervals.npy": np.column_stack([starts, starts + rng.uniform(0.5, 1.9, n_trials)]),
        "alf/_ibl_trials.choice.npy": rng.choice(np.array([-1, 0, 1], dtype=np.int8), n_trials, p=[0.48, 0.04, 0.48]),
        "alf/_ibl_trials.feedbackType.npy": rng.choice(np.array([-1, 1], dtype=np.int8), n_trials, p=[0.2, 0.8]),
        "alf/_ibl_wheel.timestamps.npy": wheel_times,
        "alf/_ibl_wheel.position.npy": np.cumsum(rng.normal(0.0, 0.02, wheel_times.size)),
    }


def camera(seed: int) -> Arrays:
    """Frame times of the left camera; the revision corrects a clock drift of 20 ppm."""
    rng = np.random.default_rng([seed, 2])
    times = np.arange(0.0, 1800.0, 1 / 60) + rng.normal(0.0, 1e-4, 108_000)
    name = "_ibl_leftCamera.times.npy"
    return {f"alf/{name}": times, f"alf/#{REVISION}#/{name}": times * (1 + 20e-6)}


def spikes(seed: int, n_spikes: int) -> Arrays:
    """A sorted probe."""
    rng = np.random.default_rng([seed, 3])
    return {
        "alf/probe00/spikes.times.npy": np.sort(rng.uniform(0.0, 1800.0, n_spikes)),
        "alf/probe00/spikes.clusters.npy": rng.integers(0, 250, n_spikes, dtype=np.uint32),
        "alf/probe00/spikes.amps.npy": rng.lognormal(-9.0, 0.4, n_spikes).astype(np.float32),
    }


def corrected(amplitudes: NDArray[Any]) -> NDArray[Any]:
    """The amplitudes after a wrong gain was noticed."""
    return (amplitudes * np.float32(1.17)).astype(amplitudes.dtype)


def write(session_path: Path, arrays: Arrays) -> list[Path]:
    """Save the arrays below the session folder; the files in the order given."""
    files = []
    for relative, array in arrays.items():
        file = session_path / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array)
        files.append(file)
    return files
