"""Postfilter: core == reference; compensation of at most 5.57 dB; unit and zero gains stay."""

import numpy as np
import pytest

from percepnet import _core
from reference import BANDS, postfilter


@pytest.mark.parametrize("seed", range(5))
def test_equals_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gains, energy = rng.random(BANDS).astype(np.float32), (10 ** rng.uniform(-6, 3, BANDS)).astype(np.float32)

    got, compensation = _core.stage_postfilter(gains, energy)

    expected, expected_compensation = postfilter.sharpen(gains.astype(np.float64), energy.astype(np.float64))
    np.testing.assert_allclose(got, expected, rtol=3e-6, atol=1e-7)
    assert compensation == pytest.approx(expected_compensation, rel=3e-6)


def test_unit_gains_are_unchanged() -> None:
    got, compensation = _core.stage_postfilter(np.ones(BANDS, np.float32), np.ones(BANDS, np.float32))

    np.testing.assert_allclose(got, 1, atol=1.2e-7)  # one unit in the last place
    assert compensation == pytest.approx(1, abs=1.2e-7)


def test_compensation_has_its_maximum_of_5_57_db() -> None:
    energy = np.ones(BANDS, np.float32)

    levels_db = [
        20 * np.log10(_core.stage_postfilter(np.full(BANDS, g, np.float32), energy)[1]) for g in np.linspace(0.01, 1, 400)
    ]

    assert max(levels_db) == pytest.approx(5.57, abs=0.01)  # at E0/E1 = 1/sqrt(0.02)


@pytest.mark.parametrize("energy", [0.0, 1.0])
def test_zero_gains_or_energy_stay_finite(energy: float) -> None:
    got, compensation = _core.stage_postfilter(np.zeros(BANDS, np.float32), np.full(BANDS, energy, np.float32))

    assert np.all(got == 0.0)
    assert compensation == 1.0
