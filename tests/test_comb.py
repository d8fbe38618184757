"""Comb filter: core == reference; noise gain of each number of future taps; harmonics pass."""

import numpy as np
import pytest

import signals
from percepnet import _core
from reference import WINDOW, comb

START = 4800


@pytest.mark.parametrize("future", [0, 480, 960, 1440])
@pytest.mark.parametrize("period", [96.0, 100.125, 192.0, 192.25, 193.0, 287.5, 320.375, 480.5, 500.0, 768.0])
def test_equals_reference(period: float, future: int) -> None:
    samples = signals.noise(0.2, seed=6).astype(np.float32)

    got, noise_gain, centre = _core.stage_comb(samples, START, period, future)

    expected, expected_noise_gain, expected_centre = comb.apply(samples, START, period, future)
    np.testing.assert_allclose(got, expected, atol=2e-7)
    assert noise_gain == pytest.approx(expected_noise_gain, rel=1e-6)
    assert centre == pytest.approx(expected_centre, rel=1e-6)


# SPEC 3.5: future taps kept, a period that keeps them at look-ahead 2, noise gain in dB
@pytest.mark.parametrize(
    ("period", "future", "noise_gain_db"),
    [(192, 960, -9.03), (240, 960, -8.94), (320, 960, -8.63), (480, 960, -8.08), (768, 960, -7.35), (300, 0, -6.48)],
)
def test_noise_gain(period: float, future: int, noise_gain_db: float) -> None:
    noise = np.random.default_rng(7).standard_normal(48000).astype(np.float32)
    starts = range(START, 40000, WINDOW)

    combed = [_core.stage_comb(noise, start, period, future) for start in starts]

    assert 10 * np.log10(combed[0][1]) == pytest.approx(noise_gain_db, abs=0.01)
    measured_db = 10 * np.log10(np.mean([np.mean(out**2) for out, _, _ in combed]) / np.mean(noise**2))
    assert measured_db == pytest.approx(noise_gain_db, abs=0.3)  # 36 windows of noise leave 0.1 dB


def test_symmetric_comb_lowers_noise_by_9_03_db() -> None:
    _, noise_gain, _ = _core.stage_comb(np.zeros(9600, np.float32), START, 150.0, 960)

    assert 10 * np.log10(noise_gain) == pytest.approx(-9.03, abs=0.005)


@pytest.mark.parametrize("period", [120.0, 200.0])
def test_periodic_signal_passes_unchanged(period: float) -> None:
    samples = signals.pulse_train(period, 0.3).astype(np.float32)

    got, _, _ = _core.stage_comb(samples, START, period, 960)

    np.testing.assert_allclose(got, samples[START : START + WINDOW], atol=1e-6)


def test_fractional_period_keeps_upper_harmonics() -> None:
    """Lags are round(k T), not k round(T): at 4 kHz and T = 200.5 the latter loses over 10 dB."""
    period = 200.5
    samples = np.cos(2 * np.pi * 16 / period * np.arange(14400)).astype(np.float32)  # 16th harmonic, 3.83 kHz

    got, _, _ = _core.stage_comb(samples, START, period, 960)

    assert 10 * np.log10(np.mean(got**2) / np.mean(samples**2)) > -1.5


def test_samples_outside_the_array_are_zeros() -> None:
    ones = np.ones(WINDOW, np.float32)

    got, _, centre = _core.stage_comb(ones, 0, 768.0, 0)

    assert got[0] == pytest.approx(centre, rel=1e-6)
    assert got[-1] > centre  # one period back is inside
