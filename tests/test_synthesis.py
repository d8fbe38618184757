"""Synthesis: core == reference; analysis and synthesis give perfect reconstruction."""

import numpy as np

import signals
from percepnet import _core
from reference import BINS, HOP, synthesis, window_at


def spectra_of(samples: np.ndarray) -> np.ndarray:
    """Native spectra of every frame of whole hops."""
    return np.array([_core.stage_analysis(window_at(samples, t).astype(np.float32)) for t in range(samples.size // HOP)])


def test_equals_reference() -> None:
    rng = np.random.default_rng(4)
    spectra = rng.normal(size=(7, BINS)) + 1j * rng.normal(size=(7, BINS))
    spectra[:, [0, -1]] = spectra[:, [0, -1]].real

    got = _core.stage_synthesis(spectra.astype(np.complex64))

    np.testing.assert_allclose(got, synthesis.inverse(spectra), atol=1e-6)


def test_perfect_reconstruction_one_hop_later() -> None:
    samples = signals.noise(0.5, -12, seed=5)

    got = _core.stage_synthesis(spectra_of(samples))

    np.testing.assert_allclose(got[HOP:], samples[:-HOP], atol=1e-6)
    np.testing.assert_allclose(got[:HOP], 0, atol=1e-6)
