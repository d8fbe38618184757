"""The 72 inputs of the network, before the model's mean and scale (SPEC 5)."""

import numpy as np

from . import ENERGY_FLOOR, FEATURES, Array, Spectrum, bands


def log_energy(energy: Array) -> Array:
    """dB per band, not more than 70 dB below any lower band nor 15 dB below the next lower one."""
    level_db = 10 * np.log10(energy + ENERGY_FLOOR)
    for band in range(1, level_db.size):
        level_db[band] = max(level_db[band], level_db[:band].max() - 70, level_db[band - 1] - 15)
    return level_db


def coherence(spectrum: Spectrum, comb: Spectrum, centre: float) -> Array:
    """Of the input and the comb without its centre tap, -0.2..1."""
    rest = (comb - centre * spectrum) / (1 - centre)
    norm = np.sqrt((bands.energy(spectrum) + ENERGY_FLOOR) * (bands.energy(rest) + ENERGY_FLOOR))
    return np.clip(bands.product(spectrum, rest) / norm, -0.2, 1)


def compute(
    level_db: Array, previous_db: Array | None, coherences: Array, period: float, newest_correlation: float, sparseness: float
) -> Array:
    """(72,): energies of the newest frame, coherence and period of the enhanced one, four scalars.

    `previous_db` is None for the first frame, `sparseness` nan for a silent residual.
    """
    out = np.zeros(FEATURES)
    out[:34] = level_db
    out[34:68] = coherences
    out[68] = np.log2(period / 96) / 3 * 2 - 1
    out[69] = 2 * newest_correlation - 1
    out[70] = 0.0 if previous_db is None else np.mean(np.abs(level_db - previous_db)) / 10
    out[71] = 0.0 if np.isnan(sparseness) else (sparseness - 0.7) / 0.15
    return out
