"""DC blocker: first order, 5 Hz, started as if the first sample had always been there (SPEC 1.2)."""

import numpy as np

from . import SAMPLE_RATE, Array

POLE = np.exp(-2 * np.pi * 5 / SAMPLE_RATE)


def apply(samples: Array) -> Array:
    """y[n] = x[n] - x[n - 1] + POLE y[n - 1], with x[-1] = x[0]."""
    out = np.zeros(samples.size)
    last_in, last_out = (samples[0] if samples.size else 0.0), 0.0
    for n, sample in enumerate(samples):
        last_out = sample - last_in + POLE * last_out
        last_in = sample
        out[n] = last_out
    return out
