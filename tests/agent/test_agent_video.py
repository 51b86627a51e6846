"""Raw video through the copy agent: only by policy, frame for frame; the original is set aside."""

import shutil
import subprocess
from pathlib import Path

import pytest

from datasets.models import Dataset
from tests.agent.place import Found
from tests.agent.test_agent import one_round, set_aside
from transfers.agent import video
from transfers.models import FoundFile
from transfers.rules.intake import Why

pytestmark = pytest.mark.once

FRAMES, RATE = 20, 10
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed on this machine")


def film(path: Path, *options: str) -> bytes:
    """Two seconds of a test picture, raw as cameras leave it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = f"testsrc=size=96x64:rate={RATE}:duration={FRAMES / RATE}"
    codec = options or ("-c:v", "mjpeg", "-q:v", "3")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, *codec, str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path.read_bytes()


def camera(found: Found, kind: str) -> Path:
    """Where a camera writes."""
    return found.root / found.folder / f"raw_video_data/_iblrig_leftCamera.raw.{kind}"


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["avi", "mp4"])
def test_raw_video_becomes_h264_with_every_frame_where_the_policy_says_so(found: Found, kind: str) -> None:
    raw = film(camera(found, kind), *(() if kind == "avi" else ("-c:v", "mpeg4", "-q:v", "2")))
    found.allow(compress_video=True, quiet_minutes=0)
    assert one_round(found).registered == 1
    dataset = Dataset.objects.get()
    made = video.look(camera(found, "mp4"))
    assert (dataset.name, made.codec, made.frames) == ("_iblrig_leftCamera.raw.mp4", "h264", FRAMES)
    assert (dataset.generating_software, dataset.json["made_from"]["lossless"]) == ("ffmpeg", False)
    assert "ffmpeg version" in (dataset.software_version or "")
    assert {name: file.read_bytes() for name, file in set_aside(found).items()} == {
        f"_iblrig_leftCamera.raw.{kind}.v0": raw
    }
    assert one_round(found).registered == 0
    assert Dataset.objects.get().content_version == 1


@needs_ffmpeg
def test_video_that_is_h264_already_is_not_made_worse(found: Found) -> None:
    content = film(camera(found, "mp4"), "-c:v", "libx264")
    found.allow(compress_video=True, quiet_minutes=0)
    assert one_round(found).registered == 1
    assert camera(found, "mp4").read_bytes() == content
    assert Dataset.objects.get().generating_software == ""


@needs_ffmpeg
def test_without_the_policy_video_is_registered_as_it_is(found: Found) -> None:
    content = film(camera(found, "mp4"), "-c:v", "mpeg4")
    found.allow(quiet_minutes=0)
    one_round(found)
    assert camera(found, "mp4").read_bytes() == content
    assert set_aside(found) == {}


@needs_ffmpeg
def test_a_film_that_loses_frames_is_refused(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    film(camera(found, "avi"))
    found.allow(compress_video=True, quiet_minutes=0)
    honest = video._run
    monkeypatch.setattr(
        video,
        "_run",
        lambda program, *said: honest(program, *said[:-1], *(["-frames:v", "7"] * (program == "ffmpeg")), said[-1]),
    )
    one_round(found)
    left = FoundFile.objects.get()
    assert (left.why, left.detail) == (Why.NOT_COMPRESSED, f"{FRAMES} frames became 7 of h264")
    assert camera(found, "avi").exists()


def test_without_ffmpeg_the_file_waits_and_says_what_to_install(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    found.put("raw_video_data/_iblrig_leftCamera.raw.avi", b"RIFF")
    found.allow(compress_video=True, quiet_minutes=0)
    monkeypatch.setenv("PATH", str(found.root))
    one_round(found)
    assert "apt-get install ffmpeg" in FoundFile.objects.get().detail
