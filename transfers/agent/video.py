"""Raw video to h264 by Debian's ffmpeg: lossy, so only where the lab's policy says so. Frames and length must stay."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from transfers.services.scan_page import NotCompressed

CRF = 29
SOFTWARE = "ffmpeg"
_LONGER_BY_S = 0.1


@dataclass(frozen=True, slots=True)
class Film:
    """What ffprobe says after decoding it all: codec, frames, length in seconds (None: the container does not say), and
    how many streams there are beside the picture."""

    codec: str
    frames: int
    seconds: float | None
    others: int


def software_version() -> str:
    """As ffmpeg says it. Raises NotCompressed."""
    return _run("ffmpeg", "-hide_banner", "-version").splitlines()[0][:200]


def look(file: Path) -> Film:
    """Decode it and count. Raises NotCompressed."""
    said = _run(
        "ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,codec_type,nb_read_frames:format=duration",
        "-of", "json", str(file),
    )  # fmt: skip
    told = json.loads(said)
    streams = told.get("streams", [])
    pictures = [one for one in streams if one.get("codec_type") == "video"]
    if not pictures:
        raise NotCompressed("it holds no picture")
    seconds = told.get("format", {}).get("duration")
    return Film(
        pictures[0].get("codec_name", ""),
        int(pictures[0].get("nb_read_frames", 0)),
        None if seconds is None else float(seconds),
        len(streams) - 1,
    )


def compress(original: Path, made: Path) -> None:
    """Write it anew, frame by frame. Raises NotCompressed."""
    _run(
        "ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(original), "-map", "0:v:0", "-fps_mode", "passthrough",
        "-c:v", "libx264", "-preset", "slow", "-crf", str(CRF), "-f", "mp4", str(made),
    )  # fmt: skip


def differences(before: Film, after: Film) -> str:
    """What the new film lacks; "" when nothing."""
    if before.others:
        return "it holds sound or other streams beside the picture, which would be lost"
    if (after.frames, after.codec) != (before.frames, "h264") or not after.frames:
        return f"{before.frames} frames became {after.frames} of {after.codec}"
    if before.seconds is not None and after.seconds is not None:
        allowed = max(_LONGER_BY_S, 2 * before.seconds / before.frames)
        if abs(before.seconds - after.seconds) > allowed:
            return f"{before.seconds:.3f} s became {after.seconds:.3f} s"
    return ""


def _run(program: str, *arguments: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise NotCompressed(f"{program} is not installed on this machine: apt-get install ffmpeg")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise NotCompressed(f"{program}: {done.stderr.strip()[-300:] or f'it ended with {done.returncode}'}")
    return done.stdout
