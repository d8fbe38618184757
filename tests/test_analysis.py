"""Analysis: core == reference; the window's power complement; a tone is where it belongs."""

import numpy as np

import signals
from percepnet import _core
from reference import HOP, WINDOW, analysis


def test_equals_reference() -> None:
    window = signals.noise(WINDOW / 48000, seed=2)

    got, expected = _core.stage_analysis(window.astype(np.float32)), analysis.forward(window.astype(np.float32))

    assert np.max(np.abs(got - expected)) < 1e-6 * np.max(np.abs(expected))  # float32 rounding in ten layers of butterflies


def test_window_is_power_complementary() -> None:
    ones = np.eye(WINDOW, dtype=np.float32)[:, ::37]  # impulses at every 37th sample

    shape = np.array([np.abs(_core.stage_analysis(np.ascontiguousarray(column))[100]) for column in ones.T])

    np.testing.assert_allclose(shape, analysis.SHAPE[::37], atol=1e-6)
    np.testing.assert_allclose(analysis.SHAPE[:HOP] ** 2 + analysis.SHAPE[HOP:] ** 2, 1, atol=1e-15)


def test_tone_of_20_bins_peaks_at_bin_20() -> None:
    window = signals.tone(1000.0, WINDOW / 48000, 1.0)

    magnitude = np.abs(_core.stage_analysis(window.astype(np.float32)))

    assert np.argmax(magnitude) == 20
    assert abs(magnitude[20] / (analysis.SHAPE.sum() / 2) - 1) < 1e-5


def test_white_noise_has_480_times_its_variance_per_bin() -> None:
    windows = np.random.default_rng(3).normal(0, 0.1, (400, WINDOW)).astype(np.float32)

    energy = np.mean([np.abs(_core.stage_analysis(window)) ** 2 for window in windows])

    assert abs(energy / (480 * 0.01) - 1) < 0.01  # SPEC 1.1; 400 windows leave 0.3 %
