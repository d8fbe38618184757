"""Mixing and scaling: core == reference; unit gains are an exact bypass; the envelope is restored."""

import numpy as np
import pytest

from percepnet import _core
from reference import BANDS, BINS, bands, gains


def random_frame(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spectrum, comb (related to it), gains, strengths."""
    rng = np.random.default_rng(seed)
    spectrum = rng.normal(size=BINS) + 1j * rng.normal(size=BINS)
    comb = 0.6 * spectrum + 0.3 * (rng.normal(size=BINS) + 1j * rng.normal(size=BINS))
    return (
        spectrum.astype(np.complex64),
        comb.astype(np.complex64),
        rng.random(BANDS).astype(np.float32),
        rng.random(BANDS).astype(np.float32),
    )


@pytest.mark.parametrize("seed", range(5))
def test_equals_reference(seed: int) -> None:
    spectrum, comb, frame_gains, strengths = random_frame(seed)

    got = _core.stage_gains(spectrum, comb, frame_gains, strengths)

    mixed = gains.mix(spectrum.astype(np.complex128), comb.astype(np.complex128), strengths)
    expected = gains.scale(mixed, bands.energy(spectrum), frame_gains)
    assert np.max(np.abs(got - expected)) < 1e-6 * np.max(np.abs(expected))


def test_unit_gains_without_comb_are_a_bypass() -> None:
    spectrum, comb, _, _ = random_frame(1)

    got = _core.stage_gains(spectrum, comb, np.ones(BANDS, np.float32), np.zeros(BANDS, np.float32))

    np.testing.assert_allclose(got, spectrum, rtol=1e-6)


def test_without_comb_gains_are_interpolated() -> None:
    spectrum, comb, frame_gains, _ = random_frame(2)

    got = _core.stage_gains(spectrum, comb, frame_gains, np.zeros(BANDS, np.float32))

    np.testing.assert_allclose(got, spectrum * bands.interpolate(frame_gains), rtol=2e-6)


def test_band_amplitude_is_restored_after_the_comb() -> None:
    """A flat comb 9 dB lower must come back to gain times the input's amplitude."""
    spectrum = np.ones(BINS, np.complex64)
    comb = (10 ** (-9.03 / 20) * spectrum).astype(np.complex64)

    got = _core.stage_gains(spectrum, comb, np.full(BANDS, 0.5, np.float32), np.ones(BANDS, np.float32))

    np.testing.assert_allclose(np.abs(got[:401]), 0.5, rtol=1e-5)


def test_scale_is_at_most_four() -> None:
    spectrum = np.ones(BINS, np.complex64)
    comb = (0.01 * spectrum).astype(np.complex64)

    got = _core.stage_gains(spectrum, comb, np.ones(BANDS, np.float32), np.ones(BANDS, np.float32))

    np.testing.assert_allclose(np.abs(got[2:400]), 0.04, rtol=1e-4)


def test_no_comb_above_20_khz() -> None:
    spectrum, comb, _, _ = random_frame(3)
    comb[401:] = 1e6

    got = _core.stage_gains(spectrum, comb, np.ones(BANDS, np.float32), np.ones(BANDS, np.float32))

    assert np.max(np.abs(got[401:])) <= 4 * np.max(np.abs(spectrum[401:]))


def test_silence_stays_silent_and_finite() -> None:
    zeros = np.zeros(BINS, np.complex64)

    assert np.all(_core.stage_gains(zeros, zeros, np.ones(BANDS, np.float32), np.ones(BANDS, np.float32)) == 0)
