"""Pitch: core == reference on voiced material; planted periods are found, also in noise and glides."""

from __future__ import annotations

import numpy as np
import pytest

import signals
from percepnet import _core
from reference import HOP, Array, dc_blocker, pitch

START = 5  # frames until the window and the path are filled
TRACKS = {
    "low rising": signals.glide(90, 140, 2.0),
    "middle falling": signals.glide(220, 160, 2.0, vibrato=0.01),
    "high vibrato": signals.glide(300, 300, 2.0, vibrato=0.03),
    "child": signals.glide(420, 350, 2.0),
}


def vowel_in_noise(name: str, snr_db: float, seed: int = 0) -> tuple[Array, Array]:
    """Noisy vowel, and its true period at the centre of every frame."""
    f0_hz = TRACKS[name]
    clean = signals.voiced(f0_hz, "aeiou"[seed % 5])
    noisy = signals.at_snr(clean, signals.noise(2.0, exponent=1, seed=seed), snr_db)
    return noisy, signals.RATE / f0_hz[::HOP]


def gross_errors(name: str, snr_db: float, lookahead: int = 2) -> float:
    """Share of frames more than 10 % off."""
    noisy, truth = vowel_in_noise(name, snr_db, list(TRACKS).index(name))
    period = _core.analyze(noisy, lookahead=lookahead).period
    return float(np.mean(np.abs(period / truth[: period.size] - 1)[START:] > 0.1))


@pytest.mark.parametrize("lookahead", [0, 2, 3])
@pytest.mark.parametrize("name", ["low rising", "high vibrato"])
def test_equals_reference(name: str, lookahead: int) -> None:
    noisy, _ = vowel_in_noise(name, 10)

    got = _core.analyze(noisy, lookahead=lookahead)

    expected = pitch.track(dc_blocker.apply(noisy), lookahead)
    same = np.abs(got.period - expected.period) <= 0.5
    assert np.mean(same[START:]) >= 0.99  # a tie may fall to the other side in float32
    np.testing.assert_allclose(got.correlation[same], expected.correlation[same], atol=1e-3)
    newest = (got.features[:, 69] + 1) / 2
    assert np.mean(np.abs(newest - expected.newest_correlation) < 1e-3) >= 0.99


@pytest.mark.parametrize("name", TRACKS)
def test_gross_errors_at_10_db(name: str) -> None:
    assert gross_errors(name, 10) <= 0.05


@pytest.mark.parametrize("name", TRACKS)
def test_gross_errors_at_0_db(name: str) -> None:
    assert gross_errors(name, 0) <= 0.15


@pytest.mark.parametrize("lookahead", [0, 1, 3])
def test_gross_errors_at_other_lookaheads(lookahead: int) -> None:
    assert gross_errors("middle falling", 10, lookahead) <= 0.05


# Not below 105: at 16 kHz lag 97 / 3 falls between samples, and three periods may correlate better than one.
@pytest.mark.parametrize("period", [105.0, 120.5, 200.25, 333.375, 480.0, 640.0])
def test_pulse_train_has_its_period_to_an_eighth_of_a_sample(period: float) -> None:
    samples = signals.at_snr(signals.pulse_train(period, 0.6), signals.noise(0.6, seed=1), 30)

    got = _core.analyze(samples)

    assert np.mean(np.abs(got.period[START:] - period) <= 0.13) >= 0.95
    assert np.min(got.correlation[START:]) > 0.8


@pytest.mark.parametrize("period", [108.0, 126.0, 150.0, 201.0])
def test_shortest_of_equal_periods_wins(period: float) -> None:
    """Twice the period explains a steady pulse train as well; the octave rule must choose, noise must not."""
    samples = signals.at_snr(signals.pulse_train(period, 2.0), signals.noise(2.0, seed=5), 5)

    got = _core.analyze(samples)

    assert np.mean(np.abs(got.period[START:] / period - 1) < 0.02) >= 0.98


def test_periods_are_eighths_within_range() -> None:
    period = _core.analyze(signals.noise(1.0, seed=2)).period

    assert np.all((period >= 96) & (period <= 768))
    assert np.array_equal(period * 8, np.round(period * 8))


def test_silence_has_no_correlation() -> None:
    got = _core.analyze(np.zeros(24000, np.float32))

    assert np.all(got.correlation == 0)


def test_correlation_separates_voiced_from_unvoiced() -> None:
    voiced = _core.analyze(signals.voiced(signals.glide(120, 150, 1.0))).correlation[START:]
    unvoiced = _core.analyze(signals.noise(1.0, seed=3)).correlation[START:]

    assert np.median(voiced) > 0.8
    assert np.median(unvoiced) < 0.4


def test_lookahead_only_delays_and_smooths() -> None:
    """The last decisions of a stream cut short are those of the longer stream: no later sample is used."""
    noisy, _ = vowel_in_noise("middle falling", 5)

    whole, cut = _core.analyze(noisy), _core.analyze(noisy[: 100 * HOP])

    assert np.array_equal(whole.period[: cut.period.size], cut.period)
    assert np.array_equal(whole.features[: cut.period.size], cut.features)


def test_pitch_source_replaces_the_tracked_signal() -> None:
    clean = signals.voiced(signals.glide(180, 180, 1.0))
    noisy = clean + signals.noise(1.0, -20, seed=4)

    got = _core.analyze(noisy, clean=clean, pitch_source=clean)

    assert np.array_equal(got.period, _core.analyze(clean).period)
