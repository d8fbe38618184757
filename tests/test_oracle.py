"""Oracle gains and strengths: core == reference; the case table; the mix is as periodic as the clean speech."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import signals
from percepnet import _core
from reference import BANDS, HOP, Array, analysis, bands, comb, oracle, window_at

CENTRE = 1 / 6


@dataclasses.dataclass
class Bands:
    """Band products of one frame, as `stage_oracle` takes them."""

    e_y: Array
    e_c: Array
    y_c: Array
    e_x: Array
    y_x: Array
    c_x: Array
    e_p: Array
    x_p: Array
    y_p: Array
    c_p: Array

    def arguments(self) -> tuple[Array, Array, Array, Array, Array]:
        rows = [getattr(self, field.name) for field in dataclasses.fields(self)]
        return (np.array(rows[:6]), *rows[6:])


def measure(clean: Array, noisy: Array, frame: int, period: float) -> tuple[Bands, float]:
    """Band products of a frame from its signals, and the comb's centre weight."""
    start = (frame - 1) * HOP
    x, y = analysis.forward(window_at(clean, frame)), analysis.forward(window_at(noisy, frame))
    clean_comb, _, centre = comb.apply(clean, start, period, 2 * HOP)
    p, c = analysis.forward(clean_comb), analysis.forward(comb.apply(noisy, start, period, 2 * HOP)[0])
    pairs = [(y, y), (c, c), (y, c), (x, x), (y, x), (c, x), (p, p), (x, p), (y, p), (c, p)]
    return Bands(*(bands.product(u, v) for u, v in pairs)), centre


def frames_of_voiced_speech(snr_db: float) -> list[tuple[Bands, float]]:
    f0_hz = signals.glide(140, 160, 1.0)
    clean = signals.voiced(f0_hz)
    noisy = signals.at_snr(clean, signals.noise(1.0, exponent=1, seed=8), snr_db)
    return [measure(clean, noisy, t, 48000 / f0_hz[t * HOP]) for t in range(20, 90)]


def run(products: Bands, correlation: float = 0.8, centre: float = CENTRE) -> tuple[Array, Array]:
    arguments = [np.asarray(a, np.float32) for a in products.arguments()]
    gains, strengths = _core.stage_oracle(*arguments, correlation, centre)
    return gains.astype(np.float64), strengths.astype(np.float64)


def constant(**changes: float) -> Bands:
    """Clean speech of coherence 0.9, noise at 0 dB, comb that works; then changes."""
    q_x, q_y, q_c = changes.pop("q_x", 0.9), changes.pop("q_y", 0.6), changes.pop("q_c", 0.95)
    e = {"e_y": 2.0, "e_c": 1.2, "e_x": 1.0, "e_p": 0.9} | changes
    products = {
        "y_c": q_y * q_c * np.sqrt(e["e_y"] * e["e_c"]),
        "y_x": e["e_x"],
        "c_x": q_x * np.sqrt(e["e_c"] * e["e_x"]),
        "x_p": q_x * np.sqrt(e["e_x"] * e["e_p"]),
        "y_p": q_y * np.sqrt(e["e_y"] * e["e_p"]),
        "c_p": q_c * np.sqrt(e["e_c"] * e["e_p"]),
    }
    values = {field.name: (e | products)[field.name] for field in dataclasses.fields(Bands)}
    return Bands(**{name: np.full(BANDS, value) for name, value in values.items()})


@pytest.mark.parametrize("snr_db", [0, 10])
def test_equals_reference(snr_db: float) -> None:
    for products, centre in frames_of_voiced_speech(snr_db):
        rounded = Bands(*(np.float32(getattr(products, f.name)).astype(np.float64) for f in dataclasses.fields(Bands)))

        got = run(rounded, 0.8, centre)

        gains, strengths = oracle.targets(*rounded.arguments(), 0.8, centre)
        agrees = np.abs(got[1] - strengths) < 2e-3  # the quadratic divides by a difference of coherences
        assert np.mean(agrees) > 0.97  # a band within rounding of a case's edge may fall to the other side
        np.testing.assert_allclose(got[0][agrees], gains[agrees], atol=1e-4)


