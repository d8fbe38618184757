"""Vorbis power-complementary window and spectrum (SPEC 1.1)."""

import numpy as np

from . import WINDOW, Array, Spectrum

SHAPE: Array = np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW) ** 2)


def forward(window: Array) -> Spectrum:
    """Spectrum of 960 samples, (481,), not scaled."""
    return np.fft.rfft(SHAPE * window)
