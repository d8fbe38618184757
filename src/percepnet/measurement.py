"""What a file tells about itself while it is cleaned: level, speech, signal-to-noise ratio, clipping, bandwidth."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOPS_PER_SECOND: Final = 100
SPEECH_PROBABILITY: Final = 0.5  # frames above it are speech
FEWEST_HOPS: Final = 20  # of speech, and of pauses: 0.2 s of each, or no ratio is given
SNR_RANGE_DB: Final = (-20.0, 100.0)
FULL_SCALE: Final = 1 - 2.0**-14  # samples this large, two or more in a row, are clipped
SPECTRUM: Final = 2048  # samples in a spectrum
SPECTRA_PER_BLOCK: Final = 4
BANDWIDTH_RANGE_DB: Final = 60.0  # what is further below the loudest bin is not content
QUIETEST_BIN_DB: Final = -110.0  # full scale 0: above the rounding noise of 16 bits in one bin


class Measurement:
    """Of one file of `sample_rate` Hz: give it every block and what came of it, then ask for the result."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._n = 0
        self._square_sum = 0.0
        self._clipped = 0
        self._before, self._after = _HopEnergies(sample_rate), _HopEnergies(sample_rate)
        self._waiting: list[Floats] = [np.empty(0)] * 3  # energy before, energy after, speech; what has no partner yet
        self._sums = np.zeros((2, 3))  # speech, pauses; hops, energy before, energy after
        self._loudest = np.zeros(SPECTRUM // 2 + 1)  # of each bin

    def add(self, block: npt.NDArray[Any], cleaned: npt.NDArray[Any], frames: npt.NDArray[np.void]) -> None:
        """A block and what process_frames() gave for it: (channels, samples), of one type, and frames."""
        noisy = _to_float(block)
        self._n += noisy.size
        self._clipped += _clipped(noisy)
        self._look_at_spectrum(noisy)
        before = self._before.add(noisy)
        self._square_sum += float(np.vdot(noisy, noisy))
        self._match([before, self._after.add(_to_float(cleaned)), _speech(frames, len(block))])

    def result(self) -> dict[str, float | int | None]:
        """Of all that was added. See FileReport."""
        speech, pauses = self._sums
        hops = speech[0] + pauses[0]
        mean_square = self._square_sum / max(self._n, 1)
        return {
            "level_db": _rounded(10 * np.log10(mean_square)) if mean_square else None,
            "speech_ratio": _rounded(speech[0] / hops, 3) if hops else None,
            "snr_before_db": _snr_db(speech, pauses, 1),
            "snr_after_db": _snr_db(speech, pauses, 2),
            "clipped_samples": self._clipped,
            "bandwidth_hz": self._bandwidth_hz(),
        }

    def _match(self, news: list[Floats]) -> None:
        columns = [np.concatenate(pair) for pair in zip(self._waiting, news, strict=True)]
        n = min(map(len, columns))
        self._waiting = [column[n:] for column in columns]
        before, after, speech = (column[:n] for column in columns)
        is_speech = speech > SPEECH_PROBABILITY
        self._sums += [[np.count_nonzero(c), before[c].sum(), after[c].sum()] for c in (is_speech, ~is_speech)]

    def _look_at_spectrum(self, noisy: npt.NDArray[np.float32]) -> None:
        n = noisy.shape[1]
        for start in np.linspace(0, n - SPECTRUM, SPECTRA_PER_BLOCK).astype(int) if n >= SPECTRUM else ():
            windowed = noisy[:, start : start + SPECTRUM] * np.hanning(SPECTRUM)
            power = np.abs(np.fft.rfft(windowed) / (SPECTRUM / 4)) ** 2  # a sine of full scale: 1
            np.maximum(self._loudest, power.max(axis=0), out=self._loudest)

    def _bandwidth_hz(self) -> float | None:
        """Where the spectrum ends."""
        smooth = np.convolve(self._loudest, np.full(5, 0.2), mode="same")
        threshold = max(smooth.max() * 10 ** (-BANDWIDTH_RANGE_DB / 10), 10 ** (QUIETEST_BIN_DB / 10))
        content = np.flatnonzero(smooth > threshold)
        return _rounded(content[-1] * self._sample_rate / SPECTRUM, 0) if content.size else None


class _HopEnergies:
    """Mean squares of hops of 10 ms, of all channels together, whatever the blocks."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._hop = 0
        self._rest = np.empty(0)

    def add(self, block: npt.NDArray[np.float32]) -> Floats:
        """(hops,) that are complete now."""
        squares = np.concatenate([self._rest, np.einsum("cn,cn->n", block, block) / len(block)])
        n_hops = len(squares) * HOPS_PER_SECOND // self._sample_rate + 2
        edges = (self._hop + np.arange(n_hops)) * self._sample_rate // HOPS_PER_SECOND
        edges -= edges[0]
        edges = edges[edges <= len(squares)]
        self._hop += len(edges) - 1
        self._rest = squares[edges[-1] :]
        if len(edges) == 1:
            return np.empty(0)
        return np.add.reduceat(squares[: edges[-1]], edges[:-1]) / np.diff(edges)


def _speech(frames: npt.NDArray[np.void], channels: int) -> Floats:
    """(hops,) the largest probability of any channel; where the model estimates none, whether there is a pitch."""
    rows = frames.reshape(-1, channels)
    probability = np.where(rows["speech_probability"] < 0, rows["correlation"], rows["speech_probability"])
    speech: Floats = probability.max(axis=1).astype(float)
    return speech


def _snr_db(speech: Floats, pauses: Floats, column: int) -> float | None:
    """Of the level in speech and in pauses, taking the noise to be as loud in both."""
    if min(speech[0], pauses[0]) < FEWEST_HOPS:
        return None
    together, noise = speech[column] / speech[0], pauses[column] / pauses[0]
    if together <= noise:
        return SNR_RANGE_DB[0]
    ratio_db = 10 * np.log10((together - noise) / noise) if noise else np.inf
    return _rounded(float(np.clip(ratio_db, *SNR_RANGE_DB)))


def _clipped(noisy: npt.NDArray[np.float32]) -> int:
    """Samples of full scale beside another."""
    full = np.abs(noisy) >= FULL_SCALE
    if not full.any():
        return 0
    beside = np.zeros_like(full)
    pair = full[:, 1:] & full[:, :-1]
    beside[:, 1:] |= pair
    beside[:, :-1] |= pair
    return int(np.count_nonzero(beside))


def _to_float(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """float32 of full scale 1, invalid samples 0."""
    result: npt.NDArray[np.float32]
    if samples.dtype.kind == "i":
        result = np.multiply(samples, 2.0 ** (1 - 8 * samples.dtype.itemsize), dtype=np.float32)
        return result
    result = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32, copy=False)
    return result


def _rounded(value: float, digits: int = 1) -> float:
    return round(float(value), digits)