@pytest.mark.parametrize("snr_db", [0, 10])
def test_mix_is_as_periodic_as_clean_speech(snr_db: float) -> None:
    """Where the formula applies, the coherence of (1 - r) Y + r P^ with P is that of X: SPEC 2.4."""
    errors = []
    for products, centre in frames_of_voiced_speech(snr_db):
        _, r = run(products, 0.8, centre)
        e_z = (1 - r) ** 2 * products.e_y + r**2 * products.e_c + 2 * r * (1 - r) * products.y_c
        q_z = ((1 - r) * products.y_p + r * products.c_p) / np.sqrt(e_z * products.e_p)
        q_x = products.x_p / np.sqrt(products.e_x * products.e_p)
        errors.append(np.abs(q_z - q_x)[(r > 0) & (r < oracle.STRENGTH_MAX - 1e-6)])

    assert np.concatenate(errors).size > 100
    assert np.max(np.concatenate(errors)) < 0.02


def test_noise_reduction_follows_the_gain() -> None:
    gains, _ = run(constant(e_y=4.0, e_x=1.0))

    np.testing.assert_allclose(gains, 0.5, atol=1e-6)  # amplitude ratio, not power ratio


@pytest.mark.parametrize(
    ("changes", "correlation", "strength"),
    [
        ({}, 0.05, -1.0),  # unvoiced: no target
        ({"e_x": 1e-12}, 0.8, -1.0),  # no clean energy
        ({"q_x": 0.2, "q_y": 0.1}, 0.8, 0.0),  # clean speech not periodic here
        ({"q_y": 0.92}, 0.8, 0.0),  # noisy as periodic as clean already
        ({"q_c": 0.605}, 0.8, 0.0),  # comb does not help
        ({"q_c": 0.8}, 0.8, 0.99),  # comb helps, not enough
    ],
)
def test_case_table(changes: dict[str, float], correlation: float, strength: float) -> None:
    _, strengths = run(constant(**changes), correlation)

    np.testing.assert_allclose(strengths, strength, atol=1e-6)


def test_insufficient_comb_attenuates() -> None:
    gains, _ = run(constant(q_c=0.8))

    expected = np.sqrt(1 / 2) * np.sqrt((1.03 - 0.9**2) / (1.03 - 0.8**2))
    np.testing.assert_allclose(gains, expected, rtol=1e-4)


def test_attenuation_is_at_most_15_4_db() -> None:
    gains, _ = run(constant(q_x=1.0, q_y=0.0, q_c=0.02, e_y=1.0), centre=0.0)

    assert 20 * np.log10(gains.min()) == pytest.approx(-15.36, abs=0.02)


def test_bands_below_minus_100_dbfs_are_masked() -> None:
    quiet = 0.5 * 4.8e-8
    gains, _ = run(constant(e_y=quiet, e_x=quiet, e_p=quiet, e_c=quiet))

    np.testing.assert_array_equal(gains, -1.0)  # every band is at least one bin wide


def test_nothing_gives_nan() -> None:
    rng = np.random.default_rng(9)
    for _ in range(300):
        scale = 10 ** rng.uniform(-14, 4)
        products = Bands(*(scale * rng.normal(size=BANDS) * rng.integers(0, 2, BANDS) for _ in range(10)))
        for name in ("e_y", "e_c", "e_x", "e_p"):
            setattr(products, name, np.abs(getattr(products, name)))

        gains, strengths = run(products, 0.8)

        assert np.all((gains == -1) | ((gains >= 0) & (gains <= 1)))
        assert np.all((strengths == -1) | ((strengths >= 0) & (strengths <= 0.99 + 1e-6)))
