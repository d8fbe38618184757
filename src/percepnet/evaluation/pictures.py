"""Sound and spectrograms as data URIs."""

import base64
import io
import struct
import zlib
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from percepnet.evaluation.signals import at_rate

__all__ = ["erb_share", "sound", "spectrograms"]

Array: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float64]

OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
BLOCK: Final = 1 << 14  # libsndfile's stack does not bear a whole recording at once
ROWS, COLUMNS, RANGE_DB = 160, 720, 80.0
WINDOW_S = 0.032
ERB_KNEE_HZ = 1000 / 4.37  # Glasberg and Moore 1990: the number of ERBs below f goes with log(1 + f / knee)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Dark to bright in equal steps of lightness: (share, red, green, blue).
COLOURS = np.array(
    [
        (0.0, 5, 4, 18),
        (0.2, 54, 17, 84),
        (0.4, 118, 30, 101),
        (0.6, 196, 53, 77),
        (0.8, 246, 128, 50),
        (1.0, 252, 243, 178),
    ]
)


def sound(samples: Array, sample_rate: int) -> str:
    """(channels, samples) within full scale as Ogg Opus, about 60 kbit/s a channel."""
    rate = sample_rate if sample_rate in OPUS_RATES else min((r for r in OPUS_RATES if r >= sample_rate), default=48000)
    if rate != sample_rate:
        samples = at_rate(samples, sample_rate, rate)
    samples = samples[:2]
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, samples.shape[0], format="OGG", subtype="OPUS") as writer:
        for start in range(0, samples.shape[1], BLOCK):
            writer.write(samples[:, start : start + BLOCK].T)
    return f"data:audio/ogg;base64,{base64.b64encode(file.getvalue()).decode()}"


def spectrograms(mono: dict[str, Array], sample_rate: int) -> dict[str, str]:
    """PNG by signal, (samples,) each: ERB scale from 0 to half the rate, one colour scale for all, its top the loudest."""
    levels = {name: _levels_db(samples, sample_rate) for name, samples in mono.items()}
    top = max(float(level.max()) for level in levels.values())
    return {name: _png(np.clip((level - top) / RANGE_DB + 1, 0, 1)) for name, level in levels.items()}


def erb_share(f_hz: npt.ArrayLike, top_hz: float) -> Floats:
    """Where frequencies lie on an ERB scale that ends at top_hz, 0 to 1."""
    share: Floats = np.log1p(np.asarray(f_hz, np.float64) / ERB_KNEE_HZ) / np.log1p(top_hz / ERB_KNEE_HZ)
    return share


def _levels_db(samples: Array, sample_rate: int) -> Floats:
    """(COLUMNS, ROWS): the loudest line of each cell, in dB."""
    length = round(WINDOW_S * sample_rate)
    starts = np.linspace(0, samples.size, COLUMNS).astype(int)
    padded = np.pad(samples.astype(np.float64), length)
    frames = padded[starts[:, np.newaxis] + length // 2 + np.arange(length)]
    power = np.abs(np.fft.rfft(frames * np.hanning(length + 1)[:-1], 4 * length)) ** 2
    row_of_line = (erb_share(np.linspace(0, sample_rate / 2, power.shape[1]), sample_rate / 2) * (ROWS - 1e-9)).astype(int)
    first_lines = np.searchsorted(row_of_line, np.arange(ROWS))
    loudest = np.maximum.reduceat(power, np.minimum(first_lines, power.shape[1] - 1), axis=1)
    levels: Floats = 10 * np.log10(np.maximum(loudest, 1e-20))
    return levels


def _png(shares: Floats) -> str:
    """(columns, rows from the bottom) of 0 to 1, in 64 colours."""
    indices = np.rint(shares.T[::-1] * 63).astype(np.uint8)
    steps = np.linspace(0, 1, 64)
    palette = np.stack([np.interp(steps, COLOURS[:, 0], COLOURS[:, i]) for i in (1, 2, 3)], axis=1)
    rows = np.pad(indices, ((0, 0), (1, 0)))  # each row begins with its filter: none
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", indices.shape[1], indices.shape[0], 8, 3, 0, 0, 0)),
        (b"PLTE", np.rint(palette).astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    ]
    parts = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return f"data:image/png;base64,{base64.b64encode(b''.join((SIGNATURE, *parts))).decode()}"
