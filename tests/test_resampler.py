"""Resampler: against sines at their ideal places, and against scipy; flat, images and aliases 70 dB down, short."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
import scipy.signal

import signals
from percepnet import _core
from reference import Array, resampler

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 88200, 96000, 192000]
BOTH_WAYS = [(rate, 48000) for rate in RATES] + [(48000, rate) for rate in RATES]


def interior(in_rate: int, out_rate: int, samples: Array) -> tuple[Array, Array]:
    """Resampled samples away from the ends (20 ms), and their times on the input's clock."""
    out, delay_s = _core.stage_resample(in_rate, out_rate, samples)
    edge = out_rate // 50
    times_s = np.arange(out.size) / out_rate - delay_s
    return out[edge:-edge].astype(np.float64), times_s[edge:-edge]


@pytest.mark.parametrize(("in_rate", "out_rate"), BOTH_WAYS)
def test_sines_are_where_an_ideal_resampler_puts_them(in_rate: int, out_rate: int) -> None:
    """Up to 0.43 of the lower rate within 0.1 dB, which is 1.2 % of each sine."""
    f_hz = np.array([0.01, 0.1, 0.2, 0.3, 0.4, 0.43]) * min(in_rate, out_rate)
    phases = np.arange(f_hz.size, dtype=float)
    samples = 0.1 * resampler.sines(f_hz, phases, np.arange(in_rate // 4) / in_rate)

    got, times_s = interior(in_rate, out_rate, samples)

    assert np.max(np.abs(got - 0.1 * resampler.sines(f_hz, phases, times_s))) < 0.1 * f_hz.size * 0.0116


@pytest.mark.parametrize(("in_rate", "out_rate"), BOTH_WAYS)
def test_pass_band_is_flat_within_a_tenth_of_a_decibel(in_rate: int, out_rate: int) -> None:
    for share in (0.05, 0.25, 0.35, 0.43):
        f_hz = share * min(in_rate, out_rate)
        got, times_s = interior(in_rate, out_rate, signals.tone(f_hz, 0.25, 0.5, in_rate))
        basis = np.exp(-2j * np.pi * f_hz * times_s) * scipy.signal.windows.hann(got.size)

        amplitude = 2 * np.abs(basis @ got) / np.abs(basis).sum()

        assert abs(20 * np.log10(amplitude / 0.5)) < 0.1, share


@pytest.mark.parametrize(("in_rate", "out_rate"), BOTH_WAYS)
def test_images_and_aliases_are_70_db_down(in_rate: int, out_rate: int) -> None:
    """Everything but the tone itself: upwards a tone near the top, downwards also tones that must not fold back."""
    lower = min(in_rate, out_rate)
    for share in (0.2, 0.43) + ((0.57, 0.7, 0.9) if out_rate < in_rate else ()):
        f_hz = share * lower
        if f_hz > 0.45 * in_rate:
            continue
        got, times_s = interior(in_rate, out_rate, signals.tone(f_hz, 0.5, 0.5, in_rate))
        basis = np.stack([np.cos(2 * np.pi * f_hz * times_s), np.sin(2 * np.pi * f_hz * times_s)], axis=1)
        residue = got - basis @ np.linalg.lstsq(basis, got, rcond=None)[0] if share < 0.5 else got

        assert 10 * np.log10(np.mean(residue**2) / 0.125 + 1e-30) < -70, share


@pytest.mark.parametrize(("in_rate", "out_rate"), [(16000, 48000), (44100, 48000), (48000, 22050), (96000, 48000)])
def test_agrees_with_scipy(in_rate: int, out_rate: int) -> None:
    """scipy's FFT resampling to a dense grid and a cubic spline, on noise up to 0.4 of the lower rate."""
    lower = min(in_rate, out_rate)
    white = np.random.default_rng(1).standard_normal(in_rate // 2)
    samples = 0.1 * scipy.signal.sosfiltfilt(scipy.signal.butter(12, 0.33 * lower, fs=in_rate, output="sos"), white)

    got, times_s = interior(in_rate, out_rate, samples)

    dense = scipy.signal.resample(samples, 16 * samples.size)
    spline = scipy.interpolate.CubicSpline(np.arange(dense.size) / (16 * in_rate), dense)
    error = got - spline(times_s)
    inner = slice(got.size // 8, -got.size // 8)  # the FFT's circular ends
    assert np.sqrt(np.mean(error[inner] ** 2)) < 0.002 * np.sqrt(np.mean(got[inner] ** 2))


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 32000, 44100])
def test_round_trip_takes_at_most_5_ms(rate: int) -> None:
    _, there_s = _core.stage_resample(rate, 48000, np.zeros(rate))
    _, back_s = _core.stage_resample(48000, rate, np.zeros(48000))

    assert 0 < there_s + back_s <= 0.005


def test_content_above_24_khz_is_dropped() -> None:
    got, _ = interior(96000, 48000, signals.tone(35000.0, 0.25, 0.5, 96000))

    assert np.max(np.abs(got)) < 0.5 * 10 ** (-70 / 20)


@pytest.mark.parametrize("rate", RATES)
def test_offset_is_kept_exactly_enough(rate: int) -> None:
    """Every phase of the filter sums to one: no ripple on a constant."""
    got, _ = interior(rate, 48000, np.full(rate // 4, 0.5))

    np.testing.assert_allclose(got, 0.5, atol=0.5 * 10 ** (-70 / 20))
