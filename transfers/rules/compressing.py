"""Which files are compressed before they are registered, into what. Pure: no Django.

Lossless for raw electrophysiology (mtscomp, as ONE and ibllib read it); lossy for raw video (h264, crf 29), only where the
lab's policy says so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_EPHYS = re.compile(r"(?P<stem>.+\.(?:ap|lf|nidq))\.bin")
_VIDEO = re.compile(r"(?P<stem>.+\.raw)\.(?P<kind>avi|mp4)")


class Kind(StrEnum):
    """How."""

    EPHYS = "ephys"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Recipe:
    """`products`: names of the files made, the main one first; `needs`: a file that must lie beside."""

    kind: Kind
    products: tuple[str, ...]
    needs: str = ""


def recipe_for(name: str, *, ephys: bool, video: bool) -> Recipe | None:
    """How a file of this name is compressed under a policy; None: it is registered as it is."""
    if ephys and (found := _EPHYS.fullmatch(name)):
        stem = found["stem"]
        return Recipe(Kind.EPHYS, (f"{stem}.cbin", f"{stem}.ch"), f"{stem}.meta")
    if video and (found := _VIDEO.fullmatch(name)):
        return Recipe(Kind.VIDEO, (f"{found['stem']}.mp4",))
    return None


class MetaRefused(ValueError):
    """The .meta file does not say what is needed."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a SpikeGLX .meta file says: samples per second, channels in the file, bytes of the file (None: not said)."""

    sample_rate_hz: float
    n_channels: int
    size_bytes: int | None


def read_meta(text: str) -> Recording:
    """Read a SpikeGLX .meta file. Raises MetaRefused."""
    said = dict(line.strip().split("=", 1) for line in text.splitlines() if "=" in line)
    rate = said.get("imSampRate") or said.get("niSampRate")
    try:
        recording = Recording(float(rate or ""), int(said["nSavedChans"]), _whole(said, "fileSizeBytes"))
    except (KeyError, ValueError):
        raise MetaRefused(
            "the .meta file says no sample rate (imSampRate) or number of channels (nSavedChans)"
        ) from None
    if not (0 < recording.sample_rate_hz < 1e9 and 0 < recording.n_channels <= 100_000):
        raise MetaRefused(f"{rate} Hz and {recording.n_channels} channels cannot be")
    return recording


def _whole(said: Mapping[str, str], name: str) -> int | None:
    return int(said[name]) if name in said else None


def misfit(recording: Recording, size_bytes: int) -> str:
    """Why a file of this size cannot be this recording (16-bit samples); "" when it can."""
    if size_bytes == 0 or size_bytes % (2 * recording.n_channels):
        return f"{size_bytes} bytes are not whole samples of {recording.n_channels} channels"
    if recording.size_bytes not in {None, size_bytes}:
        return f"it has {size_bytes} bytes, its .meta file says {recording.size_bytes}"
    return ""
