"""Bands: core == reference; the centres follow the ERB formula; weights sum to one."""

import numpy as np

from percepnet import _core
from reference import BANDS, BINS, bands


def random_spectrum(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=BINS) + 1j * rng.normal(size=BINS)).astype(np.complex64)


def test_centres_follow_the_erb_formula() -> None:
    native = [int(np.argmax(row)) for row in _core.stage_band_weights()]
    native[0] = 2  # bins 0..2 all have weight 1 in the first band

    assert bands.erb_centres() == bands.CENTRES == native


def test_weights_equal_reference() -> None:
    np.testing.assert_allclose(_core.stage_band_weights(), bands.WEIGHTS, atol=1e-7)


def test_weights_sum_to_one_at_every_bin() -> None:
    np.testing.assert_allclose(_core.stage_band_weights().sum(axis=0), 1, atol=1.2e-7)  # one unit in the last place


def test_product_equals_reference() -> None:
    u, v = random_spectrum(1), random_spectrum(2)

    got = _core.stage_band_product(u, v)

    scale = np.sqrt(bands.energy(u) * bands.energy(v))
    assert np.max(np.abs(got - bands.product(u, v)) / scale) < 1e-6


def test_energy_ignores_bins_above_20_khz() -> None:
    u = random_spectrum(3)
    low = np.where(np.arange(BINS) <= 400, u, 0).astype(np.complex64)

    assert np.array_equal(_core.stage_band_product(u, u), _core.stage_band_product(low, low))


def test_interpolation_equals_reference() -> None:
    values = np.random.default_rng(4).random(BANDS).astype(np.float32)

    np.testing.assert_allclose(_core.stage_band_interpolate(values), bands.interpolate(values), atol=2e-7)


def test_interpolating_ones_is_exactly_one() -> None:
    assert np.all(_core.stage_band_interpolate(np.ones(BANDS, np.float32)) == 1.0)


def test_last_band_extends_above_20_khz() -> None:
    values = np.zeros(BANDS, np.float32)
    values[-1] = 0.5

    assert np.all(_core.stage_band_interpolate(values)[400:] == 0.5)
