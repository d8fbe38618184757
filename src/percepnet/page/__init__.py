"""One HTML file with sounds, spectrograms and tracks in it, that asks nothing of any network.

page.html is the frame, page.css the looks; data.js unpacks what is packed here, sound.js plays it, plots.js draws it and
page.js ties them to keys and clicks.
"""

import base64
import functools
import html
import io
import json
import math
import zlib
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from percepnet import _core

__all__ = ["render"]

Array: TypeAlias = npt.NDArray[np.float32]
Bytes: TypeAlias = npt.NDArray[np.uint8]

FOLDER: Final = Path(__file__).parent
SCRIPTS: Final = ("data.js", "sound.js", "plots.js", "page.js")

# Lossless while the page stays small: eight stages of 20 s of noisy speech are 10 MB. Beyond, Opus.
LOSSLESS_S: Final = 20.0
# libsndfile's measure of Opus: 82 kbit/s for one channel, 6.6 MB for eight stages of a minute.
OPUS_COMPRESSION: Final = 0.7

# For the eye only, hence not the core's window: 64 ms tell the harmonics of a deep voice apart, 20 ms do not.
WINDOW: Final = 3072
LINES: Final = 4096
ROWS: Final = 128
FLOOR_DB: Final = -150.0  # dB re full scale that a spectrogram's 0 stands for; its unit is 1 dB
RANGE_DB: Final = 90.0  # from the darkest to the brightest colour


def render(facts: dict[str, Any], audio: dict[str, Array], tracks: dict[str, npt.NDArray[Any] | None]) -> str:
    """The page.

    facts: title, notes, model, scores by stage, and stages: name, title and text of each, in order
    audio: (samples,) at 48 kHz by stage, all of one length
    tracks: by name, (frames,) of any numbers, or (frames, BANDS) of energies ("energy") or of numbers in [0, 1]
    """
    loudest = max(float(np.abs(samples).max(initial=0)) for samples in audio.values())
    volume = 1 / max(1.0, loudest)  # the same for all stages, so that none clips
    spectrograms = {name: _spectrogram(samples) for name, samples in audio.items()}
    top = max(int(levels.max(initial=0)) for levels in spectrograms.values())
    content = facts | {
        "scores": {stage: {m: _finite(score) for m, score in row.items()} for stage, row in facts["scores"].items()},
        "seconds": next(iter(audio.values())).size / _core.SAMPLE_RATE,
        "sample_rate": _core.SAMPLE_RATE,
        "hop_s": _core.HOP / _core.SAMPLE_RATE,
        "n_frames": len(next(iter(spectrograms.values()))),
        "rows": ROWS,
        "erb": _ERB,
        "floor_db": FLOOR_DB,
        "band_centres_hz": _band_centres_hz(),
        "colours_db": [FLOOR_DB + max(top - RANGE_DB, 0), FLOOR_DB + top],
        "stages": [
            stage
            | {
                "audio": _encoded(audio[stage["name"]] * volume),
                "spectrogram": _packed(np.diff(spectrograms[stage["name"]], axis=1, prepend=np.uint8(0))),
            }
            for stage in facts["stages"]
        ],
        "tracks": {name: _packed_track(name, track) for name, track in tracks.items() if track is not None},
    }
    parts = {
        "TITLE": html.escape(facts["title"]),
        "STYLE": (FOLDER / "page.css").read_text(encoding="utf-8"),
        "CONTENT": json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"),
        "SCRIPT": "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    head, *rest = (FOLDER / "page.html").read_text(encoding="utf-8").split("{{")
    return head + "".join(parts[name] + tail for name, _, tail in (piece.partition("}}") for piece in rest))


# ---- spectrograms ----------------------------------------------------------------------------------------------------

# Glasberg and Moore 1990: number of ERBs below f is ERBS * log10(1 + f / KNEE_HZ).
_ERB: Final = {"erbs": 21.4, "knee_hz": 1000 / 4.37, "top_hz": _core.SAMPLE_RATE / 2}


def _spectrogram(samples: Array) -> Bytes:
    """(frames, ROWS): level in dB above FLOOR_DB of the power in each row of the ERB scale, 0 to 24 kHz.

    A full-scale sine has 0 dB. Frame t is centred at sample t * HOP, as in the core.
    """
    n_frames = -(-samples.size // _core.HOP) + 1
    padded = np.pad(samples, (WINDOW // 2, n_frames * _core.HOP + WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: n_frames * _core.HOP : _core.HOP]
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    rows = np.empty((n_frames, ROWS), np.uint8)
    for start in range(0, n_frames, 256):  # bounded memory
        spectra = np.fft.rfft(windows[start : start + 256] * hann, LINES)
        power = np.abs(spectra) ** 2 @ _row_weights() / (hann.sum() / 2) ** 2
        level = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
        rows[start : start + 256] = np.clip(np.rint(level - FLOOR_DB), 0, 255)
    return rows


@functools.cache
def _row_weights() -> npt.NDArray[np.float64]:
    """(lines, ROWS): what part of a row each line of the spectrum covers; the parts of a row sum to 1."""
    erbs, knee_hz, top_hz = _ERB["erbs"], _ERB["knee_hz"], _ERB["top_hz"]
    scale = np.linspace(0, erbs * np.log10(1 + top_hz / knee_hz), ROWS + 1)
    edges = (10 ** (scale / erbs) - 1) * knee_hz * LINES / _core.SAMPLE_RATE + 0.5
    lines = np.arange(LINES // 2 + 1)[:, np.newaxis]
    covered = np.clip(np.minimum(edges[1:], lines + 1) - np.maximum(edges[:-1], lines), 0, None)
    weights: npt.NDArray[np.float64] = covered / covered.sum(axis=0)
    return weights


def _band_centres_hz() -> list[float]:
    """Where each band has the weight 1; the outer bands keep it to the ends."""
    peaks = [np.flatnonzero(band == 1) for band in _core.stage_band_weights()]
    return [float((p[-1] if b == 0 else p[0]) * _core.SAMPLE_RATE / _core.WINDOW) for b, p in enumerate(peaks)]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


# ---- packing ---------------------------------------------------------------------------------------------------------


def _packed_track(name: str, track: npt.NDArray[Any]) -> dict[str, Any]:
    if track.ndim == 1:
        return {"width": 1, "float": _packed(track.astype("<f4"))}
    if name == "energy":
        decibels = 10 * np.log10(np.maximum(track, 10.0**-12.7))  # 127 dB below 1 to 128 above
        return {"width": track.shape[1], "low": -127, "step": 1, "byte": _packed(_quantised(decibels + 127))}
    return {"width": track.shape[1], "low": 0, "step": 1 / 255, "byte": _packed(_quantised(255 * track))}


def _quantised(values: npt.NDArray[Any]) -> Bytes:
    levels: Bytes = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def _packed(array: npt.NDArray[Any]) -> str:
    """zlib, in base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()


def _encoded(samples: Array) -> dict[str, str]:
    """A sound that browsers can decode, in base64."""
    lossless = samples.size <= LOSSLESS_S * _core.SAMPLE_RATE
    file = io.BytesIO()
    if lossless:
        soundfile.write(file, samples, _core.SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    else:
        options = {"compression_level": OPUS_COMPRESSION}
        soundfile.write(file, samples, _core.SAMPLE_RATE, format="OGG", subtype="OPUS", **options)
    return {"type": "flac" if lossless else "ogg", "data": base64.b64encode(file.getvalue()).decode()}
