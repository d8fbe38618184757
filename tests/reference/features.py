"""The 72 inputs of the network, before the model's mean and scale (SPEC 5)."""

import numpy as np

from . import ENERGY_FLOOR, FEATURES, Array, Spectrum, bands


def log_energy(energy: Array) -> Array:
    """dB per band, not more than 70 dB below any lower band nor 15 dB below the next lower one."""
    level_db = 10 * np.log10(energy + ENERGY_FLOOR)
    for band in range(1, level_db.size):
        level_db[band] = max(level_db[band], level_db[:band].max() - 70, level_db[band - 1] - 15)
    return level_db


def running_level(energy: Array, quiet: Array) -> Array:
    """dB: the level that energies (frames, bands) are relative to, frame by frame.

    The mean energy of the frames that were not quiet: of all of them at first, of about the last 300 later on; none counts
    for more than a full-scale square wave. 500 before any was heard.
    """
    levels, mean, heard = [], 500.0, 0
    for total, is_quiet in zip(energy.sum(axis=1), quiet, strict=True):
        if not is_quiet:
            heard = min(heard + 1, 300)
            mean += (min(total, 480.0**2) - mean) / heard
        levels.append(10 * np.log10(mean + ENERGY_FLOOR))
    return np.array(levels)


def coherence(spectrum: Spectrum, comb: Spectrum, centre: float) -> Array:
    """Of the input and the comb without its centre tap, -0.2..1."""
    rest = (comb - centre * spectrum) / (1 - centre)
    norm = np.sqrt((bands.energy(spectrum) + ENERGY_FLOOR) * (bands.energy(rest) + ENERGY_FLOOR))
    return np.clip(bands.product(spectrum, rest) / norm, -0.2, 1)


def compute(
    level_db: Array,
    previous_db: Array | None,
    running_db: float,
    coherences: Array,
    period: float,
    newest_correlation: float,
    sparseness: float,
) -> Array:
    """(72,): energies of the newest frame, coherence and period of the enhanced one, four scalars.

    `previous_db` is None for the first frame, `sparseness` nan for a silent residual.
    """
    out = np.zeros(FEATURES)
    out[:34] = level_db - running_db
    out[34:68] = coherences
    out[68] = np.log2(period / 96) / 3 * 2 - 1
    out[69] = 2 * newest_correlation - 1
    out[70] = 0.0 if previous_db is None else np.mean(np.abs(level_db - previous_db)) / 10
    out[71] = 0.0 if np.isnan(sparseness) else (sparseness - 0.7) / 0.15
    return out
