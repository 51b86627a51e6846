"""Small recordings as SpikeGLX writes them: 16-bit samples of many channels, and the .meta file beside."""

import numpy as np

RATE_HZ, CHANNELS = 30_000, 9


def raw(seconds: float = 2.5, *, channels: int = CHANNELS, seed: int = 0) -> bytes:
    """Noise on a slow wave, with spikes; the last chunk is not a whole second."""
    generator = np.random.default_rng(seed)
    samples = int(seconds * RATE_HZ)
    wave = 40 * np.sin(np.arange(samples) / 900)[:, None]
    data = wave + generator.normal(0, 8, (samples, channels))
    data[:: RATE_HZ // 20] += 300
    data[:3] = [[-32768], [32767], [0]]
    return data.astype(np.int16).tobytes()


def meta(size_bytes: int, *, channels: int = CHANNELS) -> bytes:
    """What a .meta file says that matters."""
    lines = [
        "typeThis=imec",
        f"imSampRate={RATE_HZ}",
        f"nSavedChans={channels}",
        f"fileSizeBytes={size_bytes}",
        "imDatPrb_type=0",
    ]
    return "\n".join(lines).encode()
