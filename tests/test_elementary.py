"""The core's own transcendental functions against NumPy float64."""

import numpy as np
import pytest

from percepnet import _core

EXACT = {
    "exp": (np.exp, np.linspace(-87, 87, 20001)),
    "log10": (np.log10, np.logspace(-12, 6, 20001)),
    "tanh": (np.tanh, np.linspace(-12, 12, 20001)),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), np.linspace(-30, 30, 20001)),
    "sin_half_pi": (lambda x: np.sin(np.pi / 2 * x), np.linspace(0, 1, 20001)),
}


@pytest.mark.parametrize("name", ["exp", "sigmoid"])
def test_relative_error_is_below_five_units_in_the_last_place(name: str) -> None:
    function, x = EXACT[name]
    x = x.astype(np.float32)

    got = _core.stage_elementary(name, x)

    exact = function(x.astype(np.float64))
    assert np.max(np.abs(got - exact) / exact) < 5 * 2.0**-24 * 2


@pytest.mark.parametrize(("name", "tolerance"), [("log10", 2e-6), ("tanh", 5e-7), ("sin_half_pi", 5e-7)])
def test_absolute_error_is_of_the_order_of_float32(name: str, tolerance: float) -> None:
    """Two units in the last place of the largest result."""
    function, x = EXACT[name]
    x = x.astype(np.float32)

    got = _core.stage_elementary(name, x)

    assert np.max(np.abs(got - function(x.astype(np.float64)))) < tolerance


def test_extremes_saturate_and_stay_finite() -> None:
    x = np.array([-np.inf, -1e30, -100, 100, 1e30, np.inf], np.float32)

    got = {name: _core.stage_elementary(name, x) for name in ("exp", "tanh", "sigmoid")}

    assert all(np.all(np.isfinite(values)) for values in got.values())
    np.testing.assert_allclose(got["tanh"], np.sign(x), atol=1e-6)
    np.testing.assert_allclose(got["sigmoid"], x > 0, atol=1e-6)


def test_quarter_sine_is_exact_at_0_and_never_above_1() -> None:
    """Zero gains stay zero; unit gains pass the postfilter within one unit in the last place."""
    sines = _core.stage_elementary("sin_half_pi", np.array([0, 1], np.float32))

    assert sines[0] == 0
    assert 1 - 2.0**-24 <= sines[1] <= 1
