"""The ideal resampler: a sum of sines evaluated at the output's own times (SPEC 1.5)."""

import numpy as np

from . import Array


def sines(frequencies_hz: Array, phases: Array, times_s: Array) -> Array:
    """Sum of unit sines at arbitrary times: what a perfect resampler with the right delay would give."""
    return np.sum(np.sin(2 * np.pi * np.outer(times_s, frequencies_hz) + phases), axis=1)
