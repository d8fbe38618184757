"""The whole path: core == reference with a random network; laws that hold whatever the network says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import networks
import percepnet
import signals
from percepnet import _core
from percepnet.training.export import write_weights
from reference import BANDS, HOP, Array, bands, dc_blocker, enhancer, network, pitch


def recording(duration_s: float = 2.0, seed: int = 0) -> Array:
    """Speech-like signal in pink noise, float32 values, whole hops."""
    clean = signals.speech_like(duration_s, seed)
    noisy = signals.at_snr(clean, signals.noise(duration_s, exponent=1, seed=seed), 8)
    return noisy[: noisy.size // HOP * HOP].astype(np.float32).astype(np.float64)


@dataclasses.dataclass
class Run:
    """A stream from the first sample to the end of flush: output aligned with the input, one row a frame."""

    samples: npt.NDArray[np.float32]
    frames: npt.NDArray[np.void]


def run(
    samples: Array, model: percepnet.Model, gains: Array | None = None, strengths: Array | None = None, **settings: Any
) -> Run:
    """`gains` and `strengths` are (frames, 34) for all frames, those of flush included."""
    stream = percepnet.Enhancer(model=model, **settings)
    audio, frames = stream.process_frames(samples.astype(np.float32), gains=gains, strengths=strengths)
    rest_of = {"gains": gains, "strengths": strengths}
    tail, more = stream.flush_frames(
        **{name: None if v is None else v[len(frames) :] for name, v in rest_of.items()}, first_frame=len(frames)
    )
    return Run(np.concatenate([audio, tail]), np.concatenate([frames, more]))


def dc_blocked(samples: Array) -> npt.NDArray[np.float32]:
    """By the core, whose DC blocker has its own test: 32 ms of float32 rounding would hide the tolerance of 1e-6."""
    return _core.stage_dc_blocker(samples)


def expected_of(
    samples: Array, got: Run, lookahead: int, tensors: networks.Tensors | None = None, **options: Any
) -> enhancer.Result:
    """The reference with the core's path through the pitches, so that one flipped decision does not hide the rest."""
    padded = np.concatenate([samples, np.zeros((lookahead + 1) * HOP)])
    track = pitch.track(dc_blocker.apply(padded), lookahead)
    track.period, track.correlation = (got.frames[name].astype(np.float64) for name in ("period", "correlation"))
    track.newest_correlation = (_core.analyze(padded, lookahead=lookahead).features[:, 69].astype(np.float64) + 1) / 2
    return enhancer.enhance(
        padded, network.Network(tensors or networks.random_tensors(dereverb=True)), lookahead, track=track, **options
    )


@pytest.mark.parametrize("lookahead", range(4))
@pytest.mark.parametrize("post_filter", [True, False])
def test_output_equals_reference(lookahead: int, post_filter: bool, models: list[percepnet.Model]) -> None:
    samples = recording()

    got = run(samples, models[lookahead], post_filter=post_filter)

    expected = expected_of(samples, got, lookahead, post_filter=post_filter)
    aligned = expected.samples[(lookahead + 1) * HOP :]
    assert np.max(np.abs(got.samples - aligned)) < 1e-4 * np.max(np.abs(aligned))
    np.testing.assert_allclose(got.frames["gains"], expected.gains, atol=3e-4)  # correlation and L1/L2 carry 1e-4 of float32
    np.testing.assert_allclose(got.frames["strengths"], expected.strengths, atol=3e-4)


