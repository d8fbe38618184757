"""Mixing with the comb per band and restoring the envelope (SPEC 4, steps 1, 2 and 4)."""

import numpy as np

from . import ENERGY_FLOOR, Array, Spectrum, bands

SCALE_MAX = 4.0


def mix(spectrum: Spectrum, comb: Spectrum, strengths: Array) -> Spectrum:
    """Z = (1 - R) Y + R P^; above 20 kHz Z = Y."""
    ratio = bands.interpolate(np.clip(strengths, 0, 1))
    ratio[bands.LAST_BIN + 1 :] = 0
    return (1 - ratio) * spectrum + ratio * comb


def scale(mixed: Spectrum, energy: Array, gains: Array) -> Spectrum:
    """Brings every band of the mix to the amplitude gain * sqrt(energy)."""
    scales = gains * np.sqrt(energy) / (np.sqrt(bands.energy(mixed)) + ENERGY_FLOOR)
    return mixed * bands.interpolate(np.clip(scales, 0, SCALE_MAX))
