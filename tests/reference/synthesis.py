"""Inverse transform, window, overlap-add (SPEC 1.1)."""

import numpy as np

from . import HOP, WINDOW, Array, Spectrum
from .analysis import SHAPE


def inverse(spectra: Spectrum) -> Array:
    """(frames, 481) -> (frames * 480,): hop t is the sum of the first half of frame t and the second half of frame t - 1."""
    out = np.zeros((len(spectra) + 1) * HOP)
    for t, spectrum in enumerate(spectra):
        out[t * HOP : t * HOP + WINDOW] += SHAPE * np.fft.irfft(spectrum, WINDOW)
    return out[: len(spectra) * HOP]
