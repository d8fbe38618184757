"""Features: core == reference, row by row; what training reads from the core equals the reference's analysis."""

from __future__ import annotations

import numpy as np
import pytest

import signals
from percepnet import _core
from reference import HOP, Array, bands, dc_blocker, features, oracle, pitch
from reference.front_end import analyse


def recording(seed: int = 0) -> tuple[Array, Array]:
    """Noisy and clean, 2 s, with pauses; float32 values."""
    clean = signals.speech_like(2.0, seed)
    noisy = signals.at_snr(clean, signals.noise(2.0, exponent=1, seed=seed + 1), 10)
    return noisy.astype(np.float32).astype(np.float64), clean.astype(np.float32).astype(np.float64)


def with_periods_of(got: _core.Analysis, track: pitch.Track) -> pitch.Track:
    """The reference's track with the core's periods, so that one flipped decision does not hide the rest."""
    track.period = got.period.astype(np.float64)
    return track


@pytest.fixture(scope="module", params=[0, 2, 3])
def pair(request: pytest.FixtureRequest) -> tuple[_core.Analysis, Array]:
    """Native analysis and reference features of one recording."""
    noisy, _ = recording()
    got = _core.analyze(noisy, lookahead=request.param)
    track = pitch.track(dc_blocker.apply(noisy), request.param)
    return got, analyse(noisy, request.param, with_periods_of(got, track)).features


def test_energies_in_decibels_equal_reference(pair: tuple[_core.Analysis, Array]) -> None:
    got, expected = pair

    np.testing.assert_allclose(got.features[:, :34], expected[:, :34], atol=2e-3)  # dB


def test_coherences_equal_reference(pair: tuple[_core.Analysis, Array]) -> None:
    got, expected = pair

    np.testing.assert_allclose(got.features[:, 34:68], expected[:, 34:68], atol=2e-4)
    assert np.array_equal(got.coherence, got.features[:, 34:68])


def test_period_feature_equals_reference(pair: tuple[_core.Analysis, Array]) -> None:
    got, expected = pair

    np.testing.assert_allclose(got.features[:, 68], expected[:, 68], atol=1e-5)


def test_correlation_feature_equals_reference(pair: tuple[_core.Analysis, Array]) -> None:
    got, expected = pair

    assert np.mean(np.abs(got.features[:, 69] - expected[:, 69]) < 2e-3) >= 0.98  # where the paths agree


def test_nonstationarity_equals_reference(pair: tuple[_core.Analysis, Array]) -> None:
    got, expected = pair

    np.testing.assert_allclose(got.features[:, 70], expected[:, 70], atol=2e-4)


def test_sparseness_equals_reference(pair: tuple[_core.Analysis, Array]) -> None:
    got, expected = pair

    np.testing.assert_allclose(got.features[:, 71], expected[:, 71], atol=2e-3)


def test_level_floor_follows_lower_bands() -> None:
    """No band is more than 15 dB below its lower neighbour or 70 dB below the loudest lower band."""
    level_db = _core.analyze(signals.tone(200.0, 0.5)).features[10:, :34]

    assert np.all(np.diff(level_db, axis=1) >= -15.001)
    assert np.all(level_db >= np.maximum.accumulate(level_db, axis=1) - 70.001)


def test_silence_gives_the_floor_and_finite_features() -> None:
    got = _core.analyze(np.zeros(24000, np.float32))

    np.testing.assert_allclose(got.features[:, :34], -90 - 10 * np.log10(500), atol=1e-3)
    assert np.all(np.isfinite(got.features))
    assert np.all(got.gated)


def test_level_of_a_recording_is_not_among_its_features() -> None:
    noisy, _ = recording(4)

    loud, soft = (_core.analyze(noisy * factor).features for factor in (1.0, 2.0**-5))  # 30 dB

    voiced = np.all(loud[:, :34] > -45, axis=1)  # far from the floor of the energies
    assert voiced.sum() > 50
    np.testing.assert_allclose(soft[voiced], loud[voiced], atol=0.02)


