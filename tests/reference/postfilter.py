"""Envelope postfilter (SPEC 4.1)."""

import numpy as np

from . import ENERGY_FLOOR, Array

BETA = 0.02
DEPTH = 0.75


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
    """Between the plain gains, at 0, and the sharpened ones, at 1."""
    return (1 - amount) * gains + amount * sharpened


def amount_at(snr_db: float) -> float:
    """How much of the postfilter a frame gets: three quarters up to 10 dB, none from 20 dB on."""
    return DEPTH * float(np.clip((20 - snr_db) / 10, 0, 1))
