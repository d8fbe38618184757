"""Comb filter of up to five periods to each side (SPEC 3.5)."""

import numpy as np
import numpy.typing as npt

from . import WINDOW, Array

HALF_ORDER = 5


def taps(period: float, future: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Weights (sum 1) and lags of the taps that reach at most `future` samples ahead; a negative lag is the future."""
    k = np.arange(-HALF_ORDER, HALF_ORDER + 1)
    lags = np.sign(k) * np.floor(np.abs(k) * period + 0.5).astype(int)
    fits = -lags <= future
    weights = (0.5 + 0.5 * np.cos(np.pi * k / (HALF_ORDER + 1)))[fits]
    return weights / weights.sum(), lags[fits]


def apply(samples: Array, start: int, period: float, future: int) -> tuple[Array, float, float]:
    """Comb of the window samples[start : start + 960]; outside the array are zeros.

    Returns the 960 samples, the power gain for white noise (sum of squared weights) and the weight of the centre tap.
    """
    weights, lags = taps(period, future)
    n = np.arange(start, start + WINDOW)
    out = np.zeros(WINDOW)
    for weight, lag in zip(weights, lags, strict=True):
        inside = (n - lag >= 0) & (n - lag < samples.size)
        out[inside] += weight * samples[(n - lag)[inside]]
    return out, float(np.sum(weights**2)), float(weights[lags == 0][0])
