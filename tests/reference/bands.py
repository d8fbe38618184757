"""34 triangular ERB bands up to 20 kHz (SPEC 1.3)."""

import numpy as np

from . import BANDS, BINS, SAMPLE_RATE, WINDOW, Array, Spectrum

LAST_BIN = 400  # 20 kHz: energies stop here


def erb_centres() -> list[int]:
    """Centre bins: down from bin 400 in steps of one ERB, at least two bins; the point at 0 Hz is dropped."""
    spacing_hz = SAMPLE_RATE / WINDOW
    centres = [LAST_BIN]
    while centres[0] > 2:
        erb_hz = 24.7 * (4.37 * centres[0] * spacing_hz / 1000 + 1)
        centres.insert(0, centres[0] - max(2, round(erb_hz / spacing_hz)))
    return centres


# fmt: off
CENTRES = [2, 4, 6, 8, 10, 12, 14, 16, 18, 21, 24, 28, 32, 36, 41, 47, 53, 60, 68, 77, 87, 98, 110, 124, 140, 157, 176, 198,
           223, 251, 282, 317, 356, 400]
# fmt: on


def make_weights() -> Array:
    """(34, 481): every bin is shared between its two nearest centres."""
    bins = np.arange(BINS)
    return np.stack([np.interp(bins, CENTRES, np.eye(BANDS)[band]) for band in range(BANDS)])


WEIGHTS = make_weights()


def product(u: Spectrum, v: Spectrum) -> Array:
    """<U, V>_b = sum over bins 0..400 of w_b(k) Re(U(k) V*(k)); any leading axes."""
    return (u * v.conj()).real[..., : LAST_BIN + 1] @ WEIGHTS[:, : LAST_BIN + 1].T


def energy(spectrum: Spectrum) -> Array:
    """Sum of squared magnitude per band."""
    return product(spectrum, spectrum)


def interpolate(bands: Array) -> Array:
    """Band values -> bin values; above 20 kHz the last band's."""
    return bands @ WEIGHTS
