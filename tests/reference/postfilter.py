"""Envelope postfilter (SPEC 4.1)."""

import numpy as np

from . import ENERGY_FLOOR, Array

BETA = 0.02


def sharpen(gains: Array, energy: Array) -> tuple[Array, float]:
    """Gains after the warp and the compensation of the lost energy, and that compensation G."""
    warped = gains * np.sin(np.pi / 2 * gains)
    before, after = float(np.sum(gains**2 * energy)), float(np.sum(warped**2 * energy))
    if after < ENERGY_FLOOR:
        return warped, 1.0
    ratio = before / after
    compensation = float(np.sqrt((1 + BETA) * ratio / (1 + BETA * ratio**2)))
    return compensation * warped, compensation


def blend(gains: Array, sharpened: Array, amount: float) -> Array:
    """Geometric mean with weight `amount` on the sharpened gains: 0 is the plain gains."""
    return np.where(gains > 0, gains, 0.0) ** (1 - amount) * sharpened**amount


def amount_at(snr_db: float) -> float:
    """How much of the postfilter a frame gets: all of it up to 10 dB, none from 20 dB on."""
    return float(np.clip((20 - snr_db) / 10, 0, 1))