def test_the_level_is_a_mean_of_three_seconds() -> None:
    """Noise that is 30 dB weaker from the fourth second on: both the start and the forgetting of the mean are seen."""
    noise = signals.noise(8.0, seed=6) * np.where(np.arange(8 * 48000) < 4 * 48000, 1.0, 10**-1.5)

    got = _core.analyze(noise, lookahead=0)

    levels_db = np.array([features.log_energy(energy) for energy in got.energy.astype(np.float64)])
    expected = levels_db - features.running_level(got.energy.astype(np.float64), got.gated)[:, np.newaxis]
    np.testing.assert_allclose(got.features[:, :34], expected, atol=2e-3)  # dB, as above


def test_one_absurd_click_does_not_deafen() -> None:
    noisy, _ = recording(4)
    clicked = noisy.copy()
    clicked[4800] = 1e5

    plain, after = (_core.analyze(samples).features[60:, :34] for samples in (noisy, clicked))

    assert np.max(np.abs(after - plain)) < 35  # dB, of the 110 dB that the click is louder


def test_gate_closes_below_minus_95_dbfs() -> None:
    louder, quieter = (_core.analyze(signals.noise(0.5, level_db, seed=5)).gated[5:] for level_db in (-94, -96))

    assert not np.any(louder)
    assert np.mean(quieter) > 0.9


def test_energy_and_statistics_equal_reference() -> None:
    noisy, clean = recording(1)

    got = _core.analyze(noisy, clean)

    frames = analyse(noisy, 2, with_periods_of(got, pitch.track(dc_blocker.apply(noisy), 2)))
    x = analyse(clean, 2, frames.track).spectrum
    y, c = frames.spectrum, frames.comb
    expected = np.stack([bands.product(*pair) for pair in ((y, y), (c, c), (y, c), (x, x), (y, x), (c, x))], axis=1)
    scale = np.max(np.abs(expected), axis=(0, 1))
    assert got.statistics is not None
    assert np.max(np.abs(got.statistics - expected) / scale) < 3e-5  # mostly the float32 DC blocker
    assert np.array_equal(got.energy, got.statistics[:, 0])


def test_oracle_of_a_recording_equals_reference() -> None:
    noisy, clean = recording(2)

    got = _core.analyze(noisy, clean)

    frames = analyse(noisy, 2, with_periods_of(got, pitch.track(dc_blocker.apply(noisy), 2)))
    twin = analyse(clean, 2, frames.track)
    x, y, c, p = twin.spectrum, frames.spectrum, frames.comb, twin.comb
    agreement = []
    for j in range(len(x)):
        six = [bands.product(u[j], v[j]) for u, v in ((y, y), (c, c), (y, c), (x, x), (y, x), (c, x))]
        four = [bands.product(u[j], v[j]) for u, v in ((p, p), (x, p), (y, p), (c, p))]
        gains, strengths = oracle.targets(np.array(six), *four, float(got.correlation[j]), float(frames.centre[j]))
        assert got.gains is not None
        assert got.strengths is not None
        agreement += [(np.abs(got.gains[j] - gains) < 2e-3) & (np.abs(got.strengths[j] - strengths) < 5e-3)]
    assert np.mean(agreement) > 0.97  # a band within rounding of a case's edge may fall to the other side


def test_clean_input_has_unit_gains() -> None:
    _, clean = recording(3)

    gains = _core.analyze(clean, clean).gains

    assert gains is not None
    assert np.all((gains == -1) | (gains > 0.999))


def test_log_energy_of_reference_is_the_documented_rule() -> None:
    energy = np.array([1.0, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9])

    np.testing.assert_allclose(features.log_energy(energy), [0, -15, -30, -45, -60, -70], atol=1e-6)


def test_frames_are_hops_less_lookahead() -> None:
    assert [len(_core.analyze(np.zeros(10 * HOP, np.float32), lookahead=m).period) for m in range(4)] == [10, 9, 8, 7]
