"""Reads the files of a pair, finds the delay between them, and cuts them to what they have in common."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from percepnet import metrics
from percepnet.errors import AudioFormatError, PercepNetError
from percepnet.files import open_source

__all__ = ["Signals", "align", "at_rate", "find_delay", "read"]

Array: TypeAlias = npt.NDArray[np.float32]

DELAY_MAX_S = 0.5  # searched to either side
LENGTH_TOLERANCE_S = 1.0  # more difference than this, and the files are not of one recording
RESEMBLANCE_MIN = 0.1  # normalised correlation; speech at -20 dB SNR has it


@dataclass
class Signals:
    """The signals of one pair, (channels, samples) each, aligned to the sample and of one length.

    delays: by signal, in samples, positive where it came later than the clean one (the noisy one if there is no clean)
    trimmed: how many samples of the longest were cut away
    notes: what was done to the files, and doubts, in words
    """

    by_name: dict[str, Array]
    sample_rate: int
    delays: dict[str, int] = field(default_factory=dict)
    trimmed: int = 0
    notes: list[str] = field(default_factory=list)


def read(path: Path) -> tuple[Array, int, list[str]]:
    """(channels, samples) float32 and Hz of a file, and notes about it. NaN and infinity become 0."""
    try:
        with open_source(path) as reader:
            samples = np.concatenate([block.copy() for block in reader.blocks()], axis=1)
            sample_rate = reader.sample_rate
    except PercepNetError as error:
        raise type(error)(f"{path}: {error}") from error
    invalid = ~np.isfinite(samples)
    samples[invalid] = 0
    n_invalid = int(np.count_nonzero(invalid))
    return samples, sample_rate, [f"{path.name}: {n_invalid} NaN or infinite samples were set to 0"] if n_invalid else []


def align(by_name: dict[str, Array], sample_rate: int) -> Signals:
    """Removes the delay of every signal against the first, and cuts all to their common part.

    Raises AudioFormatError for signals of different numbers of channels, or of lengths too different to be one recording.
    """
    reference_name, reference = next(iter(by_name.items()))
    signals = Signals({}, sample_rate)
    for name, samples in by_name.items():
        _check_comparable(reference_name, reference, name, samples, sample_rate)
        signals.delays[name] = 0
        if name != reference_name:
            delay, resemblance = find_delay(reference.mean(axis=0), samples.mean(axis=0), sample_rate)
            if resemblance >= RESEMBLANCE_MIN:
                signals.delays[name] = delay
            elif reference.any() and samples.any():
                signals.notes.append(f"{name} hardly resembles {reference_name}; not aligned")
    start = max(-delay for delay in signals.delays.values())
    end = min(samples.shape[1] - signals.delays[name] for name, samples in by_name.items())
    if end <= start:
        raise AudioFormatError("after alignment the files have no part in common")
    signals.by_name = {n: x[:, start + signals.delays[n] : end + signals.delays[n]] for n, x in by_name.items()}
    signals.trimmed = max(samples.shape[1] for samples in by_name.values()) - (end - start)
    del signals.delays[reference_name]
    signals.notes += _stated(signals, reference_name)
    return signals


def find_delay(reference: npt.ArrayLike, samples: npt.ArrayLike, sample_rate: int) -> tuple[int, float]:
    """By how many samples (samples,) come after `reference`, and how much they then resemble it: |correlation|, 0 to 1.

    The peak of the cross-correlation, each line of whose spectrum is divided by the root of its magnitude: half way to a
    full whitening, which makes the peak of speech sharp without trusting empty bands.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(samples, np.float64)
    if not (x.any() and y.any()):
        return 0, 0.0
    length = 1 << (x.size + y.size - 1).bit_length()
    product = np.fft.rfft(y, length) * np.conj(np.fft.rfft(x, length))
    magnitude = np.abs(product)
    correlation = np.abs(np.fft.irfft(product / np.sqrt(np.maximum(magnitude, 1e-12 * magnitude.max())), length))
    reach = min(round(DELAY_MAX_S * sample_rate), x.size - 1, y.size - 1)
    delay = int(np.argmax(np.concatenate([correlation[length - reach :], correlation[: reach + 1]]))) - reach
    first, last = max(0, -delay), min(x.size, y.size - delay)
    x, y = x[first:last], y[first + delay : last + delay]
    energy = np.dot(x, x) * np.dot(y, y)
    return delay, float(abs(np.dot(x, y)) / np.sqrt(energy)) if energy > 0 else 0.0


def at_rate(samples: Array, from_rate: int, to_rate: int) -> Array:
    """(channels, samples) at another rate."""
    return np.stack([metrics.resample(channel, from_rate, to_rate) for channel in samples]).astype(np.float32)


def _check_comparable(reference_name: str, reference: Array, name: str, samples: Array, sample_rate: int) -> None:
    if samples.shape[0] != reference.shape[0]:
        counts = f"{name} has {samples.shape[0]} channels, {reference_name} has {reference.shape[0]}"
        raise AudioFormatError(f"{counts}; they must have the same")
    if abs(samples.shape[1] - reference.shape[1]) > LENGTH_TOLERANCE_S * sample_rate:
        lengths = [f"{n} has {x.shape[1] / sample_rate:.2f} s" for n, x in ((name, samples), (reference_name, reference))]
        raise AudioFormatError(f"{', '.join(lengths)}; more than {LENGTH_TOLERANCE_S:g} s apart: not one recording")


def _stated(signals: Signals, reference_name: str) -> list[str]:
    """What was removed, in words."""
    to_ms = 1000 / signals.sample_rate
    notes = [
        f"{name} is {abs(delay)} samples ({abs(delay) * to_ms:.2f} ms) {'behind' if delay > 0 else 'ahead of'} {reference_name}"
        for name, delay in signals.delays.items()
        if delay
    ]
    if signals.trimmed:
        notes.append(f"cut by {signals.trimmed} samples ({signals.trimmed * to_ms:.1f} ms) to the common part")
    return notes
