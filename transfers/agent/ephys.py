"""Raw electrophysiology, losslessly: `.bin` to `.cbin` and `.ch` by mtscomp, as ONE and ibllib read them.

numpy and mtscomp are loaded on first use: only the agent's process pays for them.
"""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alyx.core.failpoints import declare, failpoint
from transfers.rules.compressing import MetaRefused, misfit, read_meta
from transfers.services.scan_page import NotCompressed

COMPRESSING = declare("agent.compressing")
THREADS = 4
SOFTWARE = "mtscomp"


def software_version() -> str:
    """Of everything that has a say in the bytes."""
    return f"mtscomp {version('mtscomp')}, numpy {version('numpy')}, Python {platform.python_version()}"


def compress(original: Path, meta: Path, cbin: Path, ch: Path) -> None:
    """Write the two files. Raises NotCompressed when the .meta file is missing or does not fit."""
    try:
        recording = read_meta(meta.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        raise NotCompressed(f"{meta.name} does not lie beside it: sample rate and channels are not known") from None
    except MetaRefused as refused:
        raise NotCompressed(f"{meta.name}: {refused}") from None
    if problem := misfit(recording, original.stat().st_size):
        raise NotCompressed(problem)
    writer = _writer()
    writer.open(original, sample_rate=recording.sample_rate_hz, n_channels=recording.n_channels, dtype="int16")
    try:
        writer.write(cbin, ch)
    finally:
        writer.close()


def _writer() -> Any:
    import mtscomp  # noqa: PLC0415  (see above)

    class Writer(mtscomp.Writer):  # type: ignore[misc]
        """With a place to be killed at, in the midst of writing."""

        def compress_batch(self, first_chunk: int, last_chunk: int) -> Any:
            failpoint(COMPRESSING)
            return super().compress_batch(first_chunk, last_chunk)

    return Writer(
        quiet=True,
        algorithm="zlib",
        comp_level=-1,
        chunk_duration=1.0,
        chunk_order="F",
        do_time_diff=True,
        do_spatial_diff=False,
        n_threads=min(THREADS, os.cpu_count() or 1),
        check_after_compress=False,  # `unpacked` reads everything back, and not only for what mtscomp looks at
    )


def unpacked(cbin: Path, ch: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of what the two files decompress to, chunk by chunk."""
    import mtscomp  # noqa: PLC0415  (see above)

    reader: Any = mtscomp.Reader(n_threads=1, cache_size=1, check_after_decompress=False)
    digest, size = hashlib.sha256(), 0
    with cbin.open("rb") as file:
        reader.open(file, ch)
        for chunk, start, length in reader.iter_chunks():
            data = reader.read_chunk(chunk, start, length).tobytes()
            digest.update(data)
            size += len(data)
    return size, digest.hexdigest()