def test_imposed_gains_and_strengths_equal_reference(model: percepnet.Model) -> None:
    samples = recording(seed=1)
    imposed = np.random.default_rng(2).random((2, samples.size // HOP + 1, BANDS)).astype(np.float32)

    got = run(samples, model, imposed[0], imposed[1])

    expected = expected_of(samples, got, 2, imposed_gains=imposed[0], imposed_strengths=imposed[1])
    assert np.max(np.abs(got.samples - expected.samples[3 * HOP :])) < 1e-4 * np.max(np.abs(expected.samples))


def test_attenuation_limit_equals_reference(model: percepnet.Model) -> None:
    samples = recording(seed=2)

    got = run(samples, model, attenuation_limit_db=9.0)

    expected = expected_of(samples, got, 2, attenuation_limit_db=9.0)
    assert np.max(np.abs(got.samples - expected.samples[3 * HOP :])) < 1e-4 * np.max(np.abs(expected.samples))


def test_silence_gate_equals_reference(model: percepnet.Model) -> None:
    """Speech, then 0.6 s of almost nothing, then speech: gains fade over 200 ms and the network stands still.

    Wider tolerances: noise of -100 dBFS under the DC blocker's decay is an ill-conditioned LPC in float32.
    """
    speech = recording(0.8, seed=3)
    samples = np.concatenate([speech, signals.noise(0.6, -100, seed=4), speech]).astype(np.float32).astype(np.float64)

    got = run(samples, model)

    expected = expected_of(samples, got, 2)
    assert np.array_equal(got.frames["gated"] != 0, expected.frames.gated)
    assert 40 < np.sum(got.frames["gated"]) < 60
    np.testing.assert_allclose(got.frames["gains"], expected.gains, atol=2e-3)
    assert np.max(np.abs(got.samples - expected.samples[3 * HOP :])) < 5e-4 * np.max(np.abs(expected.samples))


def test_unit_gains_give_the_dc_blocked_input(models: list[percepnet.Model]) -> None:
    samples = recording(seed=5)

    for lookahead, model in enumerate(models):
        n_frames = samples.size // HOP + 1
        got = run(samples, model, np.ones((n_frames, BANDS)), np.zeros((n_frames, BANDS)))

        assert np.max(np.abs(got.samples - dc_blocked(samples))) < 1e-6, lookahead


@pytest.mark.parametrize("dereverb", [0.0, 0.3])
def test_dereverb_equals_reference(dereverb: float, model: percepnet.Model) -> None:
    samples = recording(seed=2)

    got = run(samples, model, dereverb=dereverb)

    expected = expected_of(samples, got, 2, dereverb=dereverb)
    assert np.max(np.abs(got.samples - expected.samples[3 * HOP :])) < 1e-4 * np.max(np.abs(expected.samples))
    np.testing.assert_allclose(got.frames["gains"], expected.gains, atol=3e-4)


def test_attenuation_limit_of_0_db_is_unit_gains(model: percepnet.Model) -> None:
    samples = recording(seed=6)

    got = run(samples, model, attenuation_limit_db=0)

    assert np.max(np.abs(got.samples - dc_blocked(samples))) < 1e-6


@pytest.mark.parametrize("lookahead", range(4))
def test_impulse_comes_out_after_exactly_the_delay(lookahead: int, models: list[percepnet.Model]) -> None:
    """At sample 480, because the DC blocker starts from the first sample; out at 480 + 1440 for look-ahead 2."""
    stream = percepnet.Enhancer(model=models[lookahead], attenuation_limit_db=0, block_size=HOP)

    out = np.concatenate(
        [stream.process_block(hop) for hop in signals.click(20 * HOP, HOP).astype(np.float32).reshape(-1, HOP)]
    )

    expected = np.zeros(20 * HOP)
    delay = (lookahead + 1) * HOP
    expected[delay:] = dc_blocker.apply(signals.click(20 * HOP, HOP))[:-delay]
    assert np.argmax(out) == HOP + delay
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_attenuation_limit_bounds_the_attenuation(model: percepnet.Model) -> None:
    """Zero gains with a limit of 12 dB are the input 12 dB lower, phase and all."""
    samples = recording(seed=7)
    n_frames = samples.size // HOP + 1

    got = run(samples, model, np.zeros((n_frames, BANDS)), np.zeros((n_frames, BANDS)), attenuation_limit_db=12.0)

    np.testing.assert_allclose(got.samples, 10 ** (-12 / 20) * dc_blocked(samples), atol=1e-6)


def test_zero_gains_are_silence(model: percepnet.Model) -> None:
    samples = recording(seed=8)
    n_frames = samples.size // HOP + 1

    got = run(samples, model, np.zeros((n_frames, BANDS)), np.zeros((n_frames, BANDS)))

    assert np.all(got.samples == 0)


def test_comb_guard_halves_strength_where_low_bands_vanish() -> None:
    """On noise a comb takes 9 dB from every band, just the guard's threshold: some frames trip it, as in the reference."""
    tensors = networks.random_tensors()
    tensors["strengths.bias"][:] = 40  # strength 1 whatever the input
    model = percepnet.Model.from_bytes(write_weights(tensors, 2, {}))
    samples = signals.noise(3.0, -26, seed=9).astype(np.float32).astype(np.float64)

    got = run(samples, model)

    expected = expected_of(samples, got, 2, tensors)
    strengths = got.frames["strengths"]
    ratio = np.sqrt(bands.energy(expected.frames.comb)[:, :14] / expected.frames.energy[:, :14])
    clear = ~np.any(np.abs(ratio / 0.35 - 1) < 1e-4, axis=1)  # not within rounding of the threshold
    assert set(np.unique(strengths[clear])) == {0.0, 0.5, 1.0}
    assert np.array_equal(strengths[clear], expected.strengths[clear])


def test_frames_report_what_analysis_sees(model: percepnet.Model) -> None:
    samples = recording(seed=10)

    got = run(samples, model)

    seen = _core.analyze(np.concatenate([samples, np.zeros(3 * HOP)]))
    assert np.array_equal(got.frames["index"], np.arange(samples.size // HOP + 1))
    for name in ("period", "correlation", "energy", "coherence"):
        assert np.array_equal(got.frames[name], getattr(seen, name)), name


def test_training_network_is_the_run_time_network(model: percepnet.Model) -> None:
    samples = recording(seed=11)

    got = run(samples, model)

    seen = _core.analyze(np.concatenate([samples, np.zeros(3 * HOP)]))
    keep = ~seen.gated
    gains, _, speech = _core.network_run(model.handle, np.hstack((seen.features, np.ones((len(seen.features), 1))))[keep])
    assert speech is not None
    assert np.array_equal(got.frames["gains"][keep], gains)
    assert np.array_equal(got.frames["speech_probability"][keep], speech)
